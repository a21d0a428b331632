using Proxy.Wire.Part10;

namespace Proxy.Cache.InMemory;

/// <summary>A body whose bytes are in memory.</summary>
/// <param name="head">Media type, transfer syntax and declared length.</param>
/// <param name="stored">The time of the last byte.</param>
/// <param name="isPrefetched">True when it was fetched before any client asked for it.</param>
/// <param name="pieces">The bytes.</param>
/// <param name="done">Returns the arrays to their pool; null when they are not pooled.</param>
internal sealed class MemoryBody(
    EntryHead head, DateTimeOffset stored, bool isPrefetched, IReadOnlyList<ReadOnlyMemory<byte>> pieces, Action? done = null) : ICachedBody
{
    private Action? _done = done;
    private readonly Entry? _entry;
    private BodyUsage? _usage;
    private int _next;
    private int _skipped;

    /// <summary>Reads an entry; its bytes count as read until the body is disposed.</summary>
    public MemoryBody(Entry entry) : this(entry.Head, entry.Stored, entry.IsPrefetched, entry.Pieces)
    {
        _entry = entry;
        _usage = entry.Usage;
        _usage?.AddReader();
    }

    public EntryHead Head => head;

    public DateTimeOffset? Stored => stored;

    public bool IsPrefetched => isPrefetched;

    /// <summary>The bytes, without a limit on their lifetime; null when the arrays return to a pool on disposal.</summary>
    public IReadOnlyList<ReadOnlyMemory<byte>>? UnpooledPieces => _done is null ? pieces : null;

    public bool IsVerified => _entry?.IsVerified ?? false;

    public void SetVerified()
    {
        if (_entry is not null) _entry.IsVerified = true;
    }

    public long Length => pieces.Sum(p => (long)p.Length);

    public ValueTask<ReadOnlyMemory<byte>> ReadAsync(CancellationToken cancellation)
    {
        while (_next < pieces.Count && pieces[_next].IsEmpty) _next++;
        if (_next == pieces.Count) return default;
        var piece = pieces[_next++][_skipped..];
        _skipped = 0;
        return new(piece);
    }

    public ValueTask MoveToAsync(long offset, CancellationToken cancellation)
    {
        for (_next = 0; _next < pieces.Count && offset >= pieces[_next].Length; _next++) offset -= pieces[_next].Length;
        _skipped = (int)offset;
        return default;
    }

    public ValueTask<T?> InspectAsync<T>(Func<ReadAt, T?> inspect, CancellationToken cancellation) where T : class => new(inspect(ReadAt));

    public int ReadAt(long offset, Span<byte> buffer)
    {
        var count = 0;
        foreach (var range in Slice(offset, buffer.Length))
        {
            range.Span.CopyTo(buffer[count..]);
            count += range.Length;
        }
        return count;
    }

    public ICachedBody Cut(EntryHead cut, IReadOnlyList<(long Offset, long Length)> ranges)
    {
        var body = new MemoryBody(
            cut, stored, isPrefetched, [.. ranges.SelectMany(s => Slice(s.Offset, s.Length))], _done)
        { _usage = _usage };
        (_done, _usage) = (null, null);
        return body;
    }

    public void Dispose()
    {
        Interlocked.Exchange(ref _usage, null)?.RemoveReader();
        Interlocked.Exchange(ref _done, null)?.Invoke();
    }

    private IEnumerable<ReadOnlyMemory<byte>> Slice(long offset, long length)
    {
        foreach (var piece in pieces)
        {
            if (length <= 0) yield break;
            if (offset >= piece.Length)
            {
                offset -= piece.Length;
                continue;
            }
            var count = (int)Math.Min(length, piece.Length - offset);
            yield return piece.Slice((int)offset, count);
            offset = 0;
            length -= count;
        }
    }
}
