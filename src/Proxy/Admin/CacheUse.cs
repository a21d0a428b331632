using Proxy.Admin.Reports;
using Proxy.Backends;
using Proxy.Cache;
using Proxy.Cache.InMemory;
using Proxy.Cache.OnDisk;
using Proxy.Metadata;
using Proxy.Operations;

namespace Proxy.Admin;

/// <summary>Reports what is cached, by tier and backend.</summary>
internal sealed class CacheUse(
    DicomMetadataStore store, MemoryParts memory, EntryCache entries, DiskTier disk, Reloadable<CacheOptions> settings)
{
    /// <summary>What is cached of the backends of an access.</summary>
    public CacheReport Read(Access access)
    {
        var options = settings.Value;
        var held = memory.ReadAll<EntryKey, Entry>().ToLookup(e => e.Key.Backend, e => e.Value, StringComparer.OrdinalIgnoreCase);
        var shares = disk.Writer.Shares.ToDictionary(s => s.Backend, StringComparer.OrdinalIgnoreCase);
        var studies = store.CountByBackend();
        return new(
            new(store.Count, store.Bytes, options.StoreMaxBytes),
            new()
            {
                Entries = memory.Entries,
                Bytes = memory.Bytes,
                Hits = entries.Statistics.Hits,
                Misses = entries.Statistics.Misses,
                Evictions = memory.Evictions,
                Oldest = FindOldest(held.SelectMany(e => e)),
                MaxBytes = options.MemoryMaxBytes,
                InFlightBytes = memory.InFlight.Bytes,
                PrefetchedBytes = memory.PrefetchedBytes,
            },
            Show(disk, shares.Values.Select(s => (DateTimeOffset?)s.Oldest).Min(), options.DiskMaxBytes),
            access.Backends.ToDictionary(b => b.Name, b => new BackendUsage(
                studies.GetValueOrDefault(b.Name), Show(held[b.Name], entries.Statistics.Get(b.Name)),
                Show(shares.GetValueOrDefault(b.Name), disk.Statistics.Get(b.Name)))));
    }

    private static DiskReport Show(DiskTier disk, DateTimeOffset? oldest, long maxBytes)
    {
        var (writer, state) = (disk.Writer, disk.State);
        return new()
        {
            Entries = writer.Entries,
            Bytes = writer.Bytes,
            Hits = disk.Statistics.Hits,
            Misses = disk.Statistics.Misses,
            Evictions = writer.Evictions,
            Oldest = oldest,
            MaxBytes = maxBytes,
            PrefetchedBytes = writer.PrefetchedBytes,
            State = state.Name,
            Reason = state.Reason,
            Damaged = disk.Damaged,
            WriteFailures = writer.WriteFailures,
            IsScanning = writer.IsScanning,
        };
    }

    /// <summary>What the memory tier holds of one backend.</summary>
    private static TierReport Show(IEnumerable<Entry> held, CacheStatistics.BackendStatistics statistics) => new()
    {
        Entries = held.Count(),
        Bytes = held.Sum(e => e.Length),
        Hits = statistics.Hits,
        Misses = statistics.Misses,
        Evictions = statistics.Evictions,
        Oldest = FindOldest(held),
    };

    /// <summary>What the disk tier holds of one backend.</summary>
    private static TierReport Show(DiskShare? share, CacheStatistics.BackendStatistics statistics) => new()
    {
        Entries = share?.Entries ?? 0,
        Bytes = share?.Bytes ?? 0,
        Hits = statistics.Hits,
        Misses = statistics.Misses,
        Evictions = statistics.Evictions,
        Oldest = share?.Oldest,
    };

    private static DateTimeOffset? FindOldest(IEnumerable<Entry> entries) => entries.Select(e => (DateTimeOffset?)e.Stored).Min();
}
