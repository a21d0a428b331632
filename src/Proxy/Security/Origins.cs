using System.Net;
using Microsoft.AspNetCore.Cors.Infrastructure;
using Proxy.Operations;

namespace Proxy.Security;

/// <summary>Which pages of other origins may read answers (CORS) and change state: those of this machine and the configured ones.</summary>
internal static class Origins
{
    /// <summary>What a viewer reads of an answer besides its body.</summary>
    private static readonly string[] Exposed =
        ["Content-Type", "Content-Length", "Content-Range", "Content-Location", "ETag", "Age", "Cache-Status", "Server-Timing", "Warning",
        "Retry-After", "X-Backend", AnswerHeaders.FailedBackends];

    public static void Allow(CorsPolicyBuilder policy, Reloadable<SecurityOptions> options) => policy
        .SetIsOriginAllowed(origin => IsAllowed(origin, options.Value))
        .AllowAnyHeader().WithMethods("GET", "HEAD", "POST", "DELETE", "OPTIONS").WithExposedHeaders(Exposed)
            .SetPreflightMaxAge(TimeSpan.FromMinutes(10));

    /// <summary>Whether an origin, as a browser names it in <c>Origin</c>, is allowed; <c>null</c>, the opaque origin, never is.</summary>
    public static bool IsAllowed(string origin, SecurityOptions options) =>
        IsLoopback(origin) || options.AllowedOrigins.Contains(origin, StringComparer.OrdinalIgnoreCase);

    private static bool IsLoopback(string origin) =>
        Uri.TryCreate(origin, UriKind.Absolute, out var uri)
            && (uri.Host == "localhost" || IPAddress.TryParse(uri.Host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address));
}
