using System.Collections.Concurrent;

namespace Proxy.Backends;

/// <summary>How a backend has answered of late.</summary>
/// <param name="IsUp">Whether its last answer was usable.</param>
/// <param name="Since">When that began.</param>
/// <param name="Asked">Requests since the start.</param>
/// <param name="Failed">Those among them that failed.</param>
/// <param name="LastFailure">The newest failure; null when there was none.</param>
public sealed record BackendState(bool IsUp, DateTimeOffset Since, long Asked, long Failed, BackendFailure? LastFailure);

/// <summary>What is known of each backend by its answers; one that was never asked has no state.</summary>
public sealed class BackendStates(TimeProvider time)
{
    private readonly ConcurrentDictionary<string, BackendState> _states = new(StringComparer.OrdinalIgnoreCase);

    public BackendState? Find(string backend) => _states.GetValueOrDefault(backend);

    public void Note(string backend, BackendFailure? failure)
    {
        var now = time.GetUtcNow();
        var isUp = failure is null;
        var failed = isUp ? 0 : 1;
        _states.AddOrUpdate(
            backend,
            _ => new(isUp, now, 1, failed, failure),
            (_, state) => new(isUp, state.IsUp == isUp ? state.Since : now, state.Asked + 1, state.Failed + failed, failure ?? state.LastFailure));
    }
}
