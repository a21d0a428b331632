using System.Collections.Concurrent;

namespace Proxy.Cache;

/// <summary>How often a tier had what was wanted of each backend, since the start.</summary>
public sealed class CacheStatistics
{
    private readonly ConcurrentDictionary<string, BackendStatistics> _byBackend = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>One backend's.</summary>
    public sealed class BackendStatistics
    {
        private long _hits;
        private long _misses;
        private long _evictions;

        public long Hits => Interlocked.Read(ref _hits);

        public long Misses => Interlocked.Read(ref _misses);

        /// <summary>Entries that left because others needed the room.</summary>
        public long Evictions => Interlocked.Read(ref _evictions);

        internal void Count(bool isHit) => Interlocked.Increment(ref isHit ? ref _hits : ref _misses);

        internal void CountEvictions(long count) => Interlocked.Add(ref _evictions, count);
    }

    public BackendStatistics Get(string backend) => _byBackend.GetOrAdd(backend, static _ => new());

    public long Hits => _byBackend.Values.Sum(t => t.Hits);

    public long Misses => _byBackend.Values.Sum(t => t.Misses);

    public void Count(string backend, bool isHit) => Get(backend).Count(isHit);

    public void CountEvictions(string backend, long count) => Get(backend).CountEvictions(count);
}
