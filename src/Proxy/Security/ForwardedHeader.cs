using System.Net;
using Microsoft.AspNetCore.HttpOverrides;
using Proxy.Identity;

namespace Proxy.Security;

/// <summary>Takes the client's address from the headers of known proxies (RFC 7239).</summary>
/// <remarks>The framework reads only <c>X-Forwarded-*</c>, so <c>Forwarded</c> is translated to these headers first.</remarks>
internal static class ForwardedHeader
{
    private static readonly (string Parameter, string Header)[] Parameters =
        [("for", "X-Forwarded-For"), ("host", "X-Forwarded-Host"), ("proto", "X-Forwarded-Proto")];

    /// <summary>Uses the forwarded headers of <see cref="SecurityOptions.KnownProxies"/>; does nothing if there are none.</summary>
    public static void UseForwarded(this IApplicationBuilder app, SecurityOptions security)
    {
        if (security.KnownProxies.Count == 0) return;
        var options = new ForwardedHeadersOptions
        {
            ForwardedHeaders = ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedHost | ForwardedHeaders.XForwardedProto
                | ForwardedHeaders.XForwardedPrefix,
        };
        options.KnownProxies.Clear();
        options.KnownIPNetworks.Clear();
        foreach (var network in security.KnownProxies) options.KnownIPNetworks.Add(network);
        app.Use((context, next) =>
        {
            if (context.Connection.RemoteIpAddress is { } remote && security.KnownProxies.Any(n => Contains(n, remote)))
            {
                GatewayHeader.NoteKnownProxy(context);
                Translate(context.Request.Headers);
            }
            return next(context);
        });
        app.UseForwardedHeaders(options);
    }

    private static bool Contains(System.Net.IPNetwork network, IPAddress remote) =>
        network.Contains(remote.IsIPv4MappedToIPv6 ? remote.MapToIPv4() : remote);

    private static void Translate(IHeaderDictionary headers)
    {
        if (headers["Forwarded"].ToString() is not { Length: > 0 } forwarded) return;
        var nearest = forwarded.Split(',')[^1].Split(';', StringSplitOptions.TrimEntries).Select(p => p.Split('=', 2))
            .Where(p => p.Length == 2);
        foreach (var pair in nearest)
        {
            foreach (var (parameter, header) in Parameters)
            {
                if (pair[0].Equals(parameter, StringComparison.OrdinalIgnoreCase)) headers[header] = pair[1].Trim('"');
            }
        }
    }
}
