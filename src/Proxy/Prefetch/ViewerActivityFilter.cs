using System.Globalization;
using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Prefetch.Planning;
using Proxy.Search;

namespace Proxy.Prefetch;

/// <summary>Reports viewer activity to the prefetcher, without changing the request.</summary>
internal static class ViewerActivityFilter
{
    public static async ValueTask<object?> FilterAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var http = context.HttpContext;
        var prefetcher = http.RequestServices.GetRequiredService<Prefetcher>();
        if (!prefetcher.FollowsClients) return await next(context);
        var access = http.GetAccess();
        var viewer = Viewer.Identify(http, access.Name);
        if (Uid.TryParse(http.Request.RouteValues["study"] as string, out var study))
        {
            prefetcher.NoteOpened(viewer, access, study);
            if (FindFrame(http, study) is { } frame) prefetcher.NoteFrame(access, frame);
        }
        else if (Uid.TryParse(http.Request.Query["StudyInstanceUID"].ToString(), out var lookedUp))
        {
            prefetcher.NoteSearched(access, lookedUp);
        }
        var result = await next(context);
        if (http.Items[typeof(SearchedStudies)] is SearchedStudies shown) prefetcher.NoteListed(viewer, shown);
        return result;
    }

    /// <summary>The requested frame; the first of a list.</summary>
    private static FramePath? FindFrame(HttpContext http, Uid study)
    {
        var values = http.Request.RouteValues;
        if (values["frames"] is not string frames || !Uid.TryParse(values["series"] as string, out var series)
            || !Uid.TryParse(values["instance"] as string, out var instance))
            return null;
        return int.TryParse(frames.Split(',')[0], NumberStyles.None, CultureInfo.InvariantCulture, out var frame)
            ? new(new(study, series, instance), frame)
            : null;
    }
}
