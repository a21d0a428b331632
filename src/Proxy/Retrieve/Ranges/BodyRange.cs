namespace Proxy.Retrieve.Ranges;

/// <summary>A contiguous part of a body (RFC 9110 §14.1.2).</summary>
/// <param name="First">The offset of the first byte.</param>
/// <param name="Last">The offset of the last byte, not less than <paramref name="First"/>.</param>
public readonly record struct BodyRange(long First, long Last)
{
    /// <summary>The number of bytes; at least 1.</summary>
    public long Length => Last - First + 1;
}
