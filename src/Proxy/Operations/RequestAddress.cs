namespace Proxy.Operations;

/// <summary>The address that a client used for the proxy, which URLs in answers begin with.</summary>
internal static class RequestAddress
{
    /// <summary>
    /// Scheme, host and base path, such as <c>https://pacs.example</c>. Without a host, as HTTP/1.0 allows, the base path
    /// alone: the URLs are then relative to the address that the client used (RFC 3986 §4.2).
    /// </summary>
    public static string GetAddress(this HttpRequest request) =>
        request.Host.HasValue
            ? $"{request.Scheme}://{request.Host.ToUriComponent()}{request.PathBase.ToUriComponent()}"
            : request.PathBase.ToUriComponent();
}
