using System.Collections.Concurrent;
using Proxy.Dicom;

namespace Proxy.Operations;

/// <summary>
/// The accepted media types and character sets of a request: the query parameters <c>accept</c> and <c>charset</c>, then the
/// headers (PS3.18 §8.3.3).
/// </summary>
internal static class RequestAccept
{
    private const int MaxKnown = 256, MaxKnownLength = 512;

    /// <summary>Parsed headers by their text, because viewers repeat a few headers for every request.</summary>
    private static readonly ConcurrentDictionary<string, Accept> Known = new(StringComparer.Ordinal);

    private static readonly string[] Utf8Names = ["utf-8", "utf8", "iso_ir 192", "*"];

    /// <summary>The media types that the client accepts.</summary>
    public static Accept ReadAccept(this HttpRequest request)
    {
        var header = request.Headers.Accept.ToString();
        if (request.FindParameter("accept") is { } inQuery) return Accept.Parse(inQuery.ToString(), header);
        if (header.Length > MaxKnownLength) return Accept.Parse(header);
        if (Known.TryGetValue(header, out var known)) return known;
        var parsed = Accept.Parse(header);
        if (Known.Count < MaxKnown) Known.TryAdd(header, parsed);
        return parsed;
    }

    /// <summary>Whether datasets are sent as XML, because the client prefers that, or as JSON (PS3.18 §8.7.8.1).</summary>
    /// <param name="request">The client's request.</param>
    /// <param name="resource">The subject of the sentence with its verb, such as "Metadata is".</param>
    /// <param name="isXml">True for XML.</param>
    /// <returns>A 406 problem if the client accepts neither form, or not UTF-8; null otherwise.</returns>
    public static IResult? RefuseDatasets(this HttpRequest request, string resource, out bool isXml)
    {
        var accept = request.ReadAccept();
        isXml = accept.PrefersDicomXml;
        if (!isXml && !accept.AcceptsDicomJson)
            return Problems.NotAcceptable(
                $"{resource} available only as {MediaType.DicomJson} and {MediaType.MultipartRelated}; type=\"{MediaType.DicomXml}\".");
        return TakesUtf8(request) ? null : Problems.NotAcceptable($"{resource} available only in the character set UTF-8.");
    }

    /// <summary>
    /// Whether the client accepts UTF-8, the encoding of DICOM JSON (PS3.18 §F.2). The query parameter takes precedence over
    /// <c>Accept-Charset</c> (PS3.18 §8.8.1).
    /// </summary>
    private static bool TakesUtf8(HttpRequest request)
    {
        var inQuery = request.FindParameter("charset");
        if (inQuery is null && request.Headers.AcceptCharset.Count == 0) return true;
        string[] lists = [inQuery?.ToString() ?? "", request.Headers.AcceptCharset.ToString()];
        var names = lists.SelectMany(l => l.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)).ToList();
        return names.Count == 0 || names.Exists(IsUtf8);
    }

    private static bool IsUtf8(string element)
    {
        var parts = element.Split(';', StringSplitOptions.TrimEntries);
        return Utf8Names.Contains(parts[0].Trim('"'), StringComparer.OrdinalIgnoreCase)
            && !parts.Skip(1).Any(p => p.Replace(" ", "", StringComparison.Ordinal).TrimEnd('0') is "q=" or "q=0." or "Q=" or "Q=0.");
    }
}
