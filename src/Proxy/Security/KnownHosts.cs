using System.Net;
using Proxy.Identity;
using Proxy.Operations;

namespace Proxy.Security;

/// <summary>The host names that the proxy serves without user authentication.</summary>
/// <remarks>
/// With DNS rebinding, an attacker points the name of their page at this machine. The page then has the same origin as the
/// proxy and may read everything, but its requests carry the attacker's name in <c>Host</c>. An IP address in <c>Host</c>
/// is safe: rebinding needs a name.
/// <code>
/// listener                     serves
/// 127.0.0.1, ::1, localhost    localhost and every loopback address
/// 10.0.0.7                     10.0.0.7
/// 0.0.0.0, [::], *, a name     every address, localhost, this machine's name and the name itself
/// any                          Security:AllowedHosts
/// </code>
/// Ports are ignored, because containers and tunnels map them. A request without <c>Host</c> (HTTP/1.0) is not from a browser.
/// </remarks>
internal sealed class KnownHosts(IConfiguration configuration, Reloadable<SecurityOptions> security)
{
    private volatile Listeners? _listeners;

    /// <summary>The last known <c>Host</c>: nearly every request has the same.</summary>
    private volatile Known? _last;

    /// <summary>The hosts of the listeners, valid for one version of the settings: Kestrel's endpoints reload with them.</summary>
    private sealed record Listeners(SecurityOptions Under, IReadOnlyList<string> Hosts);

    private sealed record Known(SecurityOptions Under, string Host);

    /// <summary>Whether the proxy serves this host (RFC 9110 §7.2).</summary>
    public bool Knows(HostString host)
    {
        var options = security.Value;
        if (!host.HasValue || (options.Authentication != AuthenticationKind.None && options.AllowedHosts.Count == 0)) return true;
        if (_last is { } last && ReferenceEquals(last.Under, options) && last.Host == host.Value) return true;
        if (!IsKnown(host.Host.Trim('[', ']'), options)) return false;
        _last = new(options, host.Value);
        return true;
    }

    private bool IsKnown(string host, SecurityOptions options)
    {
        var address = IPAddress.TryParse(host, out var parsed) ? parsed : null;
        if (_listeners is not { } listeners || !ReferenceEquals(listeners.Under, options))
            _listeners = listeners = new(options, ListenAddresses.FindHosts(configuration));
        return listeners.Hosts.Any(listener => Covers(listener, host, address))
            || options.AllowedHosts.Any(allowed => Matches(allowed, host, address));
    }

    private static bool Covers(string listener, string host, IPAddress? address)
    {
        if (listener.Equals("localhost", StringComparison.OrdinalIgnoreCase)) return IsLoopback(host, address);
        if (!IPAddress.TryParse(listener, out var own) || own.Equals(IPAddress.Any) || own.Equals(IPAddress.IPv6Any))
        {
            // For a name, Kestrel also listens on every address.
            return address is not null || IsLoopback(host, address) || AreEqual(host, listener) || AreEqual(host, Environment.MachineName);
        }
        return IPAddress.IsLoopback(own) ? IsLoopback(host, address) : own.Equals(address);
    }

    private static bool IsLoopback(string host, IPAddress? address) =>
        address is null ? AreEqual(host, "localhost") : IPAddress.IsLoopback(address);

    private static bool Matches(string allowed, string host, IPAddress? address)
    {
        if (IPAddress.TryParse(allowed, out var own)) return own.Equals(address);
        if (!allowed.StartsWith("*.", StringComparison.Ordinal)) return AreEqual(host, allowed);
        return host.Length >= allowed.Length && host.EndsWith(allowed[1..], StringComparison.OrdinalIgnoreCase);
    }

    private static bool AreEqual(string host, string other) => host.Equals(other, StringComparison.OrdinalIgnoreCase);
}
