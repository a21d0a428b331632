using System.Net;
using Microsoft.AspNetCore.Cors.Infrastructure;
using Proxy.Operations;

namespace Proxy.Security;

/// <summary>The origins whose pages may read answers (CORS) and change state: this machine and the configured origins.</summary>
internal static class Origins
{
    /// <summary>Headers of answers that viewers may read.</summary>
    private static readonly string[] Exposed =
        ["Content-Type", "Content-Length", "Content-Range", "Accept-Ranges", "Content-Location", "ETag", "Age", "Cache-Status",
        "Server-Timing", "Warning", "Retry-After", "X-Backend", AnswerHeaders.FailedBackends];

    /// <summary>Configures the CORS policy.</summary>
    public static void Allow(CorsPolicyBuilder policy, Reloadable<SecurityOptions> options) => policy
        .SetIsOriginAllowed(origin => IsAllowed(origin, options.Value))
        .AllowAnyHeader().WithMethods("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS").WithExposedHeaders(Exposed)
        .SetPreflightMaxAge(TimeSpan.FromMinutes(10));

    /// <summary>Whether the value of an <c>Origin</c> header is allowed; the opaque origin <c>null</c> never is.</summary>
    public static bool IsAllowed(string origin, SecurityOptions options) =>
        IsLoopback(origin) || options.AllowedOrigins.Contains(origin, StringComparer.OrdinalIgnoreCase);

    private static bool IsLoopback(string origin) =>
        Uri.TryCreate(origin, UriKind.Absolute, out var uri)
            && (uri.Host == "localhost" || IPAddress.TryParse(uri.Host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address));
}
