using Proxy.Wire.Part10;

namespace Proxy.Cache.InMemory;

/// <summary>A body whose bytes are in memory.</summary>
/// <param name="head">What it is.</param>
/// <param name="stored">When it came.</param>
/// <param name="isPrefetched">Whether that was before anybody asked for it.</param>
/// <param name="pieces">The bytes.</param>
/// <param name="done">Called when nobody needs the pieces any more; null when they are nobody's to give back.</param>
internal sealed class MemoryBody(
    EntryHead head, DateTimeOffset stored, bool isPrefetched, IReadOnlyList<ReadOnlyMemory<byte>> pieces, Action? done = null) : ICachedBody
{
    private Action? _done = done;
    private BodyUsage? _usage;
    private int _next;

    /// <summary>The bytes of an entry; they count as read until it is disposed of.</summary>
    public MemoryBody(Entry entry) : this(entry.Head, entry.Stored, entry.IsPrefetched, entry.Pieces)
    {
        _usage = entry.Usage;
        _usage?.Enter();
    }

    public EntryHead Head => head;

    public DateTimeOffset? Stored => stored;

    public bool IsPrefetched => isPrefetched;

    /// <summary>The bytes, to be used for as long as one likes; null when they are given back with the body.</summary>
    public IReadOnlyList<ReadOnlyMemory<byte>>? Lasting => _done is null ? pieces : null;

    public long Length => pieces.Sum(p => (long)p.Length);

    public ValueTask<ReadOnlyMemory<byte>> ReadAsync(CancellationToken cancellation)
    {
        while (_next < pieces.Count && pieces[_next].IsEmpty) _next++;
        return new(_next < pieces.Count ? pieces[_next++] : default);
    }

    public ValueTask<T?> InspectAsync<T>(Func<ReadAt, T?> look, CancellationToken cancellation) where T : class => new(look(ReadAt));

    public int ReadAt(long offset, Span<byte> room)
    {
        var count = 0;
        foreach (var stretch in Slice(offset, room.Length))
        {
            stretch.Span.CopyTo(room[count..]);
            count += stretch.Length;
        }
        return count;
    }

    public ICachedBody Cut(EntryHead cut, IReadOnlyList<(long Offset, long Length)> stretches)
    {
        var body = new MemoryBody(
            cut, stored, isPrefetched, [.. stretches.SelectMany(s => Slice(s.Offset, s.Length))], _done)
        { _usage = _usage };
        (_done, _usage) = (null, null);
        return body;
    }

    public void Dispose()
    {
        Interlocked.Exchange(ref _usage, null)?.Leave();
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
