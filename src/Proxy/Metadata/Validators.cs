namespace Proxy.Metadata;

/// <summary>By what a backend tells later whether its answer still holds (RFC 9110 §8.8), in its own words.</summary>
/// <param name="ETag">With quotes and, if weak, <c>W/</c>; null when it gave none.</param>
/// <param name="LastModified">The date as it wrote it; null when it gave none.</param>
public sealed record Validators(string? ETag, string? LastModified);
