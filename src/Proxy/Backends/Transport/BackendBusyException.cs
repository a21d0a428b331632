namespace Proxy.Backends.Transport;

/// <summary>No permit was free in time, or the queue for permits is full. The request was not sent.</summary>
/// <param name="detail">The reason, for the client.</param>
public sealed class BackendBusyException(string detail) : HttpRequestException(detail);
