using Proxy.Operations;

namespace Proxy.Security;

/// <summary>
/// Refuses requests that another site sends through a user's browser: with an unknown host, to change state, or to open a WebSocket,
/// whose messages every page can read that opens it.
/// </summary>
/// <remarks>
/// It runs after the forwarded headers and sees the address that the client used. Browsers send the page's origin with
/// every request that may change state; recent browsers also send its relation to the proxy's origin
/// (<c>Sec-Fetch-Site</c>, W3C Fetch Metadata). Pages cannot forge either. Other programs send neither.
/// </remarks>
internal sealed class SiteGuard(RequestDelegate next, KnownHosts hosts, Reloadable<SecurityOptions> security)
{
    /// <summary>Checks a request and passes it on.</summary>
    public Task InvokeAsync(HttpContext context) => Refuse(context.Request) is { } problem ? problem.ExecuteAsync(context) : next(context);

    private IResult? Refuse(HttpRequest request)
    {
        if (!hosts.Knows(request.Host)) return Problems.Misdirected(request.Host.Host);
        var isRead = HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method) || HttpMethods.IsOptions(request.Method);
        if (isRead && request.Headers.Upgrade.Count == 0) return null;
        // A WebSocket over HTTP/2 begins with CONNECT (RFC 8441 §4); routes know it as the GET that it replaces.
        if (!isRead && request.IsWebSocket()) request.Method = HttpMethods.Get;
        return MayChange(request)
            ? null
            : Problems.ForeignOrigin(
                "Origin: pages of this origin may not change state or open a WebSocket here. An operator can add it to "
                + "Security:AllowedOrigins.");
    }

    private bool MayChange(HttpRequest request)
    {
        var (site, origin) = (request.Headers["Sec-Fetch-Site"].ToString(), request.Headers.Origin.ToString());
        // "none": the user started the request, for example by typing the address.
        if (site is "same-origin" or "none") return true;
        if (origin.Length == 0) return site.Length == 0;
        return origin.Equals($"{request.Scheme}://{request.Host}", StringComparison.OrdinalIgnoreCase)
            || Origins.IsAllowed(origin, security.Value);
    }
}
