using System.Net;

namespace Proxy.Security;

/// <summary>Where the server listens, by every setting that can say so; and whether that is beyond this machine.</summary>
internal static class Listening
{
    public const string ByDefault = "http://127.0.0.1:8080";

    /// <summary>The addresses that are not loopback: patients' images would be open to whoever reaches them.</summary>
    public static IReadOnlyList<string> FindOpenAddresses(IConfiguration settings) =>
        [.. FindAddresses(settings).Where(a => !IsLoopback(a))];

    public static bool IsSet(IConfiguration settings) => FindAddresses(settings).Any();

    /// <summary>The host of each listener: a name, an address, <c>*</c> or <c>+</c> for all; <c>localhost</c> for a Unix socket.</summary>
    public static IReadOnlyList<string> FindHosts(IConfiguration settings) =>
        [.. FindAddresses(settings).DefaultIfEmpty(ByDefault).Select(GetHost).Distinct()];

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
        return host.Equals("localhost", StringComparison.OrdinalIgnoreCase) || IPAddress.TryParse(host.Trim('[', ']'), out var address)
            && IPAddress.IsLoopback(address);
    }

    private static bool IsUnixSocket(string url) => url.StartsWith("http://unix:", StringComparison.OrdinalIgnoreCase);
}
