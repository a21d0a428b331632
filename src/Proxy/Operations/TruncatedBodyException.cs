namespace Proxy.Operations;

/// <summary>A started answer cannot be completed. The connection is aborted, so that the client sees a truncated body.</summary>
public sealed class TruncatedBodyException() : IOException("The backend's answer is truncated.");
