using System.Collections.Concurrent;
using Proxy.Operations.Telemetry;

namespace Proxy.Cache;

/// <summary>Hits, misses and evictions of one tier since the start, by backend; hits and misses also by kind.</summary>
public sealed class CacheStatistics
{
    private readonly BackendStatistics[] _byKind = [.. Enum.GetValues<ResourceKind>().Select(_ => new BackendStatistics())];
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

    /// <summary>The counts of one kind of resource, without evictions.</summary>
    public BackendStatistics Get(ResourceKind kind) => _byKind[(int)kind];

    /// <summary>Counts one lookup.</summary>
    public void Count(EntryKey key, bool isHit)
    {
        Get(key.Backend).Count(isHit);
        Get(key.Representation.Parameters.Length > 0 ? ResourceKind.Rendered : ResourceKinds.FromPath(key.Path)).Count(isHit);
    }

    /// <summary>Counts evicted entries.</summary>
    public void CountEvictions(string backend, long count) => Get(backend).CountEvictions(count);
}
