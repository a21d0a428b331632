using Proxy.Wire.Part10;

namespace Proxy.Cache;

/// <summary>A body that is read once, forwards and piece by piece: from memory, from disk, or while it arrives.</summary>
public interface IBody : IDisposable
{
    /// <summary>Media type, transfer syntax and declared length.</summary>
    public EntryHead Head { get; }

    /// <summary>The time of the last byte; null while the body is arriving.</summary>
    public DateTimeOffset? Stored { get; }

    /// <summary>True when the cached body was fetched before any client asked for it; never changes for an entry.</summary>
    public bool IsPrefetched { get; }

    /// <summary>The next bytes, valid until the next call; empty at the end.</summary>
    /// <exception cref="Operations.TruncatedBodyException">
    /// The body is truncated or damaged: cut the client's connection as well.
    /// </exception>
    public ValueTask<ReadOnlyMemory<byte>> ReadAsync(CancellationToken cancellation);

    /// <summary>Continues at an offset, without reading the bytes before it.</summary>
    /// <param name="offset">Within the body, and not before the bytes that were read: a body in flight drops these.</param>
    /// <param name="cancellation">Cancelled when the client disconnects.</param>
    /// <exception cref="Operations.TruncatedBodyException">The stored body is damaged.</exception>
    public ValueTask MoveToAsync(long offset, CancellationToken cancellation);
}

/// <summary>A complete body with random access.</summary>
public interface ICachedBody : IBody
{
    /// <summary>The length in bytes.</summary>
    public long Length { get; }

    /// <summary>Its length was compared with the metadata, in this or an earlier request.</summary>
    public bool IsVerified { get; }

    /// <summary>Remembers that for as long as the body is in memory.</summary>
    public void SetVerified();

    /// <summary>
    /// Copies bytes from an offset into the buffer. It may block on the disk: call it within <see cref="InspectAsync"/>, or on a thread
    /// that may block.
    /// </summary>
    /// <returns>The number of bytes copied; 0 past the end.</returns>
    public int ReadAt(long offset, Span<byte> buffer);

    /// <summary>Runs a function with random access to the body; off the caller's thread when the body is on disk.</summary>
    /// <returns>The result of <paramref name="inspect"/>; null also when the disk fails or times out.</returns>
    public ValueTask<T?> InspectAsync<T>(Func<ReadAt, T?> inspect, CancellationToken cancellation) where T : class;

    /// <summary>Replaces the whole body by some ranges of it; the new body owns the resources.</summary>
    public ICachedBody Cut(EntryHead head, IReadOnlyList<(long Offset, long Length)> ranges);
}
