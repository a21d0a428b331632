using System.Text.RegularExpressions;

namespace Proxy.Backends.PassThrough;

/// <summary>Finds a backend's addresses in text that it wrote, and puts the proxy's in their place.</summary>
/// <remarks>
/// <code>
/// 1 http://any-host/dicom-web/workitems/1   a URL below the path of its DICOMweb root, whatever host it believes to have
/// 2 http://pacs:8042/instances/1            a URL of its own host
/// 3 pacs:8042, pacs.example, 10.0.0.11      its host without a scheme; a host of one word only with its port
/// </code>
/// The first becomes an address below the proxy's root of that backend, the second one of the proxy's host, where it leads
/// nowhere; where the backend's root has no path the second is the first. JSON may write a slash as <c>\/</c>.
/// </remarks>
/// <param name="destinations">The roots of the backend's destinations.</param>
/// <param name="root">The backend's root as the client addressed it; only its path where the client named no host.</param>
/// <param name="host">The host and port that the client named; empty where it named none.</param>
internal sealed class BackendAddresses(IEnumerable<Uri> destinations, string root, string host)
{
    private const string Slash = @"\\?/";

    /// <summary>What ends a URL's authority or one of its path segments.</summary>
    private const string End = @"(?=[/?#&""'<>\s\\,;)\]}]|$)";

    private readonly Regex _addresses = new(
        string.Join('|', destinations.OrderByDescending(d => d.AbsolutePath.Length).SelectMany(GetPatterns)),
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant);

    /// <summary>The same text without an address of the backend; the same instance when there is none in it.</summary>
    public string Rewrite(string text) => _addresses.Replace(text, Replace);

    private string Replace(Match match)
    {
        var isEscaped = match.Value.Contains("\\/", StringComparison.Ordinal);
        var address = match.Groups["root"].Success ? root : match.Groups["origin"].Success ? Origin() : Host(match);
        return isEscaped ? address.Replace("/", "\\/", StringComparison.Ordinal) : address;
    }

    private string Host(Match match) => host.Length == 0 ? "proxy" : match.Groups["port"].Success ? host : new Uri("http://" + host).Host;

    private string Origin() => host.Length == 0 ? "" : root[..(root.IndexOf(host, StringComparison.Ordinal) + host.Length)];

    private static IEnumerable<string> GetPatterns(Uri destination)
    {
        var scheme = $"https?:{Slash}{Slash}";
        var path = destination.AbsolutePath.TrimEnd('/');
        var anyCasePath = Regex.Escape(path).Replace("/", Slash, StringComparison.Ordinal);
        if (path.Length > 0) yield return $@"(?<root>{scheme}[^/\\\s""'<>]{{1,255}}{anyCasePath}){End}";
        var (name, port) = (Regex.Escape(destination.Host), $"(?<port>:{destination.Port})");
        yield return $@"(?<{(path.Length > 0 ? "origin" : "root")}>{scheme}(?:[^/@\\\s""'<>]{{1,255}}@)?{name}(?::\d{{1,5}})?){End}";
        var isOneWord = !destination.Host.Contains('.', StringComparison.Ordinal) && destination.HostNameType == UriHostNameType.Dns;
        yield return $@"(?<![\w.-]){name}{port}{(isOneWord ? "" : "?")}(?![\w-]|[.:]\w)";
    }
}
