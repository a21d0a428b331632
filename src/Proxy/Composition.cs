using Proxy.Audit;
using Proxy.Backends;
using Proxy.Backends.Queries;
using Proxy.Cache;
using Proxy.Capabilities;
using Proxy.Dicom;
using Proxy.Identity;
using Proxy.Metadata;
using Proxy.Operations;
using Proxy.Prefetch;
using Proxy.Rendering;
using Proxy.Retrieve;
using Proxy.Rights;
using Proxy.Search;
using Proxy.Security;
using Proxy.Storing;
using Proxy.Viewing;

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
        services.AddSingleton(new Reloadable<IdentityOptions>(settings.Security.Identity));
        services.AddSingleton(new Reloadable<AccessOptions>(settings.Access));
        services.AddSingleton(new Reloadable<SettingsInForce>(settings.InForce));
        services.AddSingleton(new Reloadable<ViewerOptions>(settings.Viewer));
    }

    /// <summary>Maps the same resources at both kinds of root: all backends as one PACS, and each backend alone.</summary>
    public static void MapDicomWeb(this WebApplication app)
    {
        foreach (var path in (string[])["/dicomweb", $"/backends/{{{AccessFilter.BackendName}}}/dicomweb"])
        {
            var root = app.MapGroup(path).WithMetadata(SharedServices.Marker).WithRights()
                .AddEndpointFilter(DisclosureParameters.FilterAsync)
                .AddEndpointFilter(StudyLoading.FilterAsync).AddEndpointFilter(ViewerActivityFilter.FilterAsync);
            root.MapGroup("").Lists().MapSearch();
            root.MapMetadata();
            root.MapFrames();
            root.MapBulkData();
            root.MapInstances();
            root.MapUri().NamesStudyInQuery().AddEndpointFilter(CapabilityEndpoints.FilterAsync).AddEndpointFilter(RenderedUri.FilterAsync);
            // Pictures are also shown in lists: a client that asks for one does not open the study.
            app.MapGroup(path).WithRights().AddEndpointFilter(DisclosureParameters.FilterAsync).AddEndpointFilter(StudyLoading.FilterAsync)
                .MapRendered();
            // The filters above are for requests that read: a client that stores is no viewer that opens a study.
            app.MapGroup(path).WithAccess().MapStow();
        }
    }

    /// <summary>The patient of a study for audit records, from the metadata store alone.</summary>
    public static async ValueTask<AuditPatient?> FindPatientAsync(IServiceProvider services, Uid study, CancellationToken cancellation)
    {
        var store = services.GetRequiredService<DicomMetadataStore>();
        using var lease = await store.LeaseAsync(study, cancellation);
        foreach (var list in store.GetStudy(study)?.SeriesLists.Values ?? [])
        {
            var row = list.StudyRow ?? list.Series.Values.Select(series => series.Summary).FirstOrDefault(summary => summary is not null);
            if (row?.FindString(Tag.PatientId) is { Length: > 0 } id) return new(id, row.FindString(Tag.PatientName) ?? "");
        }
        return null;
    }

    /// <summary>Reports settings without effect, and applies changed settings from now on.</summary>
    public static void FollowSettings(this WebApplication app, Settings first)
    {
        var log = app.Services.GetRequiredService<ILogger<Settings>>();
        if (first.Unused.Count > 0) log.SettingsUnused(string.Join(", ", first.Unused));
        new SettingsReload(app.Services, app.Configuration, log).Follow();
    }
}
