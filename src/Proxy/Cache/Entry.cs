using System.Collections.Immutable;

namespace Proxy.Cache;

/// <summary>A complete body in memory.</summary>
/// <param name="Head">Media type and transfer syntax as received.</param>
/// <param name="Pieces">The bytes, in the arrays that received them; sent one by one, never joined.</param>
/// <param name="Length">The sum of all pieces, in bytes.</param>
/// <param name="Stored">The time of the last byte.</param>
/// <param name="IsPrefetched">True when it was fetched before any client asked for it.</param>
public sealed record Entry(
    EntryHead Head, ImmutableArray<ReadOnlyMemory<byte>> Pieces, long Length, DateTimeOffset Stored, bool IsPrefetched = false)
{
    /// <summary>Counts the holders of the bytes; null when they are not counted.</summary>
    public BodyUsage? Usage { get; init; }

    /// <summary>Its length was compared with the metadata. Frames may be cached before their metadata is known.</summary>
    public bool IsVerified { get; set; }
}

/// <summary>The description of a body that precedes its first byte.</summary>
/// <param name="MediaType">Such as <c>application/octet-stream</c> or <c>image/jp2</c>.</param>
/// <param name="TransferSyntax">The transfer syntax UID of the answer; null when it has none.</param>
/// <param name="Length">The declared length in bytes; null when not declared.</param>
public sealed record EntryHead(string MediaType, string? TransferSyntax, long? Length);
