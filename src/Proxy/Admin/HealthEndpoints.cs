using Microsoft.AspNetCore.Http.HttpResults;
using Proxy.Admin.Reports;
using Proxy.Backends;
using Proxy.Backends.Health;
using Proxy.Cache.InMemory;
using Proxy.Cache.OnDisk;
using Proxy.Metadata;
using Proxy.Operations;
using Yarp.ReverseProxy;

namespace Proxy.Admin;

/// <summary><c>/health</c>: liveness, readiness and the state of backends, cache and store.</summary>
internal static class HealthEndpoints
{
    /// <summary>Maps <c>/health/live</c> and <c>/health/ready</c>.</summary>
    public static void MapHealth(this IEndpointRouteBuilder app)
    {
        app.MapGet("/health/live", () => TypedResults.Json(new LivenessReport("live")))
            .WithSummary("Whether the process runs").Produces<LivenessReport>();
        app.MapGet("/health/ready", Ready).WithSummary("The state of backends, disk and memory").Produces<HealthReport>();
    }

    /// <summary>
    /// Reports "ready" even if a PACS or the disk fails: the proxy still serves cached studies and those of other PACS, so taking it
    /// out of service would only make it worse.
    /// </summary>
    private static JsonHttpResult<HealthReport> Ready(
        HttpContext context, BackendStates states, IProxyStateLookup yarp, Counters counters, DicomMetadataStore store, MemoryParts memory,
        DiskTier disk) => TypedResults.Json(new HealthReport(
            "ready",
            context.GetAccess().Backends.ToDictionary(
                b => b.Name, b => Show(states.Find(b.Name), states.GetCircuit(b.Name), GetDestinations(yarp, b.Name))),
            new(counters.IdentityConflicts), new(store.Count, store.Bytes, counters.StoreDamage),
            new(disk.State.Name, disk.State.Reason, disk.Writer.Entries, disk.Writer.Bytes, disk.Writer.MaxBytes),
            new(memory.Entries, memory.Bytes, memory.MaxBytes)));

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
