using Proxy;
using Proxy.Admin;
using Proxy.Admin.OpenApi;
using Proxy.Backends;
using Proxy.Backends.PassThrough;
using Proxy.Cache;
using Proxy.Capabilities;
using Proxy.Demo;
using Proxy.Disk;
using Proxy.Events;
using Proxy.Locating;
using Proxy.Metadata;
using Proxy.Operations;
using Proxy.Prefetch;
using Proxy.Retrieve;
using Proxy.Search;
using Proxy.Security;
using Proxy.Storing;

const string demoFlag = "--demo";
if (OpenFileLimit.FindShortage() is { } shortage) return Refuse(shortage);
if (Settings.CreateBuilder([.. args.Where(a => a != demoFlag)], out var unreadable) is not { } builder) return Refuse(unreadable);
await using var demo = args.Contains(demoFlag) ? await DemoPair.StartAsync(builder.Configuration) : null;
Settings.AddDefaults(builder.Configuration);
Settings.AddFiles(builder.Configuration, builder.Environment.ContentRootPath);

var settings = Settings.Read(builder.Configuration, out var errors);
if (errors.Count > 0) return Refuse([.. errors]);

builder.AddServer();
builder.Services.AddSettings(settings);
builder.Services.AddOperations();
builder.Services.AddSecurity();
builder.Services.AddEvents();
builder.Services.AddBackends(builder.Configuration);
builder.Services.AddDisk(settings.Cache.DiskPath);
builder.Services.AddMetadata(settings.Cache.StoreMaxBytes, settings.Cache.StoreDiskMaxBytes);
builder.Services.AddCache(settings.Cache);
builder.Services.AddLocating();
builder.Services.AddSearch();
builder.Services.AddRetrieve();
builder.Services.AddStoring();
builder.Services.AddPrefetch();
builder.Services.AddAdmin();

var app = builder.Build();
app.FollowSettings(settings);
app.UseGuards();
app.UseStatusProblems(CapabilityEndpoints.FindAnswer);
// After the guards, which remove a double slash behind a root.
app.UseRouting();

app.MapDicomWeb();
var routes = app.MapGroup("").WithAccess();
routes.MapPrefetch();
routes.MapStore();
routes.MapEvents();
routes.MapCache();
routes.MapOhif();
routes.MapHealth();
routes.MapOpenApiDocument();
routes.MapPage();
app.MapMetrics();
app.MapForwarding(app.Services.GetRequiredService<StowChanges>().FollowAsync);

await app.RunAsync();
return 0;

static int Refuse(params ReadOnlySpan<string> errors)
{
    Console.Error.WriteLine("The proxy cannot start:\n  " + string.Join("\n  ", errors!));
    return 1;
}
