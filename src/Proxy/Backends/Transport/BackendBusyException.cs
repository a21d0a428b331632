namespace Proxy.Backends.Transport;

/// <summary>The request got no permit: too many wait for one, or it waited too long. It was not sent.</summary>
/// <param name="detail">Which of the two; for the client.</param>
public sealed class BackendBusyException(string detail) : HttpRequestException(detail);
