using Proxy.Backends;
using Proxy.Backends.Health;
using Proxy.Cache.InMemory;
using Proxy.Cache.OnDisk;
using Proxy.Operations;
using Proxy.Metadata;
using Yarp.ReverseProxy;

namespace Proxy.Admin;

/// <summary>Whether the process lives, and what state everything behind it is in.</summary>
internal static class HealthEndpoints
{
    public static void MapHealth(this IEndpointRouteBuilder app)
    {
        app.MapGet("/health/live", () => TypedResults.Json(new { status = "live" }));
        app.MapGet("/health/ready", Ready);
    }

    /// <summary>
    /// Ready although a PACS is down: the others' studies and what is kept are served, so taking the proxy out would only make it worse.
    /// Nor does it need its disk.
    /// </summary>
    private static IResult Ready(
        BackendSet backends, BackendStates states, IProxyStateLookup yarp, Counters counters, DicomMetadataStore store, MemoryTier memory,
        DiskTier disk) => TypedResults.Json(new
        {
            status = "ready",
            backends = backends.All.ToDictionary(
            b => b.Name, b => Show(states.Find(b.Name), states.GetCircuit(b.Name), GetDestinations(yarp, b.Name))),
            search = new { identityConflicts = counters.IdentityConflicts },
            store = new { studies = store.Count, bytes = store.Bytes, damaged = counters.StoreDamage },
            disk = new
            {
                state = disk.State.Name,
                reason = disk.State.Reason,
                entries = disk.Writer.Entries,
                bytes = disk.Writer.Bytes,
                maxBytes = disk.Writer.MaxBytes
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

    /// <summary>By name, never by address: what YARP's health checks say, and <c>unknown</c> where there is none.</summary>
    private static Dictionary<string, string> GetDestinations(IProxyStateLookup yarp, string backend) =>
        yarp.TryGetCluster(backend, out var cluster)
            ? cluster.DestinationsState.AllDestinations.ToDictionary(
                d => d.DestinationId,
                d => ((Yarp.ReverseProxy.Model.DestinationHealth[])[d.Health.Active, d.Health.Passive]).Max().ToString().ToLowerInvariant())
            : [];
}
