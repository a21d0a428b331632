using System.Net;
using Microsoft.AspNetCore.Cors.Infrastructure;
using Proxy.Operations;

namespace Proxy.Security;

/// <summary>Which pages of other origins may read answers (CORS): those of this machine, and those that are configured.</summary>
internal static class Origins
{
    /// <summary>What a viewer reads of an answer besides its body.</summary>
    private static readonly string[] Exposed =
        ["Content-Type", "Content-Length", "Content-Range", "Content-Location", "ETag", "Age", "Cache-Status", "Server-Timing", "Warning", "Retry-After", "X-Backend", AnswerHeaders.FailedBackends];

    public static void Allow(CorsPolicyBuilder policy, Reloadable<SecurityOptions> options) => policy
        .SetIsOriginAllowed(origin => IsLoopback(origin) || options.Value.AllowedOrigins.Contains(origin, StringComparer.OrdinalIgnoreCase))
        .AllowAnyHeader().WithMethods("GET", "HEAD", "POST", "DELETE", "OPTIONS").WithExposedHeaders(Exposed).SetPreflightMaxAge(TimeSpan.FromMinutes(10));

    private static bool IsLoopback(string origin) =>
        Uri.TryCreate(origin, UriKind.Absolute, out var uri) && (uri.Host == "localhost" || IPAddress.TryParse(uri.Host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address));
}
