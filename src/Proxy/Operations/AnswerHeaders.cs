using System.Globalization;

namespace Proxy.Operations;

/// <summary>Where an answer came from, as <c>Cache-Status</c> says it (RFC 9211).</summary>
public enum CacheStatus
{
    /// <summary>Kept, and fresh or confirmed.</summary>
    Hit,

    /// <summary>Another client's request was already asking for it.</summary>
    Collapsed,

    /// <summary>Asked for now.</summary>
    Miss,

    /// <summary>Kept and old: the backends could not confirm it.</summary>
    Stale,
}

/// <summary>The headers that every DICOMweb answer carries.</summary>
internal static class AnswerHeaders
{
    /// <summary>The name under which the proxy speaks of itself.</summary>
    public const string Agent = "Proxy";

    /// <summary>Names the backends that did not answer, for a viewer that cannot read <c>Warning</c>.</summary>
    public const string FailedBackends = "X-Failed-Backends";

    /// <summary>On every answer: a browser takes its type as it is named, and pages of other origins may embed it.</summary>
    public static void SetBrowserRules(this HttpResponse response)
    {
        response.Headers.XContentTypeOptions = "nosniff";
        response.Headers["Cross-Origin-Resource-Policy"] = "cross-origin";
    }

    /// <param name="response">To the client.</param>
    /// <param name="status">Where it came from.</param>
    /// <param name="isStored">What was asked for now is kept.</param>
    /// <param name="isPrefetched">What is kept came before anybody asked for it.</param>
    public static void SetCacheStatus(this HttpResponse response, CacheStatus status, bool isStored = true, bool isPrefetched = false) =>
        response.Headers["Cache-Status"] = status switch
        {
            CacheStatus.Hit => isPrefetched ? "Proxy; hit; detail=prefetched" : "Proxy; hit",
            CacheStatus.Collapsed => "Proxy; hit; collapsed",
            CacheStatus.Stale => "Proxy; fwd=stale",
            _ => isStored ? "Proxy; fwd=miss; stored" : "Proxy; fwd=miss",
        };

    public static void SetAge(this HttpResponse response, TimeSpan age) =>
        response.Headers.Age = ((long)age.TotalSeconds).ToString(CultureInfo.InvariantCulture);

    public static void SetServerTiming(this HttpResponse response, TimeSpan backend) =>
        response.Headers["Server-Timing"] = string.Create(CultureInfo.InvariantCulture, $"backend;dur={backend.TotalMilliseconds:F1}");

    /// <summary>A browser may keep it and has to ask whether it still holds.</summary>
    public static void SetPrivate(this HttpResponse response) => response.Headers.CacheControl = "private, no-cache";

    /// <summary>A warning as PS3.18 §8.3.4.4 asks for; RFC 9111 §5.5 no longer defines the header, viewers still read it.</summary>
    public static void AddWarning(this HttpResponse response, string text) =>
        response.Headers.Append("Warning", $"299 {Agent} \"{Quotable(text)}\"");

    /// <summary>
    /// Sets the tag and says whether the client has this version: then 304 is set and nothing more is to be written
    /// (RFC 9110 §13.1.2, weak comparison).
    /// </summary>
    /// <param name="context">The client.</param>
    /// <param name="etag">Of what it would get.</param>
    /// <param name="alternative">Of what would do as well if it has that.</param>
    public static bool IsNotModified(this HttpContext context, string etag, string? alternative = null)
    {
        context.Response.Headers.ETag = etag;
        if (context.Request.Headers.IfNoneMatch is not { Count: > 0 } header) return false;
        var known = header.ToString().Split(',', StringSplitOptions.TrimEntries);
        if (!known.Any(t => t == "*" || Strong(t) == Strong(etag)))
        {
            if (alternative is null || !known.Any(t => Strong(t) == Strong(alternative))) return false;
            context.Response.Headers.ETag = alternative;
        }
        context.Response.StatusCode = StatusCodes.Status304NotModified;
        return true;
    }

    public static bool BypassesCache(this HttpRequest request) =>
        request.Headers.CacheControl.ToString().Contains("no-cache", StringComparison.OrdinalIgnoreCase);

    /// <summary>A header takes no other characters, and the server refuses the whole answer for one.</summary>
    private static string Quotable(string text) => new([.. text.Select(c => c is < ' ' or > '~' or '"' or '\\' ? '?' : c)]);

    private static string Strong(string etag) => etag.StartsWith("W/", StringComparison.Ordinal) ? etag[2..] : etag;
}
