using System.Globalization;
using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Prefetch.Planning;
using Proxy.Search;

namespace Proxy.Prefetch;

/// <summary>Reports viewer activity to the prefetcher, without changing the request.</summary>
internal static class ViewerActivityFilter
{
    public static ValueTask<object?> FilterAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var http = context.HttpContext;
        var prefetcher = http.RequestServices.GetRequiredService<Prefetcher>();
        if (!prefetcher.FollowsClients) return next(context);
        var access = http.GetAccess();
        var viewer = Viewer.Identify(http, access.Name);
        if (!Uid.TryParse(http.Request.RouteValues["study"] as string, out var study))
            return ReportListAsync(prefetcher, viewer, access, context, next);
        if (prefetcher.IsNew(viewer, study)) prefetcher.NoteOpened(viewer, access, study, isWhole: IsWhole(http, study));
        if (prefetcher.ReadsAhead && FindFrame(http, study) is { } frame) prefetcher.NoteFrame(access, frame);
        return next(context);
    }

    /// <summary>Reports the studies of a search after the search, which shows what this client may see.</summary>
    private static async ValueTask<object?> ReportListAsync(
        Prefetcher prefetcher, Viewer viewer, Access access, EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var result = await next(context);
        if (context.HttpContext.FindFeature<SearchedStudies>() is not { } shown) return result;
        prefetcher.NoteListed(viewer, shown);
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
