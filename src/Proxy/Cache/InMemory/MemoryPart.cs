using System.Collections.Concurrent;
using Microsoft.Extensions.Caching.Memory;

namespace Proxy.Cache.InMemory;

/// <summary>A value and the memory that it takes. Two slots are never equal: the news that one left must not remove another.</summary>
/// <param name="value">What is found.</param>
/// <param name="bytes">With the key and the objects around it.</param>
/// <param name="until">After that it is not found any more; null for no such end.</param>
internal sealed class Slot(object value, long bytes, DateTimeOffset? until)
{
    public object Value { get; } = value;

    public long Bytes { get; } = bytes;

    public DateTimeOffset? Until { get; } = until;
}

/// <summary>One budget within the memory tier, from which the least recently used leaves first.</summary>
internal sealed class MemoryPart : IDisposable
{
    /// <summary>So much of the entries leaves at once.</summary>
    private const double Step = 0.03;

    private readonly TimeProvider _time;
    private readonly Action<object> _evicted;
    private readonly MemoryCacheOptions _options;
    private readonly MemoryCache _cache;
    private readonly ConcurrentDictionary<object, Slot> _held = new();
    private readonly Lock _making = new();
    private readonly Lock _adding = new();

    /// <param name="maxBytes">The budget.</param>
    /// <param name="time">The clock.</param>
    /// <param name="evicted">Told of the key of whatever left because others needed the room.</param>
    public MemoryPart(long maxBytes, TimeProvider time, Action<object> evicted)
    {
        _time = time;
        _evicted = evicted;
        _options = new() { SizeLimit = maxBytes, TrackStatistics = true, Clock = new Clock(time) };
        _cache = new(_options);
    }

    public DateTimeOffset Now => _time.GetUtcNow();

    public int Count => _cache.Count;

    public bool IsEmpty => _held.IsEmpty;

    public long Bytes => _cache.GetCurrentStatistics()!.CurrentEstimatedSize ?? 0;

    public IEnumerable<object> Keys => _cache.Keys;

    /// <summary>All that is here; looking at it is not using it.</summary>
    public IEnumerable<KeyValuePair<object, Slot>> Held => _held;

    public Slot? Find(object key) => _cache.TryGetValue(key, out Slot? slot) ? slot : null;

    /// <summary>The same, without using it.</summary>
    public Slot? Peek(object key) => _held.TryGetValue(key, out var slot) && !(slot.Until <= Now) ? slot : null;

    public void Add(object key, Slot slot)
    {
        lock (_adding)
        {
            // Remove, then add: the cache subtracts the size of an entry that is replaced twice when its own scan for
            // expired entries meets the replacement, and then holds more than its limit from that time on.
            _cache.Remove(key);
            // The cache would turn away whatever comes while it makes room on its own time.
            MakeRoom(slot.Bytes);
            (slot.Value as Entry)?.Usage?.Keep();
            _held[key] = slot;
            using var entry = _cache.CreateEntry(key);
            entry.Value = slot;
            entry.Size = slot.Bytes;
            entry.AbsoluteExpiration = slot.Until;
            entry.RegisterPostEvictionCallback(
                static (key, value, reason, part) => ((MemoryPart)part!).Left(key, (Slot)value!, reason), this);
        }
    }

    public void Remove(object key)
    {
        // The cache tells of it in its own time; whoever looks at the whole sees it gone now.
        if (_held.TryGetValue(key, out var slot)) _held.TryRemove(new(key, slot));
        _cache.Remove(key);
    }

    public void Resize(long maxBytes)
    {
        _options.SizeLimit = maxBytes;
        MakeRoom(0);
    }

    public void Dispose() => _cache.Dispose();

    private void MakeRoom(long bytes)
    {
        if (Bytes + bytes <= _options.SizeLimit) return;
        lock (_making)
        {
            // What is compacted is counted by entries, not by their bytes.
            while (_cache.Count > 0 && Bytes + bytes > _options.SizeLimit) _cache.Compact(Math.Min(1, Math.Max(Step, 1.5 / _cache.Count)));
        }
    }

    private void Left(object key, Slot slot, EvictionReason reason)
    {
        _held.TryRemove(new(key, slot));
        (slot.Value as Entry)?.Usage?.Drop();
        if (reason == EvictionReason.Capacity) _evicted(key);
    }

    private sealed class Clock(TimeProvider time) : Microsoft.Extensions.Internal.ISystemClock
    {
        public DateTimeOffset UtcNow => time.GetUtcNow();
    }
}
