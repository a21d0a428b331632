using Proxy.Dicom;

namespace Proxy.Metadata;

/// <summary>Leases the study of a request before its endpoint runs, so that no endpoint reads it from disk.</summary>
internal static class StudyLoading
{
    /// <summary>
    /// An endpoint filter that awaits the load of the study in the route, and keeps it in memory until the endpoint ends.
    /// </summary>
    public static ValueTask<object?> FilterAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var http = context.HttpContext;
        return Uid.TryParse(http.Request.RouteValues["study"] as string, out var study)
            ? AnswerAsync(http.RequestServices.GetRequiredService<DicomMetadataStore>(), study, context, next)
            : next(context);
    }

    private static async ValueTask<object?> AnswerAsync(
        DicomMetadataStore store, Uid study, EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        using var lease = await store.LeaseAsync(study, context.HttpContext.RequestAborted);
        return await next(context);
    }
}
