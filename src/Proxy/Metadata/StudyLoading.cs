using Proxy.Dicom;

namespace Proxy.Metadata;

/// <summary>Has the study of a request in memory before its handler looks for it, so that no handler reads the disk.</summary>
internal static class StudyLoading
{
    public static ValueTask<object?> FilterAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var http = context.HttpContext;
        if (!Uid.TryParse(http.Request.RouteValues["study"] as string, out var study)) return next(context);
        var loading = http.RequestServices.GetRequiredService<DicomMetadataStore>().LoadAsync(study, http.RequestAborted);
        return loading.IsCompletedSuccessfully ? next(context) : AfterAsync(loading, context, next);
    }

    private static async ValueTask<object?> AfterAsync(
        ValueTask loading, EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        await loading;
        return await next(context);
    }
}
