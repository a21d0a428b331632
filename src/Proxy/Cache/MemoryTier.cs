using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Caching.Memory;

namespace Proxy.Cache;

/// <summary>What is kept in memory, under a budget of real bytes; the least recently used leaves first.</summary>
public sealed class MemoryTier : IDisposable
{
    /// <summary>What a key, the cache's own entry and the objects around a body take, in bytes, nearly.</summary>
    private const int Overhead = 512;

    private readonly MemoryCacheOptions _options;
    private readonly MemoryCache _cache;

    public MemoryTier(long maxBytes, TimeProvider time)
    {
        _options = new MemoryCacheOptions { SizeLimit = maxBytes, CompactionPercentage = 0.05, TrackStatistics = true, Clock = new Clock(time) };
        _cache = new MemoryCache(_options);
    }

    public long MaxBytes => _options.SizeLimit!.Value;

    public MemoryCacheStatistics Statistics => _cache.GetCurrentStatistics()!;

    /// <summary>The largest thing that is kept: one that is larger would throw out too much of the rest.</summary>
    public long MaxEntryBytes => Math.Min(MaxBytes / 8, 512L << 20);

    public bool TryFind<T>(object key, [NotNullWhen(true)] out T? value) where T : class => _cache.TryGetValue(key, out value) && value is not null;

    /// <summary>Keeps a value; for ever, as the budget goes, or for a lifetime.</summary>
    public void Add(object key, object value, long bytes, TimeSpan? lifetime = null)
    {
        if (bytes > MaxEntryBytes || lifetime <= TimeSpan.Zero) return;
        using var entry = _cache.CreateEntry(key);
        entry.Value = value;
        entry.Size = bytes + Overhead;
        entry.AbsoluteExpirationRelativeToNow = lifetime;
    }

    public void Remove(object key) => _cache.Remove(key);

    /// <summary>Removes whatever has such a key. Looks at every key: for what happens seldom.</summary>
    public void RemoveWhere(Func<object, bool> isMeant)
    {
        foreach (var key in _cache.Keys.Where(isMeant).ToList()) _cache.Remove(key);
    }

    /// <summary>Takes a new budget; what is over it leaves.</summary>
    public void Resize(long maxBytes)
    {
        _options.SizeLimit = maxBytes;
        // What is compacted is counted by entries, not by their bytes.
        while (Statistics.CurrentEstimatedSize is { } bytes && bytes > maxBytes && _cache.Count > 0)
            _cache.Compact(Math.Min(1, Math.Max(1 - (double)maxBytes / bytes, 1.5 / _cache.Count)));
    }

    public void Dispose() => _cache.Dispose();

    private sealed class Clock(TimeProvider time) : Microsoft.Extensions.Internal.ISystemClock
    {
        public DateTimeOffset UtcNow => time.GetUtcNow();
    }
}
