using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Operations;

namespace Proxy.Capabilities;

/// <summary>Retrieve Capabilities: <c>OPTIONS</c> at any address below a DICOMweb root, and <c>GET</c> of the root (PS3.18 §8.9).</summary>
/// <remarks>
/// <code>
/// OPTIONS, a CORS preflight    answered by the CORS middleware, before any of this
/// OPTIONS                      no endpoint has this method: routing ends with 405 and sets Allow to the methods of the mapped
///                              endpoints at this address, and FindAnswer turns that into 200 with the description; or routing
///                              ends with 404, as there is no resource
/// GET {root}                   FilterAsync: the description if Accept names one of its types, else WADO-URI
/// </code>
/// </remarks>
internal static class CapabilityEndpoints
{
    private const string ApplicationJson = "application/json";

    /// <summary>The media types of the description, the default first.</summary>
    private static readonly string[] Types = [CapabilityDescription.Wadl, ApplicationJson, MediaType.DicomJson];

    /// <summary>
    /// The answer to an OPTIONS request of a resource below a DICOMweb root, which no endpoint answered; null for other requests.
    /// </summary>
    public static IResult? FindAnswer(HttpContext context)
    {
        if (!HttpMethods.IsOptions(context.Request.Method) || !AccessFilter.TryReadRoot(context.Request.Path, out var name)) return null;
        var headers = context.Response.Headers;
        var backends = context.RequestServices.GetRequiredService<BackendSet>();
        var backend = name.Length == 0 ? null : backends.Find(name);
        if (name.Length > 0 && backend is null)
        {
            // The names of backends are for users: every client may ask.
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            headers.Remove("Allow");
            return null;
        }
        if (context.Response.StatusCode == StatusCodes.Status404NotFound) return null;
        headers.Allow = AccessFilter.AddOptions(headers.Allow);
        if (FindType(context.Request.ReadAccept(), isNamed: false) is not { } type)
            return Problems.NotAcceptable($"Capabilities are available as {string.Join(", ", Types)}.");
        context.Response.StatusCode = StatusCodes.Status200OK;
        return Describe(context, backend is null ? backends.AsOne : new Access(backend.Name, [backend]), type);
    }

    /// <summary>An endpoint filter of the root: answers with the description if the client asks for it, and not for an instance.</summary>
    public static ValueTask<object?> FilterAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var http = context.HttpContext;
        return !http.Request.Query.ContainsKey("requestType") && FindType(http.Request.ReadAccept(), isNamed: true) is { } type
            ? new(Describe(http, http.GetAccess(), type))
            : next(context);
    }

    private static IResult Describe(HttpContext context, Access access, string type)
    {
        var routes = MappedRoutes.Read(context.RequestServices.GetRequiredService<EndpointDataSource>().Endpoints, access);
        var description = new CapabilityDescription(
            context.GetRootAddress(access), [.. CapabilityTable.All.Where(c => routes.Contains((c.Method, c.Path)))]);
        context.Response.SetPrivate();
        context.Response.Headers.Append("Vary", CachedAnswer.ByAccept);
        return TypedResults.Bytes(type == CapabilityDescription.Wadl ? description.ToXml() : description.ToJson(), type);
    }

    /// <summary>The best acceptable type; null for none.</summary>
    /// <param name="accept">What the client accepts.</param>
    /// <param name="isNamed">True when only a type that the client names counts, and no wildcard.</param>
    private static string? FindType(Accept accept, bool isNamed)
    {
        if (accept.IsAbsent) return isNamed ? null : Types[0];
        foreach (var (accepted, _) in accept.Types)
        {
            if (Array.Find(Types, accepted.Is) is { } named) return named;
            if (!isNamed && accepted.Type is "*/*" or "application/*")
                return Array.Find(Types, type => !accept.Refused.Any(refused => refused.Is(type)));
        }
        return null;
    }
}
