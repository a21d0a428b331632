using System.Text.RegularExpressions;

namespace Proxy.Backends.PassThrough;

/// <summary>Replaces a backend's addresses in its text with the proxy's.</summary>
/// <remarks>
/// <code>
/// 1 http://any-host/dicom-web/workitems/1   a URL below the path of its DICOMweb root, on any host; also https, ws and wss
/// 2 http://pacs:8042/instances/1            another URL of its host
/// 3 pacs:8042, pacs.example, 10.0.0.11      its host without a scheme; a host name without a dot only with its port
/// </code>
/// Form 1 becomes a URL below the proxy's root of that backend. Form 2 becomes a URL of the proxy's host, which does not exist
/// there; if the backend's root has no path, form 2 is form 1. JSON may write a slash as <c>\/</c>.
/// </remarks>
/// <param name="destinations">The roots of the backend's destinations.</param>
/// <param name="root">The proxy's root of the backend as the client wrote it; only its path if the request has no Host.</param>
/// <param name="host">The request's Host with its port; empty for none.</param>
internal sealed class BackendAddresses(IEnumerable<Uri> destinations, string root, string host)
{
    private const string Slash = @"\\?/";

    /// <summary>The end of a URL's authority or of a path segment.</summary>
    private const string End = @"(?=[/?#&""'<>\s\\,;)\]}]|$)";

    private readonly Regex _addresses = new(
        string.Join('|', destinations.OrderByDescending(d => d.AbsolutePath.Length).SelectMany(GetPatterns)),
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant);

    /// <summary>Replaces every address of the backend; returns the same instance if no address occurs.</summary>
    public string Rewrite(string text) => _addresses.Replace(text, Replace);

    private string Replace(Match match)
    {
        var isEscaped = match.Value.Contains("\\/", StringComparison.Ordinal);
        var address = match.Groups["root"].Success ? root : match.Groups["origin"].Success ? GetOrigin() : GetHost(match);
        // An event channel has the scheme of a WebSocket: ws for http, wss for https.
        if (match.Groups["socket"].Success && address.StartsWith("http", StringComparison.Ordinal)) address = "ws" + address[4..];
        return isEscaped ? address.Replace("/", "\\/", StringComparison.Ordinal) : address;
    }

    private string GetHost(Match match) =>
        host.Length == 0 ? "proxy" : match.Groups["port"].Success ? host : new Uri("http://" + host).Host;

    private string GetOrigin() => host.Length == 0 ? "" : root[..(root.IndexOf(host, StringComparison.Ordinal) + host.Length)];

    private static IEnumerable<string> GetPatterns(Uri destination)
    {
        var scheme = $"(?:https?|(?<socket>wss?)):{Slash}{Slash}";
        var path = destination.AbsolutePath.TrimEnd('/');
        var anyCasePath = Regex.Escape(path).Replace("/", Slash, StringComparison.Ordinal);
        if (path.Length > 0) yield return $@"(?<root>{scheme}[^/\\\s""'<>]{{1,255}}{anyCasePath}){End}";
        var (name, port) = (Regex.Escape(destination.Host), $"(?<port>:{destination.Port})");
        yield return $@"(?<{(path.Length > 0 ? "origin" : "root")}>{scheme}(?:[^/@\\\s""'<>]{{1,255}}@)?{name}(?::\d{{1,5}})?){End}";
        var isOneWord = !destination.Host.Contains('.', StringComparison.Ordinal) && destination.HostNameType == UriHostNameType.Dns;
        yield return $@"(?<![\w.-]){name}{port}{(isOneWord ? "" : "?")}(?![\w-]|[.:]\w)";
    }
}
