using System.Net;
using Proxy.Identity;
using Proxy.Operations;

namespace Proxy.Security;

/// <summary>The settings of access to the proxy.</summary>
/// <param name="Identity">How users authenticate.</param>
/// <param name="AllowAnonymous">Whether the proxy may listen beyond loopback without authentication; false by default.</param>
/// <param name="AllowedHosts">
/// Further host names that the proxy serves, see <see cref="KnownHosts"/>; <c>*.example.org</c> for every subdomain.
/// </param>
/// <param name="AllowedOrigins">Origins, besides this machine, whose pages may read answers and change state.</param>
/// <param name="KnownProxies">Networks whose <c>Forwarded</c> and <c>X-Forwarded-*</c> headers are trusted.</param>
public sealed record SecurityOptions(
    IdentityOptions Identity, bool AllowAnonymous, IReadOnlyList<string> AllowedHosts, IReadOnlyList<string> AllowedOrigins,
    IReadOnlyList<IPNetwork> KnownProxies)
{
    /// <summary>The way that users authenticate.</summary>
    public AuthenticationKind Authentication { get; } = Identity.Authentication;

    /// <summary>The certificate of https listeners; null if they have their own, or if there are none. Read at start.</summary>
    public PemFiles? Tls { get; init; }

    /// <summary>How much one user may ask for. Read at start.</summary>
    public RateLimits RateLimits { get; init; } = RateLimits.None;

    /// <summary>
    /// The only listener for operators, such as <c>http://127.0.0.1:9090</c>; null if all listeners serve them. Read at start.
    /// </summary>
    public string? OperatorAddress { get; init; }

    /// <summary>Reads the section <c>Security</c>.</summary>
    public static SecurityOptions Read(SettingsReader settings)
    {
        settings.ReportUnknown(
            "Security",
            [
                .. IdentityOptions.Keys, "AllowAnonymous", "AllowedHosts", "AllowedOrigins", "KnownProxies", "Tls", "RateLimits",
                "OperatorPort", "Access",
            ]);
        return new(
            IdentityOptions.Read(settings),
            settings.ReadFlag("Security:AllowAnonymous", false),
            [.. settings.ReadList("Security:AllowedHosts").Select(h => ReadHost(settings, h))],
            [.. settings.ReadList("Security:AllowedOrigins").Select(o => ReadOrigin(settings, o))],
            settings.ReadNetworks("Security:KnownProxies"))
        {
            Tls = ReadTls(settings),
            RateLimits = ReadRateLimits(settings),
            OperatorAddress = ReadOperatorAddress(settings),
        };
    }

    private static PemFiles? ReadTls(SettingsReader settings)
    {
        const string key = "Security:Tls";
        settings.ReportUnknown(key, "Certificate", "Key", "KeyPassword", "KeyPasswordFile");
        var files = PemFiles.Read(settings, key, isRequired: settings.ReadNames(key).Any());
        if (files is null) return null;
        if (!ListenAddresses.HasHttps(settings.Configuration))
            settings.AddError($"{key}:Certificate", files.Certificate, "no listener uses https: set urls, such as https://0.0.0.0:8443");
        var endpoints = settings.Configuration.GetSection("Kestrel:Endpoints").GetChildren();
        var hasOther = settings.Configuration.GetSection("Kestrel:Certificates").Exists()
            || endpoints.Any(endpoint => endpoint.GetSection("Certificate").Exists());
        if (hasOther) settings.AddError($"{key}:Certificate", files.Certificate, "either this or the certificates of Kestrel, not both");
        return files;
    }

    private static RateLimits ReadRateLimits(SettingsReader settings)
    {
        const string key = "Security:RateLimits";
        const int max = 1_000_000;
        settings.ReportUnknown(key, "RequestsPerSecond", "Burst", "Concurrency");
        var none = RateLimits.None;
        return new(
            (int)settings.ReadNumber($"{key}:RequestsPerSecond", none.RequestsPerSecond, 0, max),
            (int)settings.ReadNumber($"{key}:Burst", none.Burst, 1, max),
            (int)settings.ReadNumber($"{key}:Concurrency", none.Concurrency, 0, max));
    }

    private static string? ReadOperatorAddress(SettingsReader settings)
    {
        const string key = "Security:OperatorPort";
        if (settings.FindText(key) is not { } text) return null;
        if (ListenAddresses.FindOperatorAddress(settings.Configuration) is not { } url)
        {
            settings.AddError(key, text, "a port from 1 to 65535 on loopback, or an address with a port such as https://10.0.0.5:9090");
            return null;
        }
        if (ListenAddresses.IsUsedByClients(settings.Configuration, BindingAddress.Parse(url).Port))
            settings.AddError(key, text, "another port than those of clients");
        return url;
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
}
