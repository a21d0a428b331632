using System.Diagnostics.Metrics;
using OpenTelemetry.Metrics;
using Proxy.Cache;
using Proxy.Cache.InMemory;
using Proxy.Cache.OnDisk;
using Proxy.Operations;
using Proxy.Metadata;

namespace Proxy.Admin;

/// <summary>
/// Everything that is counted, as Prometheus reads it: backends, tiers, the process. No address of a backend and no patient.
/// </summary>
/// <remarks>The framework's own times of requests cost a hit of series metadata a sixth of its time and are left out.</remarks>
internal static class MetricsEndpoints
{
    public static void AddPrometheus(this IServiceCollection services) =>
        services.AddOpenTelemetry().WithMetrics(metrics => metrics.AddMeter(Counters.Meter, "System.Runtime").AddPrometheusExporter());

    public static void MapMetrics(this WebApplication app)
    {
        var services = app.Services;
        Measure(
            services.GetRequiredService<IMeterFactory>()
                .Create(Counters.Meter), services.GetRequiredService<DicomMetadataStore>(), services.GetRequiredService<MemoryTier>(),
            services.GetRequiredService<EntryCache>(), services.GetRequiredService<DiskTier>(),
            services.GetRequiredService<Reloadable<CacheOptions>>());
        app.MapPrometheusScrapingEndpoint("/metrics");
    }

    private static void Measure(
        Meter meter, DicomMetadataStore store, MemoryTier memory, EntryCache bodies, DiskTier disk, Reloadable<CacheOptions> options)
    {
        meter.CreateObservableUpDownCounter(
            "proxy.cache.entries", () => ByTier(memory.Entries, disk.Writer.Entries), "{entry}", "What is kept");
        meter.CreateObservableUpDownCounter("proxy.cache.size", () => ByTier(memory.Bytes, disk.Writer.Bytes), "By", "What that takes");
        meter.CreateObservableUpDownCounter(
            "proxy.cache.ahead", () => ByTier(memory.PrefetchedBytes, disk.Writer.PrefetchedBytes), "By",
            "What of that was fetched ahead and nobody asked for yet");
        meter.CreateObservableUpDownCounter(
            "proxy.cache.limit", () => ByTier(options.Value.MemoryMaxBytes, options.Value.DiskMaxBytes), "By",
            "What it may take, as configured; the metadata store's share included");
        meter.CreateObservableUpDownCounter(
            "proxy.cache.in_flight", () => memory.InFlight.Bytes, "By", "Bodies in memory that are on their way and not kept there");
        meter.CreateObservableCounter(
            "proxy.cache.hits", () => ByTier(bodies.Tallies.Hits, disk.Tallies.Hits), "{look}", "Looks for a body that found it");
        meter.CreateObservableCounter(
            "proxy.cache.misses", () => ByTier(bodies.Tallies.Misses, disk.Tallies.Misses), "{look}", "Looks that did not");
        meter.CreateObservableCounter(
            "proxy.cache.evictions", () => ByTier(memory.Evictions, disk.Writer.Evictions), "{entry}",
            "What left because others needed the room");
        meter.CreateObservableCounter("proxy.cache.unkept", () => disk.Writer.Unkept, "{entry}", "Bodies that could not be kept on disk");
        meter.CreateObservableUpDownCounter(
            "proxy.cache.folder.usable", () => disk.CanWrite ? 1 : 0, "1", "Whether the cache folder can be read and written");
        meter.CreateObservableUpDownCounter("proxy.store.studies", () => store.Count, "{study}", "Studies that the metadata store knows");
        meter.CreateObservableUpDownCounter("proxy.store.size", () => store.Bytes, "By", "What it holds in memory");
    }

    private static Measurement<long>[] ByTier(long memory, long disk) =>
        [new(memory, new KeyValuePair<string, object?>("tier", "memory")), new(disk, new KeyValuePair<string, object?>("tier", "disk"))];
}
