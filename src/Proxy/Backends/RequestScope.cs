using System.Diagnostics.CodeAnalysis;
using Proxy.Dicom;
using Proxy.Operations;

namespace Proxy.Backends;

/// <summary>What a DICOMweb request says by its address: which root, which resource.</summary>
internal static class RequestScope
{
    /// <summary>The route value that names the one backend of a root.</summary>
    public const string BackendName = "backend";

    /// <summary>Refuses a root whose backend is not configured; others find their scope with <see cref="GetScope"/>.</summary>
    public static async ValueTask<object?> FilterAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var http = context.HttpContext;
        var backends = http.RequestServices.GetRequiredService<BackendSet>();
        var name = http.Request.RouteValues[BackendName] as string;
        if (name is null)
        {
            http.Items[typeof(BackendScope)] = backends.AsOne;
        }
        else
        {
            if (backends.Find(name) is not { } backend) return Problems.NotFound("No backend of that name is configured.");
            http.Items[typeof(BackendScope)] = new BackendScope(backend.Name, [backend]);
        }
        return DisclosureParameters.RefuseAnonymization(http.Request) is { } refusal ? refusal : await next(context);
    }

    public static BackendScope GetScope(this HttpContext context) => (BackendScope)context.Items[typeof(BackendScope)]!;

    /// <summary>
    /// The root as the client addressed it, such as <c>https://pacs.example/dicomweb</c>; only its path where the request
    /// names no host, as HTTP/1.0 allows.
    /// </summary>
    public static string GetRootAddress(this HttpContext context, BackendScope scope) => context.Request.GetAddress() + scope.Path;

    /// <summary>The resource as the client addressed it, without a query.</summary>
    public static string GetResourceAddress(this HttpContext context) =>
        $"{context.Request.Scheme}://{context.Request.Host.ToUriComponent()}{context.Request.PathBase.ToUriComponent()}{context.Request.Path.ToUriComponent()}";

    /// <summary>Reads the UIDs of the path; false with a problem that names the first that is none.</summary>
    public static bool TryReadUids(
        this HttpContext context, out Uid? study, out Uid? series, out Uid? instance, [NotNullWhen(false)] out IResult? problem)
    {
        problem = null;
        study = Read("study", ref problem);
        series = Read("series", ref problem);
        instance = Read("instance", ref problem);
        return problem is null;

        Uid? Read(string name, ref IResult? problem)
        {
            if (context.Request.RouteValues[name] is not string text) return null;
            if (Uid.TryParse(text, out var uid)) return uid;
            problem ??= Problems.BadParameter(name, "a UID of at most 64 digits and dots, no component empty (PS3.5 §9.1)");
            return null;
        }
    }
}
