using Proxy.Backends;
using Proxy.Cache.InMemory;
using Proxy.Cache.OnDisk;
using Proxy.Disk;
using Proxy.Metadata;
using Proxy.Operations;

namespace Proxy.Cache;

/// <summary>Registers both tiers of the cache, and the limit of the process's memory.</summary>
internal static class CacheServices
{
    /// <summary>Registers the cache; it needs <see cref="BodySoundness"/>.</summary>
    public static void AddCache(this IServiceCollection services, CacheOptions options)
    {
        services.AddSingleton(s => new MemoryParts(options.TierMaxBytes, s.GetRequiredService<TimeProvider>()));
        services.AddSingleton<MemoryTier>();
        services.AddSingleton<AnswerCache>();
        services.AddSingleton(s => new DiskWriter(
            s.GetRequiredService<CacheFolder>(), s.GetRequiredService<BackendSet>().FindName, options.TierDiskMaxBytes,
            s.GetRequiredService<TimeProvider>(), s.GetRequiredService<ILogger<DiskWriter>>())
        {
            QueueMaxBytes = options.QueueMaxBytes,
        });
        services.AddHostedService(s => s.GetRequiredService<DiskWriter>());
        services.AddSingleton(s => new DiskTier(
            s.GetRequiredService<CacheFolder>(), s.GetRequiredService<DiskWriter>(), s.GetRequiredService<BackendSet>().FindIdentity,
            s.GetRequiredService<MemoryParts>().InFlight, s.GetRequiredService<TimeProvider>(), s.GetRequiredService<Counters>(),
            s.GetRequiredService<ILogger<DiskTier>>())
        {
            IsSound = s.GetRequiredService<BodySoundness>(),
        });
        services.AddSingleton<IBodyTier>(s => s.GetRequiredService<DiskTier>());
        services.AddSingleton(s => new EntryCache(
            s.GetRequiredService<MemoryTier>(), s.GetRequiredService<IBodyTier>(), s.GetRequiredService<TimeProvider>(),
            s.GetRequiredService<ILogger<EntryCache>>())
        {
            MaxBodyBytes = options.MaxBodyBytes,
            MaxAge = options.MaxAge,
        });
        services.AddSingleton<FileMetadataReader>();
        services.AddSingleton<PatientStudies>();
        services.AddSingleton<StudyInvalidation>();
        services.AddHostedService(CreateTrimmer);
        services.AddHostedService<EvictionLog>();
        services.AddHostedService<Expiry>();
        services.OnReload<RemovedBackend, StudyInvalidation>((invalidation, removed) => invalidation.RemoveBackend(removed.Name));
        services.OnReload<CacheOptions, MemoryParts>((memory, now) => memory.Resize(now.TierMaxBytes));
        services.OnReload<CacheOptions, DiskWriter>((disk, now) =>
        {
            disk.MaxBytes = now.TierDiskMaxBytes;
            disk.QueueMaxBytes = now.QueueMaxBytes;
        });
        services.OnReload<CacheOptions, EntryCache>((cache, now) => (cache.MaxBodyBytes, cache.MaxAge) = (now.MaxBodyBytes, now.MaxAge));
        services.OnReload<CacheOptions, DicomMetadataStore>((store, now) => store.Resize(now.StoreMaxBytes, now.StoreDiskMaxBytes));
    }

    private static HeapTrimmer CreateTrimmer(IServiceProvider services)
    {
        var (memory, store) = (services.GetRequiredService<MemoryParts>(), services.GetRequiredService<DicomMetadataStore>());
        var options = services.GetRequiredService<Reloadable<CacheOptions>>();
        return new(
            () => Environment.WorkingSet, () => memory.Bytes + memory.InFlight.Bytes + store.Bytes, () => options.Value.MemoryMaxBytes,
            services.GetRequiredService<TimeProvider>(), services.GetRequiredService<ILogger<HeapTrimmer>>());
    }
}
