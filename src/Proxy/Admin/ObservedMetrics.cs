using System.Diagnostics.Metrics;
using Proxy.Audit.Delivery;
using Proxy.Backends;
using Proxy.Backends.Health;
using Proxy.Backends.Transport;
using Proxy.Cache;
using Proxy.Cache.InMemory;
using Proxy.Cache.OnDisk;
using Proxy.Cluster;
using Proxy.Events;
using Proxy.Metadata;
using Proxy.Operations;
using Proxy.Operations.Telemetry;
using Proxy.Prefetch;

namespace Proxy.Admin;

/// <summary>The metrics of existing state: an exporter reads them on demand, and they cost a request nothing.</summary>
internal static class ObservedMetrics
{
    /// <summary>What is served and fetched.</summary>
    public static void AddTraffic(Meter meter, IServiceProvider services)
    {
        var traffic = services.GetRequiredService<Traffic>();
        meter.CreateObservableCounter(
            "proxy.answers", () => CountAnswers(traffic), "{answer}",
            "DICOMweb answers by kind and source: hit, collapsed (another client's request was joined), stale or miss");
        meter.CreateObservableCounter("proxy.served", () => traffic[Traffic.Total.BytesServed], "By", "Bytes sent to clients");
        meter.CreateObservableCounter("proxy.fetched", () => traffic[Traffic.Total.BytesFetched], "By", "Bytes received from backends");
        meter.CreateObservableCounter("proxy.saved", () => traffic[Traffic.Total.BytesSaved], "By", "Bytes sent to clients from the cache");
        meter.CreateObservableCounter(
            "proxy.saved.time", () => traffic[Traffic.Total.MicrosecondsSaved] / 1e6, "s",
            "Estimated time saved by the cache: for each hit, the median time of a miss of its kind minus its own");
    }

    /// <summary>The tiers of the cache, and the metadata store.</summary>
    public static void AddCache(Meter meter, IServiceProvider services)
    {
        var (memory, bodies) = (services.GetRequiredService<MemoryParts>(), services.GetRequiredService<EntryCache>());
        var (disk, store) = (services.GetRequiredService<DiskTier>(), services.GetRequiredService<DicomMetadataStore>());
        var (options, traffic) = (services.GetRequiredService<Reloadable<CacheOptions>>(), services.GetRequiredService<Traffic>());
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
            "proxy.cache.hits", () => CountLookups(bodies, disk, traffic, isHit: true), "{lookup}", "Cache hits by tier and kind");
        meter.CreateObservableCounter(
            "proxy.cache.misses", () => CountLookups(bodies, disk, traffic, isHit: false), "{lookup}", "Cache misses by tier and kind");
        meter.CreateObservableCounter(
            "proxy.cache.evictions", () => ByTier(memory.Evictions, disk.Writer.Evictions), "{entry}",
            "Cache entries evicted because of the size limit");
        meter.CreateObservableCounter(
            "proxy.cache.unkept", () => disk.Writer.WriteFailures, "{entry}", "Cache entries that could not be written to disk");
        meter.CreateObservableUpDownCounter(
            "proxy.cache.folder.configured", () => disk.State.IsConfigured ? 1 : 0, "1", "1 if a cache folder is configured, 0 otherwise");
        meter.CreateObservableUpDownCounter(
            "proxy.cache.folder.usable", () => disk.CanWrite ? 1 : 0, "1", "1 if the cache folder is readable and writable, 0 otherwise");
        meter.CreateObservableUpDownCounter(
            "proxy.cache.folder.full", () => disk.State.IsFull ? 1 : 0, "1", "1 if the disk of the cache folder is full, 0 otherwise");
        meter.CreateObservableUpDownCounter("proxy.store.studies", () => store.Count, "{study}", "Studies in the metadata store");
        meter.CreateObservableUpDownCounter("proxy.store.size", () => store.Bytes, "By", "Size of the metadata store in memory");
    }

    /// <summary>The state and the queues of each backend.</summary>
    public static void AddBackends(Meter meter, IServiceProvider services)
    {
        var (backends, states) = (services.GetRequiredService<BackendSet>(), services.GetRequiredService<BackendStates>());
        var (permits, scheduler) = (services.GetRequiredService<BackendPermits>(), services.GetRequiredService<BackendScheduler>());
        meter.CreateObservableUpDownCounter(
            "proxy.backend.up", () => ByBackend(backends, name => states.Find(name) is { } state ? state.IsUp ? 1 : 0 : null), "1",
            "1 if the backend works, 0 if not; absent before its first request");
        meter.CreateObservableUpDownCounter(
            "proxy.backend.circuit_open", () => ByBackend(backends, name => states.FindRefusal(name) is null ? 0 : 1), "1",
            "1 while the backend is not asked because it failed, 0 otherwise");
        meter.CreateObservableUpDownCounter(
            "proxy.backend.in_flight", () => ByBackend(backends, name => permits.Count(name).InFlight), "{request}",
            "Requests that run at the backend");
        meter.CreateObservableUpDownCounter(
            "proxy.backend.waiting", () => ByBackend(backends, name => permits.Count(name).Waiting), "{request}",
            "Requests that wait because the limit of the backend is reached");
        meter.CreateObservableUpDownCounter(
            "proxy.backend.limit", () => ByBackend(backends, name => permits.Count(name).Limit), "{request}",
            "The most requests that may run at the backend now");
        meter.CreateObservableUpDownCounter(
            "proxy.backend.foreground", () => ByBackend(backends, scheduler.CountForeground), "{wait}",
            "Waits of clients for the backend; they hold prefetching back");
        meter.CreateObservableUpDownCounter(
            "proxy.prefetch.running", () => ByBackend(backends, scheduler.CountRunning), "{fetch}", "Prefetches that run at the backend");
    }

    /// <summary>The audit; no values while it is off.</summary>
    public static void AddAudit(Meter meter, IServiceProvider services)
    {
        var outbox = services.GetService<Outbox>();
        meter.CreateObservableUpDownCounter(
            "proxy.audit.pending",
            () => outbox?.Pending.Select(p => new Measurement<long>(p.Bytes, new KeyValuePair<string, object?>("sink", p.Sink))) ?? [],
            "By", "Size of audit records that wait for a receiver");
        meter.CreateObservableCounter(
            "proxy.audit.lost", () => outbox is null ? Enumerable.Empty<Measurement<long>>() : [new(outbox.Lost)], "{record}",
            "Audit records that at least one receiver will not get");
        meter.CreateObservableUpDownCounter(
            "proxy.audit.failing", () => outbox is null ? Enumerable.Empty<Measurement<int>>() : [new(outbox.Failure is null ? 0 : 1)],
            "1", "1 while audit records cannot be written, 0 otherwise");
    }

    /// <summary>The cache that several proxies share; no values without one.</summary>
    public static void AddCluster(Meter meter, IServiceProvider services)
    {
        var cluster = services.GetService<ClusterState>();
        meter.CreateObservableUpDownCounter(
            "proxy.cluster.usable", () => cluster is null ? Enumerable.Empty<Measurement<int>>() : [new(cluster.Reason is null ? 1 : 0)],
            "1", "1 while the shared cache works, 0 otherwise");
        Add("proxy.cluster.hits", "{lookup}", "Bodies found in the shared cache", c => c.Bodies.Hits);
        Add("proxy.cluster.misses", "{lookup}", "Look-ups of bodies in the shared cache that found none", c => c.Bodies.Misses);
        Add("proxy.cluster.skipped", "{operation}", "Operations that were skipped while the shared cache was not used", c => c.Skipped);
        Add("proxy.cluster.failures", "{operation}", "Operations without an answer of the shared cache in time", c => c.Failures);
        Add("proxy.cluster.written", "{entry}", "Bodies written to the shared cache", c => c.Written);
        Add("proxy.cluster.dropped", "{entry}", "Bodies not written to the shared cache, because it or its queue was full", c => c.Dropped);
        Add("proxy.cluster.damaged", "{entry}", "Damaged values in the shared cache, which were deleted", c => c.Damaged);
        Add("proxy.cluster.changes", "{change}", "Changes and purges of other nodes that were applied here", c => c.Applied);

        void Add(string name, string unit, string description, Func<ClusterState, long> read) => meter.CreateObservableCounter(
            name, () => cluster is null ? Enumerable.Empty<Measurement<long>>() : [new(read(cluster))], unit, description);
    }

    /// <summary>Prefetch jobs and events.</summary>
    public static void AddWork(Meter meter, IServiceProvider services)
    {
        var (prefetcher, streams) = (services.GetRequiredService<Prefetcher>(), services.GetRequiredService<EventStreams>());
        var events = services.GetRequiredService<EventLog>();
        meter.CreateObservableUpDownCounter(
            "proxy.prefetch.waiting", () => prefetcher.WaitingCount, "{job}", "Prefetch jobs that wait to run");
        meter.CreateObservableUpDownCounter("proxy.events.listeners", () => streams.Open, "{listener}", "Clients that listen to events");
        meter.CreateObservableCounter(
            "proxy.events.published",
            () => events.CountByName().Select(e => new Measurement<long>(e.Value, new KeyValuePair<string, object?>("event", e.Key))),
            "{event}", "Published events");
        meter.CreateObservableCounter(
            "proxy.series.owner_changes", () => events.CountByName().GetValueOrDefault(ProxyEvent.SeriesMoved), "{series}",
            "Series that are served from another backend than before");
    }

    private static IEnumerable<Measurement<long>> CountAnswers(Traffic traffic) =>
        from kind in Enum.GetValues<ResourceKind>()
        from source in Enum.GetValues<CacheStatus>()
        select new Measurement<long>(
            traffic.Count(kind, source), new("kind", ResourceKinds.GetLabel(kind)), new("source", source.ToString().ToLowerInvariant()));

    /// <summary>The look-ups of bodies in both tiers; metadata is in memory, and its look-ups are the answers.</summary>
    private static IEnumerable<Measurement<long>> CountLookups(EntryCache bodies, DiskTier disk, Traffic traffic, bool isHit)
    {
        var metadata = isHit
            ? traffic.Count(ResourceKind.Metadata, CacheStatus.Hit) + traffic.Count(ResourceKind.Metadata, CacheStatus.Stale)
            : traffic.Count(ResourceKind.Metadata, CacheStatus.Miss) + traffic.Count(ResourceKind.Metadata, CacheStatus.Collapsed);
        yield return Measure(metadata, "memory", ResourceKind.Metadata);
        foreach (var kind in (ResourceKind[])[ResourceKind.Frame, ResourceKind.Instance, ResourceKind.BulkData, ResourceKind.Rendered])
        {
            yield return Measure(Count(bodies.Statistics.Get(kind)), "memory", kind);
            yield return Measure(Count(disk.Statistics.Get(kind)), "disk", kind);
        }

        long Count(CacheStatistics.BackendStatistics statistics) => isHit ? statistics.Hits : statistics.Misses;

        static Measurement<long> Measure(long count, string tier, ResourceKind kind) =>
            new(count, new("tier", tier), new("kind", ResourceKinds.GetLabel(kind)));
    }

    private static IEnumerable<Measurement<long>> ByBackend(BackendSet backends, Func<string, int?> read) =>
        from backend in backends.All
        let value = read(backend.Name)
        where value is not null
        select new Measurement<long>(value.Value, new KeyValuePair<string, object?>("backend", backend.Name));

    private static IEnumerable<Measurement<long>> ByBackend(BackendSet backends, Func<string, int> read) =>
        ByBackend(backends, name => (int?)read(name));

    private static Measurement<long>[] ByTier(long memory, long disk) =>
        [new(memory, new KeyValuePair<string, object?>("tier", "memory")), new(disk, new KeyValuePair<string, object?>("tier", "disk"))];
}
