namespace Proxy.Operations;

/// <summary>
/// Gives requests the services of the process instead of a scope of their own. No service of a DICOMweb endpoint belongs to one request,
/// and a scope costs a tenth of a small hit.
/// </summary>
/// <remarks>It runs after authentication, which has services of its own for each request.</remarks>
internal sealed class SharedServices(RequestDelegate next, IServiceProvider services)
{
    /// <summary>Marks an endpoint that needs no scope.</summary>
    public static readonly object Marker = new NeedsNoScope();

    /// <summary>Passes a request on.</summary>
    public Task InvokeAsync(HttpContext context)
    {
        if (context.GetEndpoint()?.Metadata.GetMetadata<NeedsNoScope>() is not null) context.RequestServices = services;
        return next(context);
    }

    private sealed record NeedsNoScope;
}
