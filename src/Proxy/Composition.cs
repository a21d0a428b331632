using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;
using Proxy.Backends;
using Proxy.Backends.DicomWeb;
using Proxy.Backends.Health;
using Proxy.Backends.Queries;
using Proxy.Backends.Transport;
using Proxy.Cache;
using Proxy.Cache.InMemory;
using Proxy.Cache.OnDisk;
using Proxy.Disk;
using Proxy.Events;
using Proxy.Locating;
using Proxy.Metadata;
using Proxy.Metadata.Persistence;
using Proxy.Operations;
using Proxy.Prefetch;
using Proxy.Prefetch.Fetching;
using Proxy.Prefetch.Jobs;
using Proxy.Prefetch.Planning;
using Proxy.Retrieve;
using Proxy.Retrieve.Checks;
using Proxy.Search;
using Proxy.Security;
using Proxy.Wire;
using Yarp.ReverseProxy.Forwarder;
using Yarp.ReverseProxy.Model;

namespace Proxy;

/// <summary>The registrations and middleware that <c>Program.cs</c> lists, one method each.</summary>
internal static class Composition
{
    /// <summary>Kestrel, its limits and memory, and the clock.</summary>
    public static void AddServer(this WebApplicationBuilder builder)
    {
        if (!ListenAddresses.IsSet(builder.Configuration)) builder.WebHost.UseUrls(ListenAddresses.DefaultUrl);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestHeadersTotalSize = RequestGuard.ServerHeaderBytes;
            // The buffer of a slow client, in addition to the current step (ResponseSteps).
            kestrel.Limits.MaxResponseBufferSize = ResponseSteps.SmallBytes * 2;
            kestrel.Limits.MaxRequestLineSize = RequestGuard.MaxHeaderBytes;
        });
        builder.Services.AddSingleton<IMemoryPoolFactory<byte>, BlockPool>();
        builder.Services.AddSingleton<ResponseSteps>();
        builder.Services.AddSingleton<TimeProvider>(new SteadyTimeProvider(TimeProvider.System));
    }

    /// <summary>The settings of each feature, reloadable.</summary>
    public static void AddSettings(this IServiceCollection services, Settings settings)
    {
        services.AddSingleton(new BackendSet(settings.Backends));
        services.AddSingleton(new Reloadable<SearchOptions>(settings.Search));
        services.AddSingleton(new Reloadable<RetrieveOptions>(settings.Retrieve));
        services.AddSingleton(new Reloadable<CacheOptions>(settings.Cache));
        services.AddSingleton(new Reloadable<PrefetchOptions>(settings.Prefetch));
        services.AddSingleton(new Reloadable<SecurityOptions>(settings.Security));
    }

    /// <summary>The event log and its listeners.</summary>
    public static void AddEvents(this IServiceCollection services)
    {
        services.AddSingleton(s => new EventLog(s.GetRequiredService<ILogger<EventLog>>()));
        services.AddSingleton<EventStreams>();
    }

    /// <summary>Requests to backends: YARP's clusters, health, permits, scheduling.</summary>
    public static void AddBackends(this IServiceCollection services, IConfiguration configuration)
    {
        var clusters = new ConfigurationBuilder().Add(new YarpConfiguration(configuration, () => Settings.AreValid(configuration))).Build();
        services.AddReverseProxy().LoadFromConfig(clusters).AddForwarding();
        // YARP's session affinity, unused here, would store data protection keys on disk.
        services.AddDataProtection().UseEphemeralDataProtectionProvider();
        services.Remove(services.Single(
            s => s.ServiceType == typeof(IHostedService) && s.ImplementationType?.Assembly == typeof(IDataProtectionBuilder).Assembly));
        services.AddSingleton<IForwarderHttpClientFactory, BackendHttpClientFactory>();
        services.AddSingleton<Counters>();
        services.AddSingleton<BackendStates>();
        services.AddSingleton<BackendPermits>();
        services.AddSingleton<DestinationSelector>();
        services.AddSingleton<BackendExchange>();
        services.AddSingleton<BackendClient>();
        services.AddSingleton<BackendScheduler>();
        services.AddHostedService<BackendProber>();
    }

    /// <summary>The cache folder, the metadata store and both cache tiers.</summary>
    public static void AddStore(this IServiceCollection services, CacheOptions options)
    {
        services.AddSingleton(s => new CacheFolder(options.DiskPath, s.GetRequiredService<ILogger<CacheFolder>>()));
        services.AddHostedService<CacheFolderMonitor>();
        services.AddSingleton<BulkTokens>();
        services.AddHostedService<TokenKeyStore>();
        services.AddSingleton(s => new StudyFile(
            s.GetRequiredService<CacheFolder>(), s.GetRequiredService<BackendSet>().FindIdentity,
            s.GetRequiredService<BackendSet>().FindName, s.GetRequiredService<Counters>(),
            s.GetRequiredService<ILogger<StudyFile>>()));
        services.AddSingleton(s => new DicomMetadataStore(
            s.GetRequiredService<BackendSet>().GetPreference, s.GetRequiredService<TimeProvider>(), s.GetRequiredService<EventLog>(),
            options.StoreMaxBytes, s.GetRequiredService<StudyFile>(), options.StoreDiskMaxBytes));
        services.AddHostedService<StoreWriter>();
        services.AddSingleton(s => new MemoryTier(options.TierMaxBytes, s.GetRequiredService<TimeProvider>()));
        services.AddSingleton(s => new DiskWriter(
            s.GetRequiredService<CacheFolder>(), s.GetRequiredService<BackendSet>().FindName, options.TierDiskMaxBytes,
            s.GetRequiredService<TimeProvider>(), s.GetRequiredService<ILogger<DiskWriter>>())
        {
            QueueMaxBytes = options.QueueMaxBytes,
        });
        services.AddHostedService(s => s.GetRequiredService<DiskWriter>());
        services.AddSingleton(s => new DiskTier(
            s.GetRequiredService<CacheFolder>(), s.GetRequiredService<DiskWriter>(), s.GetRequiredService<BackendSet>().FindIdentity,
            s.GetRequiredService<MemoryTier>().InFlight, s.GetRequiredService<TimeProvider>(), s.GetRequiredService<Counters>(),
            s.GetRequiredService<ILogger<DiskTier>>())
        {
            IsSound = s.GetRequiredService<EntryCheck>().IsSound,
        });
        services.AddSingleton(s => new EntryCache(
            s.GetRequiredService<MemoryTier>(), s.GetRequiredService<DiskTier>(), s.GetRequiredService<TimeProvider>(),
            s.GetRequiredService<ILogger<EntryCache>>())
        {
            MaxBodyBytes = options.MaxBodyBytes,
        });
    }

    /// <summary>The service that keeps the process within its memory limit.</summary>
    public static void AddMemoryBound(this IServiceCollection services) => services.AddHostedService(s =>
    {
        var (memory, store) = (s.GetRequiredService<MemoryTier>(), s.GetRequiredService<DicomMetadataStore>());
        return new HeapTrimmer(
            () => Environment.WorkingSet, () => memory.Bytes + memory.InFlight.Bytes + store.Bytes,
            () => s.GetRequiredService<Reloadable<CacheOptions>>().Value.MemoryMaxBytes, s.GetRequiredService<TimeProvider>(),
            s.GetRequiredService<ILogger<HeapTrimmer>>());
    });

    /// <summary>Search and retrieve.</summary>
    public static void AddDicomWeb(this IServiceCollection services)
    {
        services.AddSingleton<BackendSearch>();
        services.AddSingleton<SeriesListReader>();
        services.AddSingleton(s => new OwnerRule(
            s.GetRequiredService<BackendSet>().GetPreference, s.GetRequiredService<BackendStates>().IsSteady));
        services.AddSingleton<StudyCounts>();
        services.AddSingleton<StoredInstances>();
        services.AddSingleton<FederatedSearch>();
        services.AddSingleton<SeriesReader>();
        services.AddSingleton<ReadyMetadata>();
        services.AddSingleton<FrameCutter>();
        services.AddSingleton<PixelDescriptions>();
        services.AddSingleton<EntryCheck>();
        services.AddSingleton<BodyFetch>();
        services.AddSingleton<ObservedForms>();
        services.AddSingleton<CachedBodies>();
        services.AddSingleton<BodyReader>();
        services.AddSingleton<BulkDataReader>();
        services.AddSingleton<WholeSeries>();
        services.AddSingleton<SeriesAnswer>();
        services.AddSingleton<SeriesBodies>();
        services.AddSingleton<PackedFrames>();
        services.AddHostedService(s => s.GetRequiredService<PackedFrames>());
    }

    /// <summary>Work lists, prefetch jobs and rules.</summary>
    public static void AddPrefetch(this IServiceCollection services)
    {
        services.AddSingleton<WorkLists>();
        services.AddSingleton<PrefetchSearch>();
        services.AddSingleton<PriorSearch>();
        services.AddSingleton<ThroughputEstimator>();
        services.AddSingleton<JobSlots>();
        services.AddSingleton<PixelFetch>();
        services.AddSingleton<StudyFetch>();
        services.AddSingleton<JobRegistry>();
        services.AddSingleton<JobFile>();
        services.AddSingleton<Prefetcher>();
        services.AddHostedService(s => s.GetRequiredService<Prefetcher>());
        services.AddHostedService<JobPersistence>();
        services.AddHostedService<PrefetchRuleRunner>();
    }

    /// <summary>CORS and the known hosts.</summary>
    public static void AddSecurity(this IServiceCollection services)
    {
        services.AddCors();
        services.AddSingleton<KnownHosts>();
    }

    /// <summary>The middleware of every request, in order.</summary>
    public static void UseGuards(this WebApplication app)
    {
        var security = app.Services.GetRequiredService<Reloadable<SecurityOptions>>();
        app.UseCors(policy => Origins.Allow(policy, security));
        app.UseMiddleware<RequestGuard>();
        app.UseForwarded(security.Value);
        app.UseMiddleware<SiteGuard>();
        app.UseStatusCodePages(context => IsForwardedAnswer(context.HttpContext)
            ? Task.CompletedTask
            : GetProblem(context.HttpContext).ExecuteAsync(context.HttpContext));
        // After the guards, which remove a double slash behind a root.
        app.UseRouting();
    }

    /// <summary>Maps the same resources at both kinds of root: all backends as one PACS, and each backend alone.</summary>
    public static void MapDicomWeb(this WebApplication app)
    {
        foreach (var path in (string[])["/dicomweb", $"/backends/{{{AccessFilter.BackendName}}}/dicomweb"])
        {
            var root = app.MapGroup(path).AddEndpointFilter(AccessFilter.InvokeAsync).AddEndpointFilter(StudyLoading.FilterAsync)
                .AddEndpointFilter(ViewerActivityFilter.FilterAsync);
            root.MapSearch();
            root.MapMetadata();
            root.MapFrames();
            root.MapBulkData();
            root.MapInstances();
            root.MapUri();
        }
    }

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

    /// <summary>Whether a PACS gave the answer to a forwarded request: its status and body pass unchanged.</summary>
    private static bool IsForwardedAnswer(HttpContext context) =>
        context.Features.Get<IReverseProxyFeature>() is not null && context.Features.Get<IForwarderErrorFeature>() is null;

    private static IResult GetProblem(HttpContext context) => context.Response.StatusCode switch
    {
        405 => Problems.MethodNotAllowed(),
        400 => Problems.BadParameter("request", "malformed"),
        502 => Problems.BadGateway("The request was forwarded, but the PACS did not answer."),
        503 => Problems.Unavailable("The request could not be forwarded: no destination of the PACS is healthy."),
        504 => Problems.TimedOut("The request was forwarded, but the PACS did not answer in time."),
        413 => Problems.RequestRefused(413, ""),
        not 404 and var status => Problems.FromStatus(status),
        _ => Problems.NotFound(
            context.Features.Get<IEndpointFeature>()?.Endpoint is null ? "No resource exists at this address." : "Not found."),
    };
}
