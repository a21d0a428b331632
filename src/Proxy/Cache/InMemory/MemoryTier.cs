using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Caching.Memory;

namespace Proxy.Cache.InMemory;

/// <summary>What is kept in memory, under a budget of real bytes.</summary>
/// <remarks>
/// What was asked for once must not throw out what is asked for again and again, such as when one large study is
/// scrolled through. So there are two parts, each of which lets the least recently used leave first:
/// <code>
/// new ──→ recent ──(found again)──→ proven
///         what proven leaves,       three quarters at most
///         a quarter at least
/// </code>
/// </remarks>
public sealed class MemoryTier : IDisposable
{
    /// <summary>What a key, the cache's own entry and the objects around a body take, in bytes, nearly.</summary>
    private const int Overhead = 512;

    private readonly Part _recent;
    private readonly Part _proven;
    private long _maxBytes;
    private long _evictions;

    public MemoryTier(long maxBytes, TimeProvider time)
    {
        _maxBytes = maxBytes;
        _recent = new Part(this, maxBytes, time);
        _proven = new Part(this, maxBytes / 4 * 3, time);
    }

    public long MaxBytes => Volatile.Read(ref _maxBytes);

    /// <summary>The largest thing that is kept: one that is larger would throw out too much of the rest.</summary>
    public long MaxEntryBytes => Math.Min(MaxBytes / 8, 512L << 20);

    /// <summary>How many things are held: bodies, and what was made of them.</summary>
    public long Entries => _recent.Count + _proven.Count;

    /// <summary>Of them all.</summary>
    public long Bytes => _recent.Bytes + _proven.Bytes;

    /// <summary>Things that left because others needed the room.</summary>
    public long Evictions => Interlocked.Read(ref _evictions);

    /// <summary>Told of the key of whatever left because others needed the room.</summary>
    public event Action<object>? Evicted;

    public bool TryFind<T>(object key, [NotNullWhen(true)] out T? value) where T : class
    {
        value = Find(key) as T;
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
        _proven.Remove(key);
        _recent.Resize(MaxBytes - _proven.Bytes);
        _recent.Add(key, new(value, bytes + Overhead, _recent.Now + lifetime));
        return true;
    }

    public void Remove(object key)
    {
        _recent.Remove(key);
        _proven.Remove(key);
    }

    /// <summary>Removes whatever has such a key. Looks at every key: for what happens seldom.</summary>
    public void RemoveWhere(Func<object, bool> isMeant)
    {
        foreach (var key in _recent.Keys.Concat(_proven.Keys).Where(isMeant).ToList()) Remove(key);
    }

    /// <summary>Every value of a kind, without using it: for whoever looks at the tier as a whole.</summary>
    public IEnumerable<(TKey Key, TValue Value)> ReadAll<TKey, TValue>() where TValue : class =>
        from held in _recent.Held.Concat(_proven.Held)
        where held is { Key: TKey, Value.Value: TValue }
        select ((TKey)held.Key, (TValue)held.Value.Value);

    /// <summary>Takes a new budget; what is over it leaves.</summary>
    public void Resize(long maxBytes)
    {
        Volatile.Write(ref _maxBytes, maxBytes);
        _proven.Resize(maxBytes / 4 * 3);
        _recent.Resize(maxBytes - _proven.Bytes);
    }

    public void Dispose()
    {
        _recent.Dispose();
        _proven.Dispose();
    }

    private object? Find(object key)
    {
        if (_proven.Find(key) is { } proven) return proven.Value;
        if (_recent.Find(key) is not { } found) return null;
        // Its bytes are counted in one part at a time.
        _recent.Remove(key);
        _proven.Add(key, found);
        _recent.Resize(MaxBytes - _proven.Bytes);
        return found.Value;
    }

    /// <summary>A value and what it takes.</summary>
    private sealed class Slot(object value, long bytes, DateTimeOffset? until)
    {
        public object Value { get; } = value;

        public long Bytes { get; } = bytes;

        public DateTimeOffset? Until { get; } = until;
    }

    /// <summary>One budget, from which the least recently used leaves first.</summary>
    private sealed class Part : IDisposable
    {
        /// <summary>So much of the entries leaves at once.</summary>
        private const double Step = 0.03;

        private readonly MemoryTier _tier;
        private readonly TimeProvider _time;
        private readonly MemoryCacheOptions _options;
        private readonly MemoryCache _cache;
        private readonly ConcurrentDictionary<object, Slot> _held = new();
        private readonly Lock _making = new();

        public Part(MemoryTier tier, long maxBytes, TimeProvider time)
        {
            _tier = tier;
            _time = time;
            _options = new() { SizeLimit = maxBytes, TrackStatistics = true, Clock = new Clock(time) };
            _cache = new(_options);
        }

        public DateTimeOffset Now => _time.GetUtcNow();

        public int Count => _cache.Count;

        public long Bytes => _cache.GetCurrentStatistics()!.CurrentEstimatedSize ?? 0;

        public IEnumerable<object> Keys => _cache.Keys;

        /// <summary>All that is here; looking at it is not using it.</summary>
        public IEnumerable<KeyValuePair<object, Slot>> Held => _held;

        public Slot? Find(object key) => _cache.TryGetValue(key, out Slot? slot) ? slot : null;

        public void Add(object key, Slot slot)
        {
            // The cache would turn away whatever comes while it makes room on its own time.
            MakeRoom(slot.Bytes);
            _held[key] = slot;
            using var entry = _cache.CreateEntry(key);
            entry.Value = slot;
            entry.Size = slot.Bytes;
            entry.AbsoluteExpiration = slot.Until;
            entry.RegisterPostEvictionCallback(static (key, value, reason, part) => ((Part)part!).Left(key, (Slot)value!, reason), this);
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
            if (reason != EvictionReason.Capacity) return;
            Interlocked.Increment(ref _tier._evictions);
            _tier.Evicted?.Invoke(key);
        }
    }

    private sealed class Clock(TimeProvider time) : Microsoft.Extensions.Internal.ISystemClock
    {
        public DateTimeOffset UtcNow => time.GetUtcNow();
    }
}
