using System.Globalization;

namespace Proxy.Operations;

/// <summary>The source of an answer, reported in <c>Cache-Status</c> (RFC 9211).</summary>
public enum CacheStatus
{
    /// <summary>Served from the cache, fresh or revalidated.</summary>
    Hit,

    /// <summary>Served from a backend request that another client had started.</summary>
    Collapsed,

    /// <summary>Fetched from a backend for this request.</summary>
    Miss,

    /// <summary>Served from the cache after its freshness lifetime, because the backends could not revalidate it.</summary>
    Stale,
}

/// <summary>The headers of every DICOMweb answer.</summary>
internal static class AnswerHeaders
{
    /// <summary>The name of the proxy in <c>Warning</c> headers.</summary>
    public const string Agent = "Proxy";

    /// <summary>The header that lists the backends that did not answer, for viewers that cannot read <c>Warning</c>.</summary>
    public const string FailedBackends = "X-Failed-Backends";

    /// <summary>Tells browsers to trust the declared content type, and lets pages of other origins embed the answer.</summary>
    public static void SetBrowserRules(this HttpResponse response)
    {
        response.Headers.XContentTypeOptions = "nosniff";
        response.Headers["Cross-Origin-Resource-Policy"] = "cross-origin";
    }

    /// <summary>Sets <c>Cache-Status</c> (RFC 9211).</summary>
    /// <param name="response">The answer to the client.</param>
    /// <param name="status">The source of the answer.</param>
    /// <param name="isStored">On a miss: whether the answer is stored in the cache.</param>
    /// <param name="isPrefetched">On a hit: whether a prefetch stored the entry before any client requested it.</param>
    public static void SetCacheStatus(this HttpResponse response, CacheStatus status, bool isStored = true, bool isPrefetched = false) =>
        response.Headers["Cache-Status"] = status switch
        {
            CacheStatus.Hit => isPrefetched ? "Proxy; hit; detail=prefetched" : "Proxy; hit",
            CacheStatus.Collapsed => "Proxy; hit; collapsed",
            CacheStatus.Stale => "Proxy; fwd=stale",
            _ => isStored ? "Proxy; fwd=miss; stored" : "Proxy; fwd=miss",
        };

    /// <summary>Sets <c>Age</c> in whole seconds (RFC 9111 §5.1).</summary>
    public static void SetAge(this HttpResponse response, TimeSpan age) =>
        response.Headers.Age = ((long)age.TotalSeconds).ToString(CultureInfo.InvariantCulture);

    /// <summary>Sets <c>Server-Timing</c> with the time that the backends took, in milliseconds.</summary>
    public static void SetServerTiming(this HttpResponse response, TimeSpan backend) =>
        response.Headers["Server-Timing"] = string.Create(CultureInfo.InvariantCulture, $"backend;dur={backend.TotalMilliseconds:F1}");

    /// <summary>Lets a browser store the answer; the browser must revalidate before each use.</summary>
    public static void SetPrivate(this HttpResponse response) => response.Headers.CacheControl = "private, no-cache";

    /// <summary>Adds a warning as PS3.18 §8.3.4.4 requires. RFC 9111 §5.5 made the header obsolete, but viewers still read it.</summary>
    public static void AddWarning(this HttpResponse response, string text) =>
        response.Headers.Append("Warning", $"299 {Agent} \"{ToQuotable(text)}\"");

    /// <summary>
    /// Sets <c>ETag</c>. If the client has this version, also sets status 304; the caller then writes no body
    /// (RFC 9110 §13.1.2, weak comparison).
    /// </summary>
    /// <param name="context">The client's request and the answer.</param>
    /// <param name="etag">The tag of the answer; null when it has none.</param>
    /// <param name="alternative">The tag of an equivalent answer that the client may have.</param>
    /// <returns>Whether the client has the answer or its equivalent.</returns>
    public static bool IsNotModified(this HttpContext context, string? etag, string? alternative = null)
    {
        if (etag is null) return false;
        context.Response.Headers.ETag = etag;
        if (context.Request.Headers.IfNoneMatch is not { Count: > 0 } header) return false;
        var known = header.ToString().Split(',', StringSplitOptions.TrimEntries);
        if (!known.Any(t => t == "*" || RemoveWeakPrefix(t) == RemoveWeakPrefix(etag)))
        {
            if (alternative is null || !known.Any(t => RemoveWeakPrefix(t) == RemoveWeakPrefix(alternative))) return false;
            context.Response.Headers.ETag = alternative;
        }
        context.Response.StatusCode = StatusCodes.Status304NotModified;
        return true;
    }

    /// <summary>Whether the client asks for an answer from the backends (<c>Cache-Control: no-cache</c>).</summary>
    public static bool BypassesCache(this HttpRequest request) =>
        request.Headers.CacheControl.ToString().Contains("no-cache", StringComparison.OrdinalIgnoreCase);

    /// <summary>Replaces characters that a quoted header value cannot hold: Kestrel fails the whole answer otherwise.</summary>
    private static string ToQuotable(string text) => new([.. text.Select(c => c is < ' ' or > '~' or '"' or '\\' ? '?' : c)]);

    private static string RemoveWeakPrefix(string etag) => etag.StartsWith("W/", StringComparison.Ordinal) ? etag[2..] : etag;
}
