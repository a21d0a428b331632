using Proxy.Backends;
using Proxy.Cache;
using Proxy.Cache.InMemory;
using Proxy.Cache.OnDisk;
using Proxy.Cluster.Changes;
using Proxy.Disk;

namespace Proxy.Cluster;

/// <summary>Registers the tier that several proxies share.</summary>
internal static class ClusterServices
{
    /// <summary>Puts the engine, if one is set, behind the disk tier. Call it after the cache is registered.</summary>
    public static void AddCluster(this IServiceCollection services, ClusterOptions options)
    {
        if (options.Redis is null) return;
        services.AddSingleton(s => new SharedEngine(
            options, s.GetRequiredService<TimeProvider>(), s.GetRequiredService<ILogger<SharedEngine>>()));
        services.AddSingleton(s => new SharedKeys(s.GetRequiredService<SharedEngine>().Prefix));
        services.AddSingleton(s => new SharedDeletion(
            s.GetRequiredService<SharedEngine>(), s.GetRequiredService<SharedKeys>(), s.GetRequiredService<BackendSet>().FindIdentity));
        services.AddSingleton<ChangeApplication>();
        services.AddSingleton(s => new ChangeLog(
            s.GetRequiredService<SharedEngine>(), s.GetRequiredService<SharedKeys>(), s.GetRequiredService<SharedDeletion>(),
            new(s.GetRequiredService<ChangeApplication>),
            new(s.GetRequiredService<CacheFolder>(), s.GetRequiredService<SharedEngine>().Prefix),
            s.GetRequiredService<TimeProvider>(), s.GetRequiredService<ILogger<ChangeLog>>()));
        services.AddSingleton(s => new SharedBodies(
            s.GetRequiredService<SharedEngine>(), s.GetRequiredService<SharedKeys>(), s.GetRequiredService<ChangeLog>(),
            s.GetRequiredService<MemoryParts>().InFlight, options.MaxBodyBytes));
        services.AddSingleton<SharedWriter>();
        services.AddSingleton<ClusterState>();
        services.AddSingleton<IBodyTier>(s => new SharedTier(
            s.GetRequiredService<DiskTier>(), s.GetRequiredService<SharedBodies>(), s.GetRequiredService<SharedWriter>(),
            s.GetRequiredService<ChangeLog>(), s.GetRequiredService<BackendSet>().FindIdentity, s.GetRequiredService<BodySoundness>(),
            options.MaxBodyBytes));
        services.AddHostedService(s => s.GetRequiredService<ChangeLog>());
        services.AddHostedService(s => s.GetRequiredService<SharedWriter>());
    }
}
