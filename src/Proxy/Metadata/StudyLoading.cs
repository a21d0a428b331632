using Proxy.Dicom;

namespace Proxy.Metadata;

/// <summary>Loads the study of a request into memory before its endpoint runs, so that no endpoint reads the disk.</summary>
internal static class StudyLoading
{
    /// <summary>An endpoint filter that awaits the load of the study in the route.</summary>
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
