using System.Net;

namespace Proxy.Security;

/// <summary>The addresses on which the server listens, from all settings that define them.</summary>
internal static class ListenAddresses
{
    /// <summary>The address if no setting defines one.</summary>
    public const string DefaultUrl = "http://127.0.0.1:8080";

    /// <summary>The addresses that other machines can reach.</summary>
    public static IReadOnlyList<string> FindOpenAddresses(IConfiguration settings) =>
        [.. FindAddresses(settings).Where(a => !IsLoopback(a))];

    /// <summary>Whether a setting defines an address.</summary>
    public static bool IsSet(IConfiguration settings) => FindAddresses(settings).Any();

    /// <summary>The host of each listener: a name, an address, <c>*</c> or <c>+</c> for all, <c>localhost</c> for a Unix socket.</summary>
    public static IReadOnlyList<string> FindHosts(IConfiguration settings) =>
        [.. FindAddresses(settings).DefaultIfEmpty(DefaultUrl).Select(GetHost).Distinct()];

    private static string GetHost(string url) => IsUnixSocket(url) ? "localhost" : BindingAddress.Parse(url).Host.Trim('[', ']');

    private static IEnumerable<string> FindAddresses(IConfiguration settings)
    {
        foreach (var endpoint in settings.GetSection("Kestrel:Endpoints").GetChildren())
        {
            if (endpoint["Url"] is { } url) yield return url;
        }
        foreach (var url in (settings["urls"] ?? "").Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
            yield return url;
        if (settings["urls"] is not null) yield break;
        foreach (var (key, scheme) in ((string, string)[])[("http_ports", "http"), ("https_ports", "https")])
        {
            foreach (var port in (settings[key] ?? "").Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
                yield return $"{scheme}://*:{port}";
        }
    }

    private static bool IsLoopback(string url)
    {
        if (IsUnixSocket(url)) return true;
        var host = BindingAddress.Parse(url).Host;
        return host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
            || IPAddress.TryParse(host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address);
    }

    private static bool IsUnixSocket(string url) => url.StartsWith("http://unix:", StringComparison.OrdinalIgnoreCase);
}
