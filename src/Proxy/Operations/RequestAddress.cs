namespace Proxy.Operations;

/// <summary>The proxy's address as the client used it, the base of URLs in answers.</summary>
internal static class RequestAddress
{
    /// <summary>
    /// Scheme, host and base path, such as <c>https://pacs.example</c>. Only the base path if the request has no
    /// <c>Host</c>, as HTTP/1.0 allows; URLs are then relative to the address that the client used (RFC 3986 §4.2).
    /// </summary>
    public static string GetAddress(this HttpRequest request) =>
        request.Host.HasValue
            ? $"{request.Scheme}://{request.Host.ToUriComponent()}{request.PathBase.ToUriComponent()}"
            : request.PathBase.ToUriComponent();
}
