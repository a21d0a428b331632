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
        app.MapGet("/health/live", () => TypedResults.Json(new { status = "live" }));
        app.MapGet("/health/ready", Ready);
    }

    /// <summary>
    /// Reports "ready" even if a PACS or the disk fails: the proxy still serves cached studies and those of other PACS, so taking it
    /// out of service would only make it worse.
    /// </summary>
    private static IResult Ready(
        HttpContext context, BackendStates states, IProxyStateLookup yarp, Counters counters, DicomMetadataStore store, MemoryParts memory,
        DiskTier disk) => TypedResults.Json(new
        {
            status = "ready",
            backends = context.GetAccess().Backends.ToDictionary(
                b => b.Name, b => Show(states.Find(b.Name), states.GetCircuit(b.Name), GetDestinations(yarp, b.Name))),
            search = new { identityConflicts = counters.IdentityConflicts },
            store = new { studies = store.Count, bytes = store.Bytes, damaged = counters.StoreDamage },
            disk = new
            {
                state = disk.State.Name,
                reason = disk.State.Reason,
                entries = disk.Writer.Entries,
                bytes = disk.Writer.Bytes,
                maxBytes = disk.Writer.MaxBytes,
            },
            memory = new { entries = memory.Entries, bytes = memory.Bytes, maxBytes = memory.MaxBytes },
        });

    private static object Show(BackendState? state, Circuit circuit, Dictionary<string, string> destinations) => state is null
        ? new { state = "unknown", circuit = "closed", destinations }
        : new
        {
            state = state.IsUp ? "up" : "down",
            since = state.Since,
            circuit = circuit.IsClosed ? "closed" : "open",
            opened = state.Opened,
            asked = state.Asked,
            failed = state.Failed,
            lastFailure = state.LastFailure is { } failure ? $"{failure.Error}: {failure.Detail}" : null,
            destinations,
        };

    /// <summary>The results of YARP's health checks by destination name, never address; <c>unknown</c> without a health check.</summary>
    private static Dictionary<string, string> GetDestinations(IProxyStateLookup yarp, string backend) =>
        yarp.TryGetCluster(backend, out var cluster)
            ? cluster.DestinationsState.AllDestinations.ToDictionary(
                d => d.DestinationId,
                d => ((Yarp.ReverseProxy.Model.DestinationHealth[])[d.Health.Active, d.Health.Passive]).Max().ToString().ToLowerInvariant())
            : [];
}
