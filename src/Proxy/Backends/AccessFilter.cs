using System.Diagnostics.CodeAnalysis;
using Proxy.Dicom;
using Proxy.Identity;
using Proxy.Operations;

namespace Proxy.Backends;

/// <summary>Decides what a request may use and see, and reads the resource from its address.</summary>
internal static class AccessFilter
{
    /// <summary>Marks an endpoint with the filter, so that a test finds an endpoint without it.</summary>
    public static readonly object Marker = new AccessMarker();

    /// <summary>The route value with the backend's name, for the root of one backend.</summary>
    public const string BackendName = "backend";

    /// <summary>Gives each request of these routes its access. Every route of the proxy is mapped below such a group.</summary>
    public static RouteGroupBuilder WithAccess(this RouteGroupBuilder routes) =>
        routes.AddEndpointFilter(FilterAsync).WithMetadata(Marker);

    /// <summary>Sets the access that <see cref="GetAccess"/> returns; answers 404 when the backend is not configured.</summary>
    private static ValueTask<object?> FilterAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var http = context.HttpContext;
        var backends = http.RequestServices.GetRequiredService<BackendSet>();
        Access access;
        if (http.Request.RouteValues[BackendName] is not string name) access = backends.AsOne;
        else if (backends.Find(name) is { } backend) access = new(backend.Name, [backend]);
        else return new(UnknownBackend());
        var caller = http.GetCaller();
        http.SetAccess(ReferenceEquals(caller, Caller.Anonymous) ? access : access with { Caller = caller });
        return next(context);
    }

    /// <summary>404: the root of a backend that is not configured.</summary>
    public static IResult UnknownBackend() => Problems.NotFound("No backend with this name is configured.");

    /// <summary>Whether a path is a DICOMweb root or below one, without regard to the settings.</summary>
    /// <param name="path">The path of a request.</param>
    /// <param name="backend">The name in the root of one backend; empty for the root of all.</param>
    public static bool TryReadRoot(PathString path, out string backend)
    {
        backend = "";
        var segments = (path.Value ?? "").Split('/', 5);
        if (segments is [_, var all, ..] && IsWord(all, "dicomweb")) return true;
        if (segments is not [_, var backends, { Length: > 0 } name, var root, ..] || !IsWord(backends, "backends")
            || !IsWord(root, "dicomweb"))
            return false;
        backend = name;
        return true;

        static bool IsWord(string segment, string word) => segment.Equals(word, StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>The value of <c>Allow</c> for a resource below a DICOMweb root: OPTIONS has no endpoint of its own.</summary>
    /// <param name="allowed">The methods of the endpoints, as routing reports them; empty for an address without endpoints.</param>
    public static string AddOptions(string? allowed) => string.IsNullOrEmpty(allowed) ? "OPTIONS" : allowed + ", OPTIONS";

    /// <summary>Replaces the access by a part of it.</summary>
    public static void SetAccess(this HttpContext context, Access access) => context.SetFeature(access);

    /// <summary>The access that the filter has set.</summary>
    public static Access GetAccess(this HttpContext context) => context.FindFeature<Access>()!;

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

    private sealed record AccessMarker;
}
