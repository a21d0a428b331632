using System.Net;
using Proxy.Operations;

namespace Proxy.Security;

/// <summary>The host names that the proxy answers to while it does not know its users.</summary>
/// <remarks>
/// A page whose name an attacker points at this machine (DNS rebinding) is of the same origin as the proxy, so the browser
/// lets it read everything. Its requests still carry the attacker's name in <c>Host</c>. Rebinding needs a name: an address
/// in <c>Host</c> is what the user typed.
/// <code>
/// listener                     answers to
/// 127.0.0.1, ::1, localhost    localhost and every loopback address
/// 10.0.0.7                     10.0.0.7
/// 0.0.0.0, [::], *, a name     every address, localhost, this machine's name and the name itself
/// any                          Security:AllowedHosts
/// </code>
/// The port does not matter: containers and tunnels map it. A request without <c>Host</c> (HTTP/1.0) comes from no browser.
/// </remarks>
internal sealed class KnownHosts(IConfiguration configuration, Reloadable<SecurityOptions> security)
{
    private volatile Listeners? _listeners;

    /// <summary>The last <c>Host</c> that was found to be known: nearly every request has the same.</summary>
    private volatile Known? _last;

    /// <summary>Kestrel's endpoints reload with the settings.</summary>
    private sealed record Listeners(SecurityOptions Under, IReadOnlyList<string> Hosts);

    private sealed record Known(SecurityOptions Under, string Host);

    /// <summary>Whether the proxy answers a request for this host (RFC 9110 §7.2).</summary>
    public bool Knows(HostString host)
    {
        var options = security.Value;
        if (!host.HasValue || options.Authentication != AuthenticationKind.None) return true;
        if (_last is { } last && ReferenceEquals(last.Under, options) && last.Host == host.Value) return true;
        if (!IsKnown(host.Host.Trim('[', ']'), options)) return false;
        _last = new(options, host.Value);
        return true;
    }

    private bool IsKnown(string host, SecurityOptions options)
    {
        var address = IPAddress.TryParse(host, out var parsed) ? parsed : null;
        if (_listeners is not { } listeners || !ReferenceEquals(listeners.Under, options))
            _listeners = listeners = new(options, Listening.FindHosts(configuration));
        return listeners.Hosts.Any(listener => Covers(listener, host, address))
            || options.AllowedHosts.Any(allowed => Matches(allowed, host, address));
    }

    private static bool Covers(string listener, string host, IPAddress? address)
    {
        if (listener.Equals("localhost", StringComparison.OrdinalIgnoreCase)) return IsLoopback(host, address);
        if (!IPAddress.TryParse(listener, out var own) || own.Equals(IPAddress.Any) || own.Equals(IPAddress.IPv6Any))
        {
            // The server listens on every address for a name too.
            return address is not null || IsLoopback(host, address) || Is(host, listener) || Is(host, Environment.MachineName);
        }
        return IPAddress.IsLoopback(own) ? IsLoopback(host, address) : own.Equals(address);
    }

    private static bool IsLoopback(string host, IPAddress? address) =>
        address is null ? Is(host, "localhost") : IPAddress.IsLoopback(address);

    private static bool Matches(string allowed, string host, IPAddress? address)
    {
        if (IPAddress.TryParse(allowed, out var own)) return own.Equals(address);
        if (!allowed.StartsWith("*.", StringComparison.Ordinal)) return Is(host, allowed);
        return host.Length >= allowed.Length && host.EndsWith(allowed[1..], StringComparison.OrdinalIgnoreCase);
    }

    private static bool Is(string one, string other) => one.Equals(other, StringComparison.OrdinalIgnoreCase);
}
