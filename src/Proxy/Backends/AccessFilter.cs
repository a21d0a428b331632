using System.Diagnostics.CodeAnalysis;
using Proxy.Dicom;
using Proxy.Operations;

namespace Proxy.Backends;

/// <summary>Reads the DICOMweb root and the resource from a request's address.</summary>
internal static class AccessFilter
{
    /// <summary>The route value with the backend's name, for the root of one backend.</summary>
    public const string BackendName = "backend";

    /// <summary>Sets the access that <see cref="GetAccess"/> returns; answers 404 when the backend is not configured.</summary>
    public static async ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var http = context.HttpContext;
        var backends = http.RequestServices.GetRequiredService<BackendSet>();
        var name = http.Request.RouteValues[BackendName] as string;
        if (name is null)
        {
            http.Items[typeof(Access)] = backends.AsOne;
        }
        else
        {
            if (backends.Find(name) is not { } backend) return Problems.NotFound("No backend with this name is configured.");
            http.Items[typeof(Access)] = new Access(backend.Name, [backend]);
        }
        return DisclosureParameters.RefuseAnonymization(http.Request) is { } refusal ? refusal : await next(context);
    }

    /// <summary>The access that the filter has set.</summary>
    public static Access GetAccess(this HttpContext context) => (Access)context.Items[typeof(Access)]!;

    /// <summary>
    /// The root's address as the client wrote it, such as <c>https://pacs.example/dicomweb</c>; only the path if the request has
    /// no Host, which HTTP/1.0 allows.
    /// </summary>
    public static string GetRootAddress(this HttpContext context, Access access) => context.Request.GetAddress() + access.Path;

    /// <summary>The resource's address as the client wrote it, without the query.</summary>
    public static string GetResourceAddress(this HttpContext context)
    {
        var request = context.Request;
        return $"{request.Scheme}://{request.Host.ToUriComponent()}{request.PathBase.ToUriComponent()}{request.Path.ToUriComponent()}";
    }

    /// <summary>Reads the UIDs of the path; false with a problem that names the first invalid UID.</summary>
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
            problem ??= Problems.BadParameter(name, "a UID of at most 64 digits and dots, with no empty component (PS3.5 §9.1)");
            return null;
        }
    }
}
