using System.Collections.Concurrent;
using Microsoft.Extensions.Caching.Memory;

namespace Proxy.Cache.InMemory;

/// <summary>A value and its size. A class, not a record: removing an evicted slot must not remove an equal newer one.</summary>
/// <param name="value">The value.</param>
/// <param name="bytes">The size with the key and the objects around it.</param>
/// <param name="until">The time at which the value expires; null for none.</param>
/// <param name="usage">Counts the parts that hold the value; null when they are not counted.</param>
internal sealed class Slot(object value, long bytes, DateTimeOffset? until, BodyUsage? usage = null)
{
    private long _lastUsed;

    /// <summary>The key of the user who requested it; empty without authentication.</summary>
    public string Caller { get; init; } = "";

    /// <summary>The time stamp of the last use; 0 without authentication.</summary>
    public long LastUsed
    {
        get => Volatile.Read(ref _lastUsed);
        set => Volatile.Write(ref _lastUsed, value);
    }

    public object Value { get; } = value;

    public long Bytes { get; } = bytes;

    public DateTimeOffset? Until { get; } = until;

    public BodyUsage? Usage { get; } = usage;
}

/// <summary>
/// One part of the memory with a budget of its own; evicts the least recently used first, of the user with the most bytes
/// (<see cref="FairEviction"/>).
/// </summary>
internal sealed class MemoryPart : IDisposable
{
    /// <summary>The minimum fraction of the entries evicted at a time.</summary>
    private const double Step = 0.03;

    private readonly TimeProvider _time;
    private readonly Action<object> _evicted;
    private readonly MemoryCacheOptions _options;
    private readonly MemoryCache _cache;
    private readonly ConcurrentDictionary<object, Slot> _held = new();
    private readonly Lock _evicting = new();
    private readonly Lock _adding = new();

    private volatile bool _hasCallers;

    /// <summary>Creates an empty part.</summary>
    /// <param name="maxBytes">The budget.</param>
    /// <param name="time">The clock.</param>
    /// <param name="evicted">Called with the key of an entry evicted to make room for others.</param>
    public MemoryPart(long maxBytes, TimeProvider time, Action<object> evicted)
    {
        _time = time;
        _evicted = evicted;
        _options = new() { SizeLimit = maxBytes, TrackStatistics = true, Clock = new Clock(time) };
        _cache = new(_options);
    }

    public DateTimeOffset Now => _time.GetUtcNow();

    public int Count => _cache.Count;

    /// <summary>Whether a user who has authenticated has had an entry.</summary>
    public bool HasCallers => _hasCallers;

    public bool IsEmpty => _held.IsEmpty;

    public long Bytes => _cache.GetCurrentStatistics()!.CurrentEstimatedSize ?? 0;

    public IEnumerable<object> Keys => _cache.Keys;

    /// <summary>All slots, without marking them as used.</summary>
    public IEnumerable<KeyValuePair<object, Slot>> Held => _held;

    /// <summary>Finds a slot and marks it as used.</summary>
    public Slot? Find(object key)
    {
        if (!_cache.TryGetValue(key, out Slot? slot) || slot is null) return null;
        if (slot.Caller.Length > 0) slot.LastUsed = _time.GetTimestamp();
        return slot;
    }

    /// <summary>Finds a slot without marking it as used.</summary>
    public Slot? Peek(object key) => _held.TryGetValue(key, out var slot) && !(slot.Until <= Now) ? slot : null;

    public void Add(object key, Slot slot)
    {
        lock (_adding)
        {
            // Remove, then add: MemoryCache subtracts the size of a replaced entry twice when its scan for expired entries meets the
            // replacement, and exceeds its limit from then on.
            _cache.Remove(key);
            // MemoryCache rejects additions while it compacts in the background, so evict before adding.
            EvictFor(slot.Bytes);
            slot.Usage?.AddHolder();
            if (slot.Caller.Length > 0)
            {
                slot.LastUsed = _time.GetTimestamp();
                _hasCallers = true;
            }
            _held[key] = slot;
            using var entry = _cache.CreateEntry(key);
            entry.Value = slot;
            entry.Size = slot.Bytes;
            entry.AbsoluteExpiration = slot.Until;
            entry.RegisterPostEvictionCallback(
                static (key, value, reason, part) => ((MemoryPart)part!).OnEvicted(key, (Slot)value!, reason), this);
        }
    }

    public void Remove(object key)
    {
        // The eviction callback runs later; readers of Held must not see the slot from now on.
        if (_held.TryGetValue(key, out var slot)) _held.TryRemove(new(key, slot));
        _cache.Remove(key);
    }

    public void Resize(long maxBytes)
    {
        _options.SizeLimit = maxBytes;
        EvictFor(0);
    }

    public void Dispose() => _cache.Dispose();

    private void EvictFor(long bytes)
    {
        if (Bytes + bytes <= _options.SizeLimit) return;
        lock (_evicting)
        {
            // Compact takes a fraction of the entries, not of the bytes.
            while (_cache.Count > 0 && Bytes + bytes > _options.SizeLimit)
            {
                if (!_hasCallers || !TryEvictFairly(Bytes + bytes - _options.SizeLimit.GetValueOrDefault()))
                    _cache.Compact(Math.Min(1, Math.Max(Step, 1.5 / _cache.Count)));
            }
        }
    }

    /// <summary>Evicts an entry to make room for others; false if it is not in this part any more.</summary>
    public bool TryEvict(object key, Slot slot)
    {
        if (!_held.TryRemove(new(key, slot))) return false;
        _cache.Remove(key);
        _evicted(key);
        return true;
    }

    /// <summary>Evicts entries of the user with the most; false when all entries belong to one.</summary>
    private bool TryEvictFairly(long bytes)
    {
        var held = _held.ToArray();
        if (FairEviction.Choose(held, bytes, (int)(held.Length * Step), _time) is not { } evicted) return false;
        var before = Bytes;
        foreach (var (key, slot) in evicted) TryEvict(key, slot);
        // The cache may hold entries that have expired, which are not in the list any more.
        return Bytes < before;
    }

    private void OnEvicted(object key, Slot slot, EvictionReason reason)
    {
        _held.TryRemove(new(key, slot));
        slot.Usage?.RemoveHolder();
        if (reason == EvictionReason.Capacity) _evicted(key);
    }

    private sealed class Clock(TimeProvider time) : Microsoft.Extensions.Internal.ISystemClock
    {
        public DateTimeOffset UtcNow => time.GetUtcNow();
    }
}
