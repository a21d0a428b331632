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

    /// <summary>
    /// Tells browsers to trust the declared content type, to show the answer in no frame, to send its address to no other origin, and to
    /// use TLS from now on if the client does (RFC 6797). Lets pages of other origins embed the answer, such as a picture.
    /// </summary>
    public static void SetBrowserRules(this HttpResponse response)
    {
        var headers = response.Headers;
        headers.XContentTypeOptions = "nosniff";
        headers.ContentSecurityPolicy = "frame-ancestors 'none'";
        headers["Referrer-Policy"] = "same-origin";
        headers["Cross-Origin-Resource-Policy"] = "cross-origin";
        var request = response.HttpContext.Request;
        // Other servers on the same machine may have no TLS.
        if (request.IsHttps && !request.Host.Host.Equals("localhost", StringComparison.OrdinalIgnoreCase))
            headers.StrictTransportSecurity = "max-age=31536000";
    }

    /// <summary>Lets a browser store the answer; the browser must revalidate before each use.</summary>
    public static void SetPrivate(this HttpResponse response) => response.Headers.CacheControl = "private, no-cache";

    /// <summary>Adds a warning as PS3.18 §8.3.4.4 requires. RFC 9111 §5.5 made the header obsolete, but viewers still read it.</summary>
    public static void AddWarning(this HttpResponse response, string text) =>
        response.Headers.Append("Warning", $"299 {Agent} \"{ToQuotable(text)}\"");

    /// <summary>Whether the client asks for an answer from the backends (<c>Cache-Control: no-cache</c>).</summary>
    public static bool BypassesCache(this HttpRequest request) =>
        request.Headers.CacheControl.ToString().Contains("no-cache", StringComparison.OrdinalIgnoreCase);

    /// <summary>Replaces characters that a quoted header value cannot hold: Kestrel fails the whole answer otherwise.</summary>
    private static string ToQuotable(string text) => new([.. text.Select(c => c is < ' ' or > '~' or '"' or '\\' ? '?' : c)]);
}
