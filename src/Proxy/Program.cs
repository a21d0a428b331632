using Proxy;
using Proxy.Admin;
using Proxy.Admin.OpenApi;
using Proxy.Admin.Testing;
using Proxy.Audit;
using Proxy.Backends;
using Proxy.Backends.PassThrough;
using Proxy.Cache;
using Proxy.Capabilities;
using Proxy.Cli;
using Proxy.Cluster;
using Proxy.Demo;
using Proxy.Dimse;
using Proxy.Disk;
using Proxy.Events;
using Proxy.Identity;
using Proxy.Imaging;
using Proxy.Locating;
using Proxy.Metadata;
using Proxy.Operations;
using Proxy.Operations.Telemetry;
using Proxy.Prefetch;
using Proxy.Rendering;
using Proxy.Retrieve;
using Proxy.Rights;
using Proxy.Search;
using Proxy.Security;
using Proxy.Storing;
using Proxy.Viewing;

if (CommandLine.IsCommand(args)) return await CommandLine.RunAsync(args, Terminal.OfProcess(), CancellationToken.None);
if (OpenFileLimit.FindShortage() is { } shortage) return Refuse(shortage);
var (isDemo, given) = CommandLine.ReadServe(args);
if (Settings.CreateBuilder(given, out var unreadable) is not { } builder) return Refuse(unreadable);
await using var demo = isDemo ? await DemoPair.StartAsync(builder.Configuration) : null;
Settings.AddDefaults(builder.Configuration);
Settings.AddFiles(builder.Configuration, builder.Environment.ContentRootPath);

var settings = Settings.Read(builder.Configuration, out var errors);
if (errors.Count > 0) return Refuse([.. errors]);

// A failure of the start is reported below, in a line instead of a stack trace.
var hasStarted = false;
builder.Logging.AddFilter("Microsoft.Extensions.Hosting.Internal.Host", level => hasStarted && level >= LogLevel.Warning);
// It runs beside the composition, and before the server listens: nothing of it reaches clients, metrics or records.
var warmUp = WarmUp.Begin(settings.Startup, Build);
var app = Build(builder, settings);
app.Lifetime.ApplicationStarted.Register(() =>
{
    hasStarted = true;
    if (demo is not null) Console.WriteLine(DemoPair.Welcome(app.Urls));
});
try
{
    if (await warmUp is { } reason) app.Logger.WarmUpFailed(reason);
    await app.RunAsync();
    return 0;
}
catch (Exception e) when (!hasStarted && ListenAddresses.FindReason(e, builder.Configuration) is { } refusal)
{
    return Refuse(refusal);
}

static int Refuse(params ReadOnlySpan<string> errors)
{
    Console.Error.WriteLine("The proxy cannot start:\n  " + string.Join("\n  ", errors!));
    return 1;
}

/// <summary>The composition of the proxy: the services of each folder, then the pipeline and the addresses.</summary>
public partial class Program
{
    /// <summary>Composes a proxy, which does not listen yet.</summary>
    internal static WebApplication Build(WebApplicationBuilder builder, Settings settings)
    {
        builder.AddServer(settings.Security);
        builder.Services.AddSettings(settings);
        builder.Services.AddOperations();
        builder.Services.AddTelemetry(settings.Telemetry);
        builder.Services.AddIdentity(settings.Security.Identity, s => new SessionKeyStore(s.GetRequiredService<CacheFolder>()));
        builder.Services.AddSecurity(settings.Shutdown);
        builder.Services.AddEvents();
        builder.Services.AddBackends(builder.Configuration);
        builder.Services.AddImaging(
            settings.Cache.CodecFolder, settings.Cache.PreparesCodecs, s => s.GetRequiredService<CacheFolder>().State.CanWrite);
        builder.Services.AddDisk(settings.Cache.DiskPath, settings.Cache.Encryption);
        builder.Services.AddMetadata(settings.Cache.StoreMaxBytes, settings.Cache.StoreDiskMaxBytes);
        builder.Services.AddCache(settings.Cache);
        builder.Services.AddDimse();
        builder.Services.AddCluster(settings.Cluster);
        builder.Services.AddAudit(settings.Audit, Composition.FindPatientAsync);
        builder.Services.AddRights();
        builder.Services.AddLocating();
        builder.Services.AddSearch();
        builder.Services.AddRetrieve();
        builder.Services.AddStoring();
        builder.Services.AddRendering();
        builder.Services.AddPrefetch();
        builder.Services.AddViewing();
        builder.Services.AddStartTest(settings.Startup);
        builder.Services.AddAdmin();

        var app = builder.Build();
        Map(app, settings);
        return app;
    }

    /// <summary>Adds the pipeline and the addresses.</summary>
    private static void Map(WebApplication app, Settings settings)
    {
        app.FollowSettings(settings);
        app.UseAudit();
        app.UseGuards();
        app.UseAuditGate(settings.Audit);
        app.UseStatusProblems(CapabilityEndpoints.FindAnswer);
        // After the guards, which remove a double slash behind a root.
        app.UseRouting();
        app.UseEntryGuards(settings.Security);
        app.UseIdentity(settings.Security.Identity);
        app.UseCallerLimits(settings.Security);
        app.UseMiddleware<SharedServices>();

        app.MapDicomWeb();
        var routes = app.MapGroup("").WithRights().AddEndpointFilter(ReadRoutes.EndHeadAsync);
        routes.MapPrefetch();
        routes.MapStore();
        routes.MapEmergency();
        routes.MapEvents();
        routes.MapOhif();
        routes.MapViewer();
        routes.MapPage();
        var open = routes.MapGroup("").Requires(Roles.None);
        routes.MapCaller();
        open.MapSignIn(settings.Security.Identity);
        open.MapGroup("").DisableRateLimiting().MapHealth();
        open.MapOpenApiDocument();
        var operators = routes.MapGroup("").Requires(Roles.Operator);
        operators.MapCache();
        operators.MapTraffic();
        operators.MapSettings();
        operators.MapWarnings();
        operators.MapBackendTests();
        operators.MapSupport();
        app.MapMetrics().Requires(Roles.Operator);
        app.MapForwarding(
            app.Services.GetRequiredService<ForwardedRights>().FindRefusalAsync,
            app.Services.GetRequiredService<StowChanges>().FollowAsync);
    }
}
