using Microsoft.Extensions.Primitives;
using Proxy.Backends;
using Proxy.Backends.DicomWeb;
using Proxy.Backends.Health;
using Proxy.Backends.Queries;
using Proxy.Cache;
using Proxy.Cache.InMemory;
using Proxy.Cache.OnDisk;
using Proxy.Metadata;
using Proxy.Operations;
using Proxy.Prefetch;
using Proxy.Retrieve;
using Proxy.Search;
using Proxy.Security;

namespace Proxy;

/// <summary>Applies changed settings at runtime, one reload at a time.</summary>
internal static class SettingsReload
{
    /// <summary>Applies changed settings at runtime. Settings with an error are rejected as a whole. The log reports either.</summary>
    public static void FollowSettings(this WebApplication app, Settings first)
    {
        var log = app.Services.GetRequiredService<ILogger<Settings>>();
        var reloading = new Lock();
        var current = new SettingsSnapshot(app.Configuration);
        if (first.Unused.Count > 0) log.SettingsUnused(string.Join(", ", first.Unused));
        ChangeToken.OnChange(((IConfiguration)app.Configuration).GetReloadToken, () =>
        {
            lock (reloading)
            {
                var now = new SettingsSnapshot(app.Configuration);
                var settings = Settings.Read(app.Configuration, out var errors);
                if (errors.Count > 0)
                {
                    log.SettingsInvalid(string.Join("; ", errors));
                    return;
                }
                app.Services.Apply(settings);
                var changes = now.FindChanges(current);
                current = now;
                log.SettingsReloaded(string.Join(", ", settings.Backends.Select(b => b.Name)), SettingsSnapshot.Show(changes));
                var deferred = changes.Where(Settings.NeedsRestart).ToList();
                if (deferred.Count > 0) log.SettingsNeedRestart(SettingsSnapshot.Show(deferred));
            }
        });
    }

    private static void Apply(this IServiceProvider services, Settings settings)
    {
        var removed = services.GetRequiredService<BackendSet>().Set(settings.Backends);
        foreach (var backend in removed) services.Forget(backend);
        services.GetRequiredService<Reloadable<SearchOptions>>().Replace(settings.Search);
        services.GetRequiredService<Reloadable<RetrieveOptions>>().Replace(settings.Retrieve);
        services.GetRequiredService<Reloadable<CacheOptions>>().Replace(settings.Cache);
        services.GetRequiredService<Reloadable<PrefetchOptions>>().Replace(settings.Prefetch);
        services.GetRequiredService<Reloadable<SecurityOptions>>().Replace(settings.Security);
        services.GetRequiredService<MemoryTier>().Resize(settings.Cache.TierMaxBytes);
        services.GetRequiredService<DiskWriter>().MaxBytes = settings.Cache.TierDiskMaxBytes;
        services.GetRequiredService<DiskWriter>().QueueMaxBytes = settings.Cache.QueueMaxBytes;
        services.GetRequiredService<EntryCache>().MaxBodyBytes = settings.Cache.MaxBodyBytes;
        services.GetRequiredService<DicomMetadataStore>().Resize(settings.Cache.StoreMaxBytes, settings.Cache.StoreDiskMaxBytes);
    }

    /// <summary>Removes all data of a removed backend.</summary>
    private static void Forget(this IServiceProvider services, string backend)
    {
        services.GetRequiredService<DicomMetadataStore>().RemoveBackend(backend);
        services.GetRequiredService<FederatedSearch>().Forget(backend);
        services.GetRequiredService<EntryCache>().Remove(backend);
        services.GetRequiredService<BackendStates>().Remove(backend);
        services.GetRequiredService<BackendClient>().ClearDenials(backend);
    }
}
