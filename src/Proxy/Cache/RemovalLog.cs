namespace Proxy.Cache;

/// <summary>The latest removals: what was read before or during one may be removed data.</summary>
internal sealed class RemovalLog
{
    /// <summary>The number of removals that are kept; after more, every key counts as removed.</summary>
    private const int MaxKept = 256;

    private readonly Lock _lock = new();
    private readonly List<Removal> _running = [];
    private readonly Queue<Removal> _ended = new();
    private int _count;

    /// <summary>The number of ended removals.</summary>
    public int Count
    {
        get
        {
            lock (_lock) return _count;
        }
    }

    /// <summary>Begins a removal, before any entry is removed.</summary>
    /// <returns>What counts as removed, for <see cref="End"/>: of an instance everything, because one body is made of another.</returns>
    public Removal Begin(Removal removal)
    {
        var whole = removal with { Representation = null, Path = null };
        lock (_lock) _running.Add(whole);
        return whole;
    }

    /// <summary>Ends a removal, once its entries are not found any more.</summary>
    /// <param name="removal">The value of <see cref="Begin"/>.</param>
    public void End(Removal removal)
    {
        lock (_lock)
        {
            _running.Remove(removal);
            _ended.Enqueue(removal);
            if (_ended.Count > MaxKept) _ended.Dequeue();
            _count++;
        }
    }

    /// <summary>True when a removal that selects the key is running, or may have ended since.</summary>
    /// <param name="key">The key.</param>
    /// <param name="count">The value of <see cref="Count"/> then.</param>
    public bool HasSince(EntryKey key, int count)
    {
        lock (_lock)
        {
            var since = _count - count;
            return since > _ended.Count || _running.Exists(removal => removal.Matches(key))
                || _ended.Skip(_ended.Count - since).Any(removal => removal.Matches(key));
        }
    }
}
