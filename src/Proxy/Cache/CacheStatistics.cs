using System.Collections.Concurrent;

namespace Proxy.Cache;

/// <summary>Hits, misses and evictions of one tier since the start, by backend.</summary>
public sealed class CacheStatistics
{
    private readonly ConcurrentDictionary<string, BackendStatistics> _byBackend = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>The counts of one backend.</summary>
    public sealed class BackendStatistics
    {
        private long _hits;
        private long _misses;
        private long _evictions;

        /// <summary>Lookups that found an entry.</summary>
        public long Hits => Interlocked.Read(ref _hits);

        /// <summary>Lookups that found none.</summary>
        public long Misses => Interlocked.Read(ref _misses);

        /// <summary>Entries evicted to make room for others.</summary>
        public long Evictions => Interlocked.Read(ref _evictions);

        internal void Count(bool isHit) => Interlocked.Increment(ref isHit ? ref _hits : ref _misses);

        internal void CountEvictions(long count) => Interlocked.Add(ref _evictions, count);
    }

    /// <summary>The counts of one backend; zero when it has none yet.</summary>
    public BackendStatistics Get(string backend) => _byBackend.GetOrAdd(backend, static _ => new());

    /// <summary>Hits of all backends.</summary>
    public long Hits => _byBackend.Values.Sum(t => t.Hits);

    /// <summary>Misses of all backends.</summary>
    public long Misses => _byBackend.Values.Sum(t => t.Misses);

    /// <summary>Counts one lookup.</summary>
    public void Count(string backend, bool isHit) => Get(backend).Count(isHit);

    /// <summary>Counts evicted entries.</summary>
    public void CountEvictions(string backend, long count) => Get(backend).CountEvictions(count);
}
