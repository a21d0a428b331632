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
            prefetcher.NoteOpened(viewer, access, study, isWhole: IsWhole(http, study));
            if (FindFrame(http, study) is { } frame) prefetcher.NoteFrame(access, frame);
        }
        var result = await next(context);
        if (http.Items[typeof(SearchedStudies)] is not SearchedStudies shown) return result;
        prefetcher.NoteListed(viewer, shown);
        // After the search, which has shown what this client may see.
        if (shown.Query.OnlyStudy is { } lookedUp && shown.Studies.Contains(lookedUp)) prefetcher.NoteSearched(access, lookedUp);
        return result;
    }

    /// <summary>True for a request for all instances of a study (PS3.18 §10.4.1.1.1).</summary>
    private static bool IsWhole(HttpContext http, Uid study) =>
        http.Request.Path.Value!.EndsWith($"/studies/{study}", StringComparison.Ordinal);

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
