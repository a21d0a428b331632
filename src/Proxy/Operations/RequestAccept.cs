using Proxy.Dicom;

namespace Proxy.Operations;

/// <summary>
/// What a request accepts, by the query parameters <c>accept</c> and <c>charset</c> and the headers behind them (PS3.18 §8.3.3).
/// </summary>
internal static class RequestAccept
{
    private static readonly string[] Utf8Names = ["utf-8", "utf8", "iso_ir 192", "*"];

    /// <summary>The media types that the client accepts; every resource negotiates with these.</summary>
    public static Accept ReadAccept(this HttpRequest request) =>
        Accept.Parse(request.Query.TryGetValue("accept", out var values) ? values.ToString() : null, request.Headers.Accept);

    /// <summary>Why DICOM JSON cannot be the answer: its media type or UTF-8 is not accepted; null when it can.</summary>
    /// <param name="request">Of the client.</param>
    /// <param name="resource">The subject of the sentence, such as "Metadata is".</param>
    public static IResult? RefuseDicomJson(this HttpRequest request, string resource)
    {
        if (!request.ReadAccept().TakesDicomJson) return Problems.NotAcceptable($"{resource} given as application/dicom+json.");
        return TakesUtf8(request) ? null : Problems.NotAcceptable($"{resource} given in the character set UTF-8.");
    }

    /// <summary>DICOM JSON is UTF-8 (PS3.18 §F.2). The query parameter stands before <c>Accept-Charset</c> (PS3.18 §8.8.1).</summary>
    private static bool TakesUtf8(HttpRequest request)
    {
        var isInQuery = request.Query.TryGetValue("charset", out var inQuery);
        if (!isInQuery && request.Headers.AcceptCharset.Count == 0) return true;
        string[] lists = [inQuery.ToString(), request.Headers.AcceptCharset.ToString()];
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
