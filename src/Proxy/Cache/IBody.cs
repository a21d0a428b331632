using Proxy.Wire.Part10;

namespace Proxy.Cache;

/// <summary>A body that leaves piece by piece, once, from its beginning: kept in memory, kept on disk, or on its way.</summary>
public interface IBody : IDisposable
{
    public EntryHead Head { get; }

    /// <summary>When it came; null while it is on its way.</summary>
    public DateTimeOffset? Stored { get; }

    /// <summary>It is kept and came before anybody asked for it; so it is for as long as it is kept.</summary>
    public bool IsPrefetched { get; }

    /// <summary>The next bytes, to be used before the next call; empty at the end.</summary>
    /// <exception cref="Operations.BrokenBodyException">What came is not whole: the client's connection has to break, too.</exception>
    public ValueTask<ReadOnlyMemory<byte>> ReadAsync(CancellationToken cancellation);
}

/// <summary>A body that is here, whole: any part of it can be looked at.</summary>
public interface ICachedBody : IBody
{
    public long Length { get; }

    /// <summary>
    /// Copies what stands at a place, as much as there is room for. It may wait for the disk: call it within
    /// <see cref="InspectAsync"/>, or where the disk may be waited for.
    /// </summary>
    /// <returns>The number of bytes; 0 behind the end.</returns>
    public int ReadAt(long offset, Span<byte> room);

    /// <summary>Runs what looks at any part of it, away from the caller's thread when it is on disk.</summary>
    /// <returns>What <paramref name="look"/> gave; null too when the disk failed or did not answer in time.</returns>
    public ValueTask<T?> InspectAsync<T>(Func<ReadAt, T?> look, CancellationToken cancellation) where T : class;

    /// <summary>Some stretches of it as a body of its own, in place of the whole.</summary>
    public ICachedBody Cut(EntryHead head, IReadOnlyList<(long Offset, long Length)> stretches);
}
