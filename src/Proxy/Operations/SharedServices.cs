using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http.Features;

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

/// <summary>Finds the features of requests that every hit needs.</summary>
internal static class RequestFeatures
{
    /// <summary>The feature of a type; null for none.</summary>
    /// <remarks>
    /// <see cref="IFeatureCollection.Get{T}"/> is a generic method of an interface: each call looks its code up at run time, and compares
    /// types through a dictionary. That costs several times as much.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T? FindFeature<T>(this HttpContext context) where T : class => (T?)context.Features[typeof(T)];

    /// <summary>Sets a feature; null removes it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SetFeature<T>(this HttpContext context, T? feature) where T : class => context.Features[typeof(T)] = feature;
}
