namespace Proxy.Backends.Transport;

/// <summary>As many requests wait for the backend as may: this one was not sent.</summary>
public sealed class BackendBusyException() : HttpRequestException("too many requests wait for it already");
