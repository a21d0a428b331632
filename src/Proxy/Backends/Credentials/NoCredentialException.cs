namespace Proxy.Backends.Credentials;

/// <summary>The proxy has no credential for a request to a backend. The request was not sent.</summary>
/// <param name="detail">The reason, for the client; it names no address and no secret.</param>
/// <param name="isOfCaller">Whether the caller has no token to forward: this says nothing about the backend.</param>
public sealed class NoCredentialException(string detail, bool isOfCaller) : HttpRequestException(detail)
{
    /// <summary>Whether the caller has no token to forward.</summary>
    public bool IsOfCaller { get; } = isOfCaller;
}
