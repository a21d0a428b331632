using Proxy.Admin.Reports;
using Proxy.Backends;
using Proxy.Backends.Health;
using Proxy.Cache.InMemory;
using Proxy.Cache.OnDisk;
using Proxy.Cluster;
using Proxy.Disk;
using Proxy.Identity;
using Proxy.Metadata;
using Proxy.Operations;
using Proxy.Viewing;
using Yarp.ReverseProxy;

namespace Proxy.Admin;

/// <summary><c>/health</c>: liveness, readiness and the state of backends, cache and store.</summary>
internal static class HealthEndpoints
{
    private const string Operational = "ready";

    /// <summary>Maps <c>/health/live</c> and <c>/health/ready</c>.</summary>
    public static void MapHealth(this IEndpointRouteBuilder app)
    {
        app.MapRead("/health/live", () => TypedResults.Json(new LivenessReport("live")))
            .WithSummary("Whether the process runs").Produces<LivenessReport>();
        app.MapRead("/health/ready", Ready).WithSummary("Whether the proxy may get requests, with the state of backends, disk and memory")
            .Produces<HealthReport>().Produces<HealthReport>(StatusCodes.Status503ServiceUnavailable)
            .Describe(operation => (operation.Parameters ??= []).Add(OpenApiParts.Query(
                "watch", "true: idle backends are probed every 3 s for the next 10 s", OpenApiParts.Text("true"))));
    }

    private static IResult Ready(
        HttpContext context, BackendStates states, IProxyStateLookup yarp, Counters counters, DicomMetadataStore store, MemoryParts memory,
        DiskTier disk)
    {
        var lifetime = context.RequestServices.GetRequiredService<IHostApplicationLifetime>();
        var status = GetStatus(lifetime, disk.State);
        var code = status == Operational ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;
        // A load balancer needs no more.
        if (!context.GetCaller().Has(Roles.Operator)) return TypedResults.Json(new LivenessReport(status), statusCode: code);
        if (context.Request.Query["watch"] == "true") context.RequestServices.GetRequiredService<BackendProber>().Watch();
        var report = new HealthReport(
            status,
            context.GetAccess().Backends.ToDictionary(
                b => b.Name, b => Show(states.Find(b.Name), states.GetCircuit(b.Name), GetDestinations(yarp, b.Name))),
            new(counters.IdentityConflicts), new(store.Count, store.Bytes, counters.StoreDamage),
            new(disk.State.Name, disk.State.Reason, disk.Writer.Entries, disk.Writer.Bytes, disk.Writer.MaxBytes),
            new(memory.Entries, memory.Bytes, memory.MaxBytes),
            context.RequestServices.GetRequiredService<ViewerSite>().IsSet ? ViewerEndpoints.Path : null)
        {
            Cluster = context.RequestServices.GetService<ClusterState>() is { } cluster
                ? new(cluster.Reason is null ? "up" : "degraded", cluster.Reason, cluster.Node)
                : null,
        };
        return TypedResults.Json(report, statusCode: code);
    }

    /// <summary>
    /// Whether the proxy may get requests. A PACS that fails does not matter: the proxy still serves cached studies and those of other
    /// PACS. A folder that can be read, but is full or read-only, does not matter either; one that is not configured is no failure.
    /// </summary>
    private static string GetStatus(IHostApplicationLifetime lifetime, FolderState disk) =>
        lifetime.ApplicationStopping.IsCancellationRequested ? "stopping"
        : !lifetime.ApplicationStarted.IsCancellationRequested ? "starting"
        : disk is { IsConfigured: true, CanRead: false } ? "unusable"
        : Operational;

    private static BackendReport Show(BackendState? state, Circuit circuit, Dictionary<string, string> destinations) => state is null
        ? new BackendReport { State = "unknown", Circuit = "closed", Destinations = destinations }
        : new AskedBackendReport
        {
            State = state.IsUp ? "up" : "down",
            Since = state.Since,
            Circuit = circuit.IsClosed ? "closed" : "open",
            Opened = state.Opened,
            Asked = state.Asked,
            Failed = state.Failed,
            LastFailure = state.LastFailure is { } failure ? $"{failure.Error}: {failure.Detail}" : null,
            Destinations = destinations,
        };

    /// <summary>The results of YARP's health checks by destination name, never address; <c>unknown</c> without a health check.</summary>
    private static Dictionary<string, string> GetDestinations(IProxyStateLookup yarp, string backend) =>
        yarp.TryGetCluster(backend, out var cluster)
            ? cluster.DestinationsState.AllDestinations.ToDictionary(
                d => d.DestinationId,
                d => ((Yarp.ReverseProxy.Model.DestinationHealth[])[d.Health.Active, d.Health.Passive]).Max().ToString().ToLowerInvariant())
            : [];
}
