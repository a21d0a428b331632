using System.Collections.Immutable;

namespace Proxy.Cache;

/// <summary>One body that is kept in memory, whole, with what its bytes are.</summary>
/// <param name="Head">Media type and transfer syntax as received.</param>
/// <param name="Pieces">The bytes, in arrays as they were filled: sent as they are, never joined.</param>
/// <param name="Length">Of all pieces, in bytes.</param>
/// <param name="Stored">When the last byte came.</param>
/// <param name="IsPrefetched">It came before anybody asked for it.</param>
public sealed record Entry(
    EntryHead Head, ImmutableArray<ReadOnlyMemory<byte>> Pieces, long Length, DateTimeOffset Stored, bool IsPrefetched = false)
{
    /// <summary>Who holds the bytes; null when that is not counted.</summary>
    public BodyUsage? Usage { get; init; }
}

/// <summary>What a body says of itself before its first byte.</summary>
/// <param name="MediaType">Such as <c>application/octet-stream</c> or <c>image/jp2</c>.</param>
/// <param name="TransferSyntax">The UID that came with it; null when none did.</param>
/// <param name="Length">As declared; null when it was not.</param>
public sealed record EntryHead(string MediaType, string? TransferSyntax, long? Length);
