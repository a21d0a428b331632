using System.Diagnostics.Metrics;
using Proxy.Cache;
using Proxy.Cache.InMemory;
using Proxy.Cache.OnDisk;
using Proxy.Metadata;
using Proxy.Operations;

namespace Proxy.Admin;

/// <summary>
/// <c>/metrics</c>: metrics of backends, cache tiers and the process for Prometheus, without backend addresses or patients.
/// </summary>
/// <remarks>The framework's own request metrics are omitted: they add a sixth to the time of a series metadata hit.</remarks>
internal static class MetricsEndpoints
{
    /// <summary>Creates the metrics that are read on demand, and maps <c>/metrics</c>.</summary>
    public static void MapMetrics(this WebApplication app)
    {
        var services = app.Services;
        Measure(
            services.GetRequiredService<IMeterFactory>().Create(Counters.Meter), services.GetRequiredService<DicomMetadataStore>(),
            services.GetRequiredService<MemoryParts>(), services.GetRequiredService<EntryCache>(), services.GetRequiredService<DiskTier>(),
            services.GetRequiredService<Reloadable<CacheOptions>>());
        app.MapPrometheusScrapingEndpoint("/metrics");
    }

    private static void Measure(
        Meter meter, DicomMetadataStore store, MemoryParts memory, EntryCache bodies, DiskTier disk, Reloadable<CacheOptions> options)
    {
        meter.CreateObservableUpDownCounter(
            "proxy.cache.entries", () => ByTier(memory.Entries, disk.Writer.Entries), "{entry}", "Cache entries");
        meter.CreateObservableUpDownCounter(
            "proxy.cache.size", () => ByTier(memory.Bytes, disk.Writer.Bytes), "By", "Size of cache entries");
        meter.CreateObservableUpDownCounter(
            "proxy.cache.ahead", () => ByTier(memory.PrefetchedBytes, disk.Writer.PrefetchedBytes), "By",
            "Size of prefetched cache entries that no client has requested yet");
        meter.CreateObservableUpDownCounter(
            "proxy.cache.limit", () => ByTier(options.Value.MemoryMaxBytes, options.Value.DiskMaxBytes), "By",
            "Configured size limit of the cache, including the metadata store");
        meter.CreateObservableUpDownCounter(
            "proxy.cache.in_flight", () => memory.InFlight.Bytes, "By", "Size of bodies in transfer that are not cached in memory");
        meter.CreateObservableCounter(
            "proxy.cache.hits", () => ByTier(bodies.Statistics.Hits, disk.Statistics.Hits), "{lookup}", "Cache hits");
        meter.CreateObservableCounter(
            "proxy.cache.misses", () => ByTier(bodies.Statistics.Misses, disk.Statistics.Misses), "{lookup}", "Cache misses");
        meter.CreateObservableCounter(
            "proxy.cache.evictions", () => ByTier(memory.Evictions, disk.Writer.Evictions), "{entry}",
            "Cache entries evicted because of the size limit");
        meter.CreateObservableCounter(
            "proxy.cache.unkept", () => disk.Writer.WriteFailures, "{entry}", "Cache entries that could not be written to disk");
        meter.CreateObservableUpDownCounter(
            "proxy.cache.folder.usable", () => disk.CanWrite ? 1 : 0, "1", "1 if the cache folder is readable and writable, 0 otherwise");
        meter.CreateObservableUpDownCounter("proxy.store.studies", () => store.Count, "{study}", "Studies in the metadata store");
        meter.CreateObservableUpDownCounter("proxy.store.size", () => store.Bytes, "By", "Size of the metadata store in memory");
    }

    private static Measurement<long>[] ByTier(long memory, long disk) =>
        [new(memory, new KeyValuePair<string, object?>("tier", "memory")), new(disk, new KeyValuePair<string, object?>("tier", "disk"))];
}
