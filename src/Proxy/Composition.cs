using Proxy.Backends;
using Proxy.Backends.Queries;
using Proxy.Cache;
using Proxy.Capabilities;
using Proxy.Metadata;
using Proxy.Operations;
using Proxy.Prefetch;
using Proxy.Retrieve;
using Proxy.Search;
using Proxy.Security;
using Proxy.Storing;

namespace Proxy;

/// <summary>What concerns several features: their settings, and the DICOMweb roots. Each folder registers its own services.</summary>
internal static class Composition
{
    /// <summary>The settings of each feature, reloadable.</summary>
    public static void AddSettings(this IServiceCollection services, Settings settings)
    {
        services.AddSingleton(new BackendSet(settings.Backends));
        services.AddSingleton(new Reloadable<SearchOptions>(settings.Search));
        services.AddSingleton(new Reloadable<RetrieveOptions>(settings.Retrieve));
        services.AddSingleton(new Reloadable<StoreOptions>(settings.Store));
        services.AddSingleton(new Reloadable<CacheOptions>(settings.Cache));
        services.AddSingleton(new Reloadable<PrefetchOptions>(settings.Prefetch));
        services.AddSingleton(new Reloadable<SecurityOptions>(settings.Security));
    }

    /// <summary>Maps the same resources at both kinds of root: all backends as one PACS, and each backend alone.</summary>
    public static void MapDicomWeb(this WebApplication app)
    {
        foreach (var path in (string[])["/dicomweb", $"/backends/{{{AccessFilter.BackendName}}}/dicomweb"])
        {
            var root = app.MapGroup(path).WithAccess().AddEndpointFilter(DisclosureParameters.FilterAsync)
                .AddEndpointFilter(StudyLoading.FilterAsync).AddEndpointFilter(ViewerActivityFilter.FilterAsync);
            root.MapSearch();
            root.MapMetadata();
            root.MapFrames();
            root.MapBulkData();
            root.MapInstances();
            root.MapUri().AddEndpointFilter(CapabilityEndpoints.FilterAsync);
            // The filters above are for requests that read: a client that stores is no viewer that opens a study.
            app.MapGroup(path).WithAccess().MapStow();
        }
    }

    /// <summary>Reports settings without effect, and applies changed settings from now on.</summary>
    public static void FollowSettings(this WebApplication app, Settings first)
    {
        var log = app.Services.GetRequiredService<ILogger<Settings>>();
        if (first.Unused.Count > 0) log.SettingsUnused(string.Join(", ", first.Unused));
        new SettingsReload(app.Services, app.Configuration, log).Follow();
    }
}
