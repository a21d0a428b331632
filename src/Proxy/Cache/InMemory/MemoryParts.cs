using System.Diagnostics.CodeAnalysis;
using Proxy.Identity;

namespace Proxy.Cache.InMemory;

/// <summary>Everything that is cached in memory, bodies and answers, under one byte budget.</summary>
/// <remarks>
/// <see cref="MemoryTier"/> gives access to the bodies and <see cref="AnswerCache"/> to the rest, each by typed keys. They share the budget
/// and the order of eviction, so neither needs a share of its own. Bytes in flight (<see cref="InFlight"/>) share the budget too: the parts
/// shrink as they grow.
/// <para/>
/// Entries used once, such as one large study being scrolled, must not evict entries used repeatedly, and prefetched entries must
/// evict neither. So there are three parts, each of which evicts its least recently used entries, of several users those of the user with
/// the most bytes (<see cref="FairEviction"/>):
/// <code>
/// new ─────────→ recent ──(second hit)──→ proven
///                the rest of proven,      at most three quarters
///                at least a quarter
///                  ↑
///              (first hit)
///                  │
/// prefetched ─→ prefetched
///                the rest of both, at most a quarter
/// </code>
/// </remarks>
public sealed class MemoryParts : IDisposable
{
    /// <summary>The approximate size of a key, the slot and the objects around a body, in bytes.</summary>
    private const int Overhead = 512;

    private readonly TimeProvider _time;
    private readonly MemoryPart _recent, _proven, _prefetched;
    /// <summary>Serializes changes to recent and prefetched, which share one budget.</summary>
    private readonly Lock _resizing = new();

    private volatile bool _hasPrefetched;

    /// <summary>Odd while an entry moves from one part to another: a look-up without the lock may then miss it.</summary>
    private int _moves;

    private long _maxBytes;
    private long _evictions;

    /// <summary>Creates the parts with a budget in bytes; in-flight bytes are part of it.</summary>
    public MemoryParts(long maxBytes, TimeProvider time)
    {
        _maxBytes = maxBytes;
        _time = time;
        _recent = new(maxBytes, time, CountEviction);
        _proven = new(maxBytes / 4 * 3, time, CountEviction);
        _prefetched = new(maxBytes / 4, time, CountEviction);
        InFlight = new(maxBytes);
        InFlight.Reserved += EvictForInFlight;
    }

    /// <summary>The bytes in memory outside the parts, within the same budget.</summary>
    public InFlightBytes InFlight { get; }

    /// <summary>The budget in bytes, in-flight bytes included.</summary>
    public long MaxBytes => Volatile.Read(ref _maxBytes);

    /// <summary>The largest entry accepted: an eighth of the budget, at most 512 MiB. A larger one would evict too many others.</summary>
    public long MaxEntryBytes => Math.Min(MaxBytes / 8, 512L << 20);

    /// <summary>The number of entries: bodies, and values derived from them.</summary>
    public long Entries => _recent.Count + _proven.Count + _prefetched.Count;

    /// <summary>The size of all entries, in bytes.</summary>
    public long Bytes => RequestedBytes + _prefetched.Bytes;

    /// <summary>The size of the prefetched entries that no client has requested yet, in bytes.</summary>
    public long PrefetchedBytes => _prefetched.Bytes;

    /// <summary>The number of entries evicted to make room for others.</summary>
    public long Evictions => Interlocked.Read(ref _evictions);

    /// <summary>Raised with the key of an entry evicted to make room for others.</summary>
    public event Action<object>? Evicted;

    /// <summary>Raised with the key of a prefetched entry on its first hit.</summary>
    public event Action<object>? FirstUsed;

    /// <summary>Finds a value and marks it as used.</summary>
    public bool TryFind<T>(object key, [NotNullWhen(true)] out T? value) where T : class
    {
        value = Find(key) as T;
        return value is not null;
    }

    /// <summary>Finds a value without marking it as used.</summary>
    public bool TryPeek<T>(object key, [NotNullWhen(true)] out T? value) where T : class
    {
        value = (_proven.Peek(key) ?? _recent.Peek(key) ?? _prefetched.Peek(key))?.Value as T;
        return value is not null;
    }

    /// <summary>Adds or replaces a value.</summary>
    /// <param name="key">The key of the value.</param>
    /// <param name="value">The value.</param>
    /// <param name="bytes">The size of the value.</param>
    /// <param name="lifetime">The time until the value expires; null for none.</param>
    /// <param name="usage">Counts the parts as holders of the value; null when its holders are not counted.</param>
    /// <returns>False when it is larger than <see cref="MaxEntryBytes"/>.</returns>
    public bool Add(object key, object value, long bytes, TimeSpan? lifetime = null, BodyUsage? usage = null)
    {
        if (bytes > MaxEntryBytes || lifetime <= TimeSpan.Zero) return false;
        lock (_resizing)
        {
            // From here on the bytes count here and not as in flight.
            usage?.AddHolder();
            Interlocked.Increment(ref _moves);
            try
            {
                if (_hasPrefetched) _prefetched.Remove(key);
                _proven.Remove(key);
                AddRecent(key, new(value, bytes + Overhead, _recent.Now + lifetime, usage) { Caller = CurrentCaller.Value.Key });
            }
            finally
            {
                Interlocked.Increment(ref _moves);
            }
            usage?.RemoveHolder();
        }
        return true;
    }

    /// <summary>Adds a prefetched value in free room only: it evicts older prefetched values, and nothing a client requested.</summary>
    /// <returns>False when there is not enough free room.</returns>
    public bool AddPrefetched(object key, object value, long bytes, BodyUsage? usage = null)
    {
        if (bytes > MaxEntryBytes) return false;
        lock (_resizing)
        {
            if (_proven.Peek(key) is not null || _recent.Peek(key) is not null) return true;
            usage?.AddHolder();
            try
            {
                var max = GetMaxPrefetchedBytes();
                if (bytes + Overhead > max) return false;
                _hasPrefetched = true;
                _prefetched.Resize(max);
                _prefetched.Add(key, new(value, bytes + Overhead, null, usage) { Caller = CurrentCaller.Value.Key });
            }
            finally
            {
                usage?.RemoveHolder();
            }
        }
        return true;
    }

    /// <summary>True when a prefetched value of this size fits without any eviction.</summary>
    public bool HasRoomForPrefetched(long bytes) =>
        bytes <= MaxEntryBytes && _prefetched.Bytes + bytes + Overhead <= GetMaxPrefetchedBytes();

    /// <summary>Removes a value.</summary>
    public void Remove(object key)
    {
        _prefetched.Remove(key);
        _recent.Remove(key);
        _proven.Remove(key);
    }

    /// <summary>Removes all values whose keys match. Scans every key: for rare operations.</summary>
    public void RemoveWhere(Func<object, bool> matches)
    {
        foreach (var key in _prefetched.Keys.Concat(_recent.Keys).Concat(_proven.Keys).Where(matches).ToList()) Remove(key);
    }

    /// <summary>All values of a type, without marking them as used.</summary>
    public IEnumerable<(TKey Key, TValue Value)> ReadAll<TKey, TValue>() where TValue : class =>
        from held in _prefetched.Held.Concat(_recent.Held).Concat(_proven.Held)
        where held is { Key: TKey, Value.Value: TValue }
        select ((TKey)held.Key, (TValue)held.Value.Value);

    /// <summary>Sets a new budget and evicts the excess.</summary>
    public void Resize(long maxBytes)
    {
        lock (_resizing)
        {
            Volatile.Write(ref _maxBytes, maxBytes);
            InFlight.Resize(maxBytes);
            EvictExcess();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _recent.Dispose();
        _proven.Dispose();
        _prefetched.Dispose();
    }

    private long RequestedBytes => _recent.Bytes + _proven.Bytes;

    private object? Find(object key)
    {
        var moves = Volatile.Read(ref _moves);
        if (_proven.Find(key) is { } proven) return proven.Value;
        if (_recent.Peek(key) is null && !_hasPrefetched && moves % 2 == 0 && Volatile.Read(ref _moves) == moves) return null;
        return Move(key);
    }

    /// <summary>Finds an entry that is not proven yet, and moves it: the first hit makes a prefetched entry a recent one.</summary>
    private object? Move(object key)
    {
        Slot? found;
        lock (_resizing)
        {
            // Another client may have moved it a moment ago.
            if (_proven.Find(key) is { } proven) return proven.Value;
            Interlocked.Increment(ref _moves);
            try
            {
                if (_recent.Find(key) is { } recent) return Prove(key, recent);
                found = _prefetched.Find(key);
                if (found is null) return null;
                _prefetched.Remove(key);
                AddRecent(key, found);
            }
            finally
            {
                Interlocked.Increment(ref _moves);
            }
        }
        FirstUsed?.Invoke(key);
        return found.Value;
    }

    private object Prove(object key, Slot recent)
    {
        var caller = CurrentCaller.Value.Key;
        // It counts for the user who uses it repeatedly.
        if (recent.Caller != caller) recent = new(recent.Value, recent.Bytes, recent.Until, recent.Usage) { Caller = caller };
        // Remove before adding, so that the bytes count in one part at a time.
        _recent.Remove(key);
        _proven.Resize(GetMaxProvenBytes());
        _proven.Add(key, recent);
        _recent.Resize(GetMaxRecentBytes());
        if (_hasPrefetched) _prefetched.Resize(GetMaxPrefetchedBytes());
        return recent.Value;
    }

    /// <summary>Adds to the recent part; prefetched entries are evicted first.</summary>
    private void AddRecent(object key, Slot slot)
    {
        if (_hasPrefetched)
        {
            _prefetched.Resize(GetMaxPrefetchedBytes(slot.Bytes));
            _hasPrefetched = !_prefetched.IsEmpty;
        }
        MakeFairRoom(slot.Bytes);
        _recent.Resize(GetMaxRecentBytes());
        _recent.Add(key, slot);
    }

    /// <summary>Evicts entries of the user with the most bytes in both parts; each part alone misses the other. Under the lock.</summary>
    private void MakeFairRoom(long bytes)
    {
        if (!_recent.HasCallers && !_proven.HasCallers) return;
        while (RequestedBytes + bytes - GetMaxBytesInParts() is > 0 and var excess)
        {
            KeyValuePair<object, Slot>[] held = [.. _recent.Held, .. _proven.Held];
            if (FairEviction.Choose(held, excess, held.Length / 32, _time) is not { } evicted) return;
            var isAny = false;
            foreach (var (key, slot) in evicted) isAny |= _recent.TryEvict(key, slot) || _proven.TryEvict(key, slot);
            if (!isAny) return;
        }
    }

    private long GetMaxBytesInParts() => Math.Max(MaxBytes - InFlight.Bytes, 0);

    private long GetMaxProvenBytes() => Math.Min(MaxBytes / 4 * 3, GetMaxBytesInParts());

    private long GetMaxRecentBytes() => Math.Max(GetMaxBytesInParts() - _proven.Bytes, 0);

    private long GetMaxPrefetchedBytes(long added = 0) =>
        Math.Clamp(GetMaxBytesInParts() - RequestedBytes - added, 0, MaxBytes / 4);

    private void EvictForInFlight()
    {
        if (Bytes <= GetMaxBytesInParts()) return;
        lock (_resizing) EvictExcess();
    }

    /// <summary>Evicts the excess over the budget, prefetched entries first. Call under the lock.</summary>
    private void EvictExcess()
    {
        MakeFairRoom(0);
        _proven.Resize(GetMaxProvenBytes());
        _prefetched.Resize(GetMaxPrefetchedBytes());
        _recent.Resize(GetMaxRecentBytes());
        _prefetched.Resize(GetMaxPrefetchedBytes());
    }

    private void CountEviction(object key)
    {
        Interlocked.Increment(ref _evictions);
        Evicted?.Invoke(key);
    }
}
