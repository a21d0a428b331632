using Proxy.Operations;

namespace Proxy.Security;

/// <summary>Refuses what another site sends through a user's browser: under a name that is not the proxy's, or to change state.</summary>
/// <remarks>
/// It stands behind the forwarded headers and sees the address that the client used. A browser names the page's origin
/// with every request that may change state, and new ones say how far that is from the proxy's own
/// (<c>Sec-Fetch-Site</c>, W3C Fetch Metadata); no page can forge either. A program that is no browser sends neither.
/// </remarks>
internal sealed class SiteGuard(RequestDelegate next, KnownHosts hosts, Reloadable<SecurityOptions> security)
{
    public Task InvokeAsync(HttpContext context) => Refuse(context.Request) is { } problem ? problem.ExecuteAsync(context) : next(context);

    private IResult? Refuse(HttpRequest request)
    {
        if (!hosts.Knows(request.Host)) return Problems.Misdirected(request.Host.Host);
        if (HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method) || HttpMethods.IsOptions(request.Method)) return null;
        return MayChange(request)
            ? null
            : Problems.ForeignOrigin(
                "Origin: pages of this origin may not change state here. An operator can add it to Security:AllowedOrigins.");
    }

    private bool MayChange(HttpRequest request)
    {
        var (site, origin) = (request.Headers["Sec-Fetch-Site"].ToString(), request.Headers.Origin.ToString());
        // "none" is the user's own doing, such as an address that was typed.
        if (site is "same-origin" or "none") return true;
        if (origin.Length == 0) return site.Length == 0;
        return origin.Equals($"{request.Scheme}://{request.Host}", StringComparison.OrdinalIgnoreCase)
            || Origins.IsAllowed(origin, security.Value);
    }
}
