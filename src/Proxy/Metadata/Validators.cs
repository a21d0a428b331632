namespace Proxy.Metadata;

/// <summary>The validators of a backend's answer (RFC 9110 §8.8), unchanged.</summary>
/// <param name="ETag">With quotes and, if weak, <c>W/</c>; null when missing.</param>
/// <param name="LastModified">The date as received; null when missing.</param>
public sealed record Validators(string? ETag, string? LastModified);
