using System.Diagnostics.CodeAnalysis;

namespace Proxy.Cache.InMemory;

/// <summary>What is kept in memory, under a budget of real bytes.</summary>
/// <remarks>
/// Bytes in flight (<see cref="InFlight"/>) are within the same budget: while they are many, less is kept.
/// <para/>
/// What was asked for once must not throw out what is asked for again and again, such as when one large study is
/// scrolled through; and what nobody asked for yet must throw out neither. So there are three parts, each of which lets
/// the least recently used leave first:
/// <code>
/// new ───────────→ recent ──(found again)──→ proven
///                  what proven leaves,       three quarters at most
///                  a quarter at least
///                    ↑
///                 (found)
///                    │
/// fetched ahead ─→ ahead
///                  what the others leave free, a quarter at most
/// </code>
/// </remarks>
public sealed class MemoryTier : IDisposable
{
    /// <summary>What a key, the cache's own entry and the objects around a body take, in bytes, nearly.</summary>
    private const int Overhead = 512;

    private readonly MemoryPart _recent;
    private readonly MemoryPart _proven;
    private readonly MemoryPart _ahead;

    /// <summary>Held by whoever takes up free room: recent and ahead have one budget.</summary>
    private readonly Lock _taking = new();

    private volatile bool _hasPrefetched;
    private long _maxBytes;
    private long _evictions;

    public MemoryTier(long maxBytes, TimeProvider time)
    {
        _maxBytes = maxBytes;
        _recent = new(maxBytes, time, NoteEvicted);
        _proven = new(maxBytes / 4 * 3, time, NoteEvicted);
        _ahead = new(maxBytes / 4, time, NoteEvicted);
        InFlight = new(maxBytes);
        InFlight.Reserved += MakeRoomForFlight;
    }

    /// <summary>What is held beside the tier, out of the same budget.</summary>
    public InFlightBytes InFlight { get; }

    public long MaxBytes => Volatile.Read(ref _maxBytes);

    /// <summary>The largest thing that is kept: one that is larger would throw out too much of the rest.</summary>
    public long MaxEntryBytes => Math.Min(MaxBytes / 8, 512L << 20);

    /// <summary>How many things are held: bodies, and what was made of them.</summary>
    public long Entries => _recent.Count + _proven.Count + _ahead.Count;

    /// <summary>Of them all.</summary>
    public long Bytes => _recent.Bytes + _proven.Bytes + _ahead.Bytes;

    /// <summary>Of what was fetched ahead and nobody asked for yet.</summary>
    public long PrefetchedBytes => _ahead.Bytes;

    /// <summary>Things that left because others needed the room.</summary>
    public long Evictions => Interlocked.Read(ref _evictions);

    /// <summary>Told of the key of whatever left because others needed the room.</summary>
    public event Action<object>? Evicted;

    /// <summary>Told of the key of what was fetched ahead when it is found for the first time.</summary>
    public event Action<object>? FirstUsed;

    public bool TryFind<T>(object key, [NotNullWhen(true)] out T? value) where T : class
    {
        value = Find(key) as T;
        return value is not null;
    }

    /// <summary>The same without using it: nothing moves, and it leaves no later.</summary>
    public bool TryPeek<T>(object key, [NotNullWhen(true)] out T? value) where T : class
    {
        value = (_proven.Peek(key) ?? _recent.Peek(key) ?? _ahead.Peek(key))?.Value as T;
        return value is not null;
    }

    /// <summary>Keeps a value; for ever, as the budget goes, or for a lifetime.</summary>
    /// <param name="key">By which it is found.</param>
    /// <param name="value">What is found.</param>
    /// <param name="bytes">What it takes.</param>
    /// <param name="lifetime">After that it is not found any more; null for no such end.</param>
    /// <returns>False when it is too large to be kept.</returns>
    public bool Add(object key, object value, long bytes, TimeSpan? lifetime = null)
    {
        if (bytes > MaxEntryBytes || lifetime <= TimeSpan.Zero) return false;
        var usage = (value as Entry)?.Usage;
        lock (_taking)
        {
            // From here on its bytes are the tier's, and make no room for themselves.
            usage?.Keep();
            if (_hasPrefetched) _ahead.Remove(key);
            _proven.Remove(key);
            AddRecent(key, new(value, bytes + Overhead, _recent.Now + lifetime));
            usage?.Drop();
        }
        return true;
    }

    /// <summary>Keeps a value that nobody asked for yet, as long as nobody needs the room for one that somebody asked for.</summary>
    /// <returns>False when there is no room for it.</returns>
    public bool AddPrefetched(object key, object value, long bytes)
    {
        if (bytes > MaxEntryBytes) return false;
        var usage = (value as Entry)?.Usage;
        lock (_taking)
        {
            if (_proven.Peek(key) is not null || _recent.Peek(key) is not null) return true;
            usage?.Keep();
            try
            {
                var max = GetMaxPrefetchedBytes();
                if (bytes + Overhead > max) return false;
                _hasPrefetched = true;
                _ahead.Resize(max);
                _ahead.Add(key, new(value, bytes + Overhead, null));
            }
            finally
            {
                usage?.Drop();
            }
        }
        return true;
    }

    /// <summary>Whether so many bytes can be fetched ahead and nothing leaves for them, not even what was fetched ahead.</summary>
    public bool HasRoomForPrefetched(long bytes) => bytes <= MaxEntryBytes && _ahead.Bytes + bytes + Overhead <= GetMaxPrefetchedBytes();

    public void Remove(object key)
    {
        _ahead.Remove(key);
        _recent.Remove(key);
        _proven.Remove(key);
    }

    /// <summary>Removes whatever has such a key. Looks at every key: for what happens seldom.</summary>
    public void RemoveWhere(Func<object, bool> isMeant)
    {
        foreach (var key in _ahead.Keys.Concat(_recent.Keys).Concat(_proven.Keys).Where(isMeant).ToList()) Remove(key);
    }

    /// <summary>Every value of a kind, without using it: for whoever looks at the tier as a whole.</summary>
    public IEnumerable<(TKey Key, TValue Value)> ReadAll<TKey, TValue>() where TValue : class =>
        from held in _ahead.Held.Concat(_recent.Held).Concat(_proven.Held)
        where held is { Key: TKey, Value.Value: TValue }
        select ((TKey)held.Key, (TValue)held.Value.Value);

    /// <summary>Takes a new budget; what is over it leaves.</summary>
    public void Resize(long maxBytes)
    {
        lock (_taking)
        {
            Volatile.Write(ref _maxBytes, maxBytes);
            InFlight.Resize(maxBytes);
            Fit();
        }
    }

    public void Dispose()
    {
        _recent.Dispose();
        _proven.Dispose();
        _ahead.Dispose();
    }

    private object? Find(object key)
    {
        if (_proven.Find(key) is { } proven) return proven.Value;
        if (_recent.Find(key) is not { } found) return _hasPrefetched ? FindPrefetched(key) : null;
        // Its bytes are counted in one part at a time.
        _recent.Remove(key);
        _proven.Resize(ProvenRoom());
        _proven.Add(key, found);
        _recent.Resize(RecentRoom());
        if (_hasPrefetched) _ahead.Resize(GetMaxPrefetchedBytes());
        return found.Value;
    }

    /// <summary>What was fetched ahead is asked for: from now on it is like what was fetched because of that.</summary>
    private object? FindPrefetched(object key)
    {
        Slot? found;
        lock (_taking)
        {
            found = _ahead.Find(key);
            // Another client may have been here a moment ago.
            if (found is null) return _recent.Find(key)?.Value;
            _ahead.Remove(key);
            AddRecent(key, found);
        }
        FirstUsed?.Invoke(key);
        return found.Value;
    }

    /// <summary>What was fetched ahead leaves first.</summary>
    private void AddRecent(object key, Slot slot)
    {
        if (_hasPrefetched)
        {
            _ahead.Resize(GetMaxPrefetchedBytes(slot.Bytes));
            _hasPrefetched = !_ahead.IsEmpty;
        }
        _recent.Resize(RecentRoom());
        _recent.Add(key, slot);
    }

    /// <summary>What is not in flight, in bytes.</summary>
    private long Room() => Math.Max(MaxBytes - InFlight.Bytes, 0);

    private long ProvenRoom() => Math.Min(MaxBytes / 4 * 3, Room());

    private long RecentRoom() => Math.Max(Room() - _proven.Bytes, 0);

    private long GetMaxPrefetchedBytes(long coming = 0) => Math.Clamp(Room() - _recent.Bytes - _proven.Bytes - coming, 0, MaxBytes / 4);

    private void MakeRoomForFlight()
    {
        if (Bytes <= Room()) return;
        lock (_taking) Fit();
    }

    /// <summary>Lets go of what is over the budget; what was fetched ahead first. Call under the lock.</summary>
    private void Fit()
    {
        _proven.Resize(ProvenRoom());
        _ahead.Resize(GetMaxPrefetchedBytes());
        _recent.Resize(RecentRoom());
        _ahead.Resize(GetMaxPrefetchedBytes());
    }

    private void NoteEvicted(object key)
    {
        Interlocked.Increment(ref _evictions);
        Evicted?.Invoke(key);
    }
}
