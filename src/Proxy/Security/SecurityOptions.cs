using System.Net;
using Proxy.Operations;

namespace Proxy.Security;

/// <summary>The way that users authenticate.</summary>
public enum AuthenticationKind
{
    /// <summary>No authentication: every client that reaches the address may see everything.</summary>
    None,
}

/// <summary>The settings of access to the proxy.</summary>
/// <param name="Authentication">The way that users authenticate.</param>
/// <param name="AllowAnonymous">Whether the proxy may listen beyond loopback without authentication; false by default.</param>
/// <param name="AllowedHosts">
/// Further host names that the proxy serves, see <see cref="KnownHosts"/>; <c>*.example.org</c> for every subdomain.
/// </param>
/// <param name="AllowedOrigins">Origins, besides this machine, whose pages may read answers and change state.</param>
/// <param name="KnownProxies">Networks whose <c>Forwarded</c> and <c>X-Forwarded-*</c> headers are trusted.</param>
public sealed record SecurityOptions(
    AuthenticationKind Authentication, bool AllowAnonymous, IReadOnlyList<string> AllowedHosts, IReadOnlyList<string> AllowedOrigins,
    IReadOnlyList<IPNetwork> KnownProxies)
{
    /// <summary>Reads the section <c>Security</c>.</summary>
    public static SecurityOptions Read(SettingsReader settings)
    {
        settings.ReportUnknown("Security", "Authentication", "AllowAnonymous", "AllowedHosts", "AllowedOrigins", "KnownProxies");
        return new(
            settings.ReadChoice("Security:Authentication", AuthenticationKind.None),
            settings.ReadFlag("Security:AllowAnonymous", false),
            [.. settings.ReadList("Security:AllowedHosts").Select(h => ReadHost(settings, h))],
            [.. settings.ReadList("Security:AllowedOrigins").Select(o => ReadOrigin(settings, o))],
            [.. settings.ReadList("Security:KnownProxies").Select(n => ReadNetwork(settings, n))]);
    }

    private static string ReadHost(SettingsReader settings, string text)
    {
        var host = text.Trim('[', ']');
        var name = host.StartsWith("*.", StringComparison.Ordinal) ? host[2..] : host;
        if (Uri.CheckHostName(name) == UriHostNameType.Unknown)
            settings.AddError(
                "Security:AllowedHosts", text, "host names such as pacs.example.org or *.example.org, without scheme or port");
        return host;
    }

    private static string ReadOrigin(SettingsReader settings, string text)
    {
        var isOrigin = Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"
            && uri.GetLeftPart(UriPartial.Authority) == text.TrimEnd('/');
        if (!isOrigin)
            settings.AddError("Security:AllowedOrigins", text, "origins such as https://viewer.example: only scheme, host and port");
        return text.TrimEnd('/');
    }

    private static IPNetwork ReadNetwork(SettingsReader settings, string text)
    {
        if (IPNetwork.TryParse(text, out var network)) return network;
        if (IPAddress.TryParse(text, out var address)) return new(address, address.GetAddressBytes().Length * 8);
        settings.AddError("Security:KnownProxies", text, "addresses or networks such as 10.0.0.7 or 10.0.0.0/24");
        return default;
    }
}
