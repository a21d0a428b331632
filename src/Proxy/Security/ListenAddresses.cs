using System.Net;
using System.Net.Sockets;

namespace Proxy.Security;

/// <summary>The addresses on which the server listens, from all settings that define them.</summary>
internal static class ListenAddresses
{
    /// <summary>The address if no setting defines one, and <see cref="DefaultTlsUrl"/> if there is a certificate.</summary>
    public const string DefaultUrl = "http://127.0.0.1:8080";

    private const string DefaultTlsUrl = "https://127.0.0.1:8443";

    /// <summary>The addresses that other machines can reach.</summary>
    public static IReadOnlyList<string> FindOpenAddresses(IConfiguration settings) =>
        [.. FindAddresses(settings).Where(a => !IsLoopback(a))];

    /// <summary>Whether a listener uses TLS.</summary>
    public static bool HasHttps(IConfiguration settings) => FindAddresses(settings)
        .Any(url => url.StartsWith("https://", StringComparison.OrdinalIgnoreCase));

    /// <summary>Whether a listener of clients has this port.</summary>
    public static bool IsUsedByClients(IConfiguration settings, int port) => FindClientAddresses(settings)
        .Any(url => FindError(url) is null && !IsUnixSocket(url) && BindingAddress.Parse(url).Port == port);

    /// <summary>The listener for operators (<c>Security:OperatorPort</c>); null if it is not set or malformed.</summary>
    public static string? FindOperatorAddress(IConfiguration settings)
    {
        if (settings["Security:OperatorPort"] is not { Length: > 0 } text) return null;
        if (!text.Contains("://", StringComparison.Ordinal)) text = $"http://127.0.0.1:{text}";
        return !IsUnixSocket(text) && FindError(text) is null && BindingAddress.Parse(text).Port > 0 ? text : null;
    }

    /// <summary>Tells the server where to listen: the addresses in the settings or the default, and the one for operators.</summary>
    public static void Apply(ConfigurationManager settings)
    {
        var clients = FindClientAddresses(settings).ToList();
        var operators = FindOperatorAddress(settings);
        if (settings.GetSection("Kestrel:Endpoints").GetChildren().Any())
        {
            // They replace the urls.
            if (operators is not null) settings["Kestrel:Endpoints:Operators:Url"] = operators;
        }
        else if (operators is not null || !FindSetAddresses(settings).Any())
        {
            settings["urls"] = string.Join(';', operators is null ? clients : [.. clients, operators]);
        }
    }

    /// <summary>The host of each listener: a name, an address, <c>*</c> or <c>+</c> for all, <c>localhost</c> for a Unix socket.</summary>
    public static IReadOnlyList<string> FindHosts(IConfiguration settings) =>
        [.. FindAddresses(settings).Select(GetHost).Distinct()];

    /// <summary>The port of each listener of clients.</summary>
    public static IReadOnlyList<int> FindPorts(IConfiguration settings) =>
        [.. FindClientAddresses(settings).Select(url => IsUnixSocket(url) ? 0 : BindingAddress.Parse(url).Port)];

    /// <summary>The addresses that are malformed, each with what is allowed.</summary>
    public static IReadOnlyList<(string Url, string Allowed)> FindErrors(IConfiguration settings) =>
        [.. FindAddresses(settings).Where(url => FindError(url) is not null).Select(url => (url, FindError(url)!))];

    /// <summary>Why the server could not listen, with a remedy; null if the failure has another cause.</summary>
    public static string? FindReason(Exception failure, IConfiguration settings)
    {
        for (var cause = failure; cause is not null; cause = cause.InnerException)
        {
            if (cause is not SocketException socket) continue;
            var urls = string.Join(';', FindAddresses(settings));
            return $"urls = \"{urls}\": {Explain(socket.SocketErrorCode)}";
        }
        return null;
    }

    private static string? FindError(string url)
    {
        const string example = "an address such as http://127.0.0.1:8080";
        if (IsUnixSocket(url)) return null;
        try
        {
            var address = BindingAddress.Parse(url);
            if (address.Scheme.ToUpperInvariant() is not ("HTTP" or "HTTPS")) return $"{example}; the scheme is http or https";
            var hasPort = address.Host.StartsWith('[') ? address.Host.EndsWith(']') : !address.Host.Contains(':', StringComparison.Ordinal);
            return hasPort && address.Port is >= 0 and <= IPEndPoint.MaxPort ? null : $"{example}; the port is a number from 0 to 65535";
        }
        catch (FormatException)
        {
            return example;
        }
    }

    private static string Explain(SocketError error) => error switch
    {
        SocketError.AddressAlreadyInUse =>
            "another program listens on this port; stop it, or choose another one: --urls http://127.0.0.1:9090",
        SocketError.AddressNotAvailable => "this machine does not have this address; 127.0.0.1 is always there",
        SocketError.AccessDenied => "this user may not listen on this port; choose one above 1023: --urls http://127.0.0.1:8080",
        _ => $"the operating system refuses to listen there ({error})",
    };

    private static string GetHost(string url) => IsUnixSocket(url) ? "localhost" : BindingAddress.Parse(url).Host.Trim('[', ']');

    private static IEnumerable<string> FindAddresses(IConfiguration settings) =>
        FindOperatorAddress(settings) is { } operators
            ? FindClientAddresses(settings).Append(operators).Distinct()
            : FindClientAddresses(settings);

    private static IEnumerable<string> FindClientAddresses(IConfiguration settings) => FindSetAddresses(settings)
        .DefaultIfEmpty(settings["Security:Tls:Certificate"] is { Length: > 0 } ? DefaultTlsUrl : DefaultUrl);

    private static IEnumerable<string> FindSetAddresses(IConfiguration settings)
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
