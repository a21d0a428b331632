using Proxy.Backends;
using Proxy.Cache;
using Proxy.Store;

namespace Proxy.Admin;

/// <summary>Whether the process lives, and what state everything behind it is in.</summary>
internal static class HealthEndpoints
{
    public static void MapHealth(this IEndpointRouteBuilder app)
    {
        app.MapGet("/health/live", () => TypedResults.Json(new { status = "live" }));
        app.MapGet("/health/ready", Ready);
    }

    /// <summary>Ready although a PACS is down: the others' studies and what is kept are served, so taking the proxy out would only make it worse.</summary>
    private static IResult Ready(BackendSet backends, BackendStates states, DicomMetadataStore store, MemoryTier memory) => TypedResults.Json(new
    {
        status = "ready",
        backends = backends.All.ToDictionary(b => b.Name, b => Show(states.Find(b.Name))),
        store = new { studies = store.Count, bytes = store.Bytes },
        memory = new { entries = memory.Statistics.CurrentEntryCount, bytes = memory.Statistics.CurrentEstimatedSize, maxBytes = memory.MaxBytes },
    });

    private static object Show(BackendState? state) => state is null
        ? new { state = "unknown" }
        : new
        {
            state = state.IsUp ? "up" : "down",
            since = state.Since,
            asked = state.Asked,
            failed = state.Failed,
            lastFailure = state.LastFailure is { } failure ? $"{failure.Error}: {failure.Detail}" : null,
        };
}
