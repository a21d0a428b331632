using System.Collections.Concurrent;
using Polly.CircuitBreaker;
using Proxy.Events;
using Proxy.Operations;

namespace Proxy.Backends.Health;

/// <summary>How a backend has answered of late.</summary>
/// <param name="IsUp">Whether its last answer was usable.</param>
/// <param name="Since">When that began.</param>
/// <param name="Asked">Requests since the start.</param>
/// <param name="Failed">Those among them that failed.</param>
/// <param name="Opened">How often it was given up on for a while.</param>
/// <param name="LastFailure">The newest failure; null when there was none.</param>
public sealed record BackendState(bool IsUp, DateTimeOffset Since, long Asked, long Failed, long Opened, BackendFailure? LastFailure);

/// <summary>What is known of each backend by its answers; one that was never asked has no state.</summary>
public sealed class BackendStates(TimeProvider time, Counters counters, EventLog events, ILogger<BackendStates> log)
{
    /// <summary>A backend that failed has to answer well for so long before it is given a series back that another holds.</summary>
    private static readonly TimeSpan SteadyAfter = TimeSpan.FromSeconds(60);

    private readonly ConcurrentDictionary<string, Holder> _holders = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>The one mutable holder of a backend's state.</summary>
    private sealed class Holder
    {
        public readonly Lock Lock = new();
        public readonly Circuit Circuit;
        public readonly Attempts Attempts;
        public BackendState? State;
        public long Opened;

        public Holder(TimeProvider time, Action<CircuitState> changed, Action<string> sentAgain)
        {
            Circuit = new(time, state =>
            {
                if (state == CircuitState.Open) Interlocked.Increment(ref Opened);
                changed(state);
            });
            Attempts = new(time, sentAgain);
        }
    }

    public BackendState? Find(string backend) => _holders.GetValueOrDefault(backend) is { State: { } state } holder ? state with { Opened = Interlocked.Read(ref holder.Opened) } : null;

    public Circuit CircuitOf(string backend) => Of(backend).Circuit;

    /// <summary>How one question to the backend is sent.</summary>
    public Attempts AttemptsOf(string backend) => Of(backend).Attempts;

    /// <summary>Why the backend is not asked at all for now; null when it is.</summary>
    public BackendFailure? FindRefusal(string backend) =>
        _holders.GetValueOrDefault(backend) is { Circuit.IsClosed: false, State.LastFailure: { } last } ? last with { Detail = "not asked for a while: " + last.Detail } : null;

    /// <summary>Whether the backend has not failed for long enough to be relied on again.</summary>
    public bool IsSteady(string backend) =>
        _holders.GetValueOrDefault(backend) is not { State: { LastFailure: not null } state } || state.IsUp && time.GetUtcNow() - state.Since >= SteadyAfter;

    public void Note(string backend, BackendFailure? failure)
    {
        var holder = Of(backend);
        var now = time.GetUtcNow();
        var isUp = failure is null;
        bool hasChanged;
        lock (holder.Lock)
        {
            var before = holder.State;
            var since = before is not null && before.IsUp == isUp ? before.Since : now;
            holder.State = new(isUp, since, (before?.Asked ?? 0) + 1, (before?.Failed ?? 0) + (isUp ? 0 : 1), 0, failure ?? before?.LastFailure);
            hasChanged = before?.IsUp != isUp && (before is not null || !isUp);
            // Here, so that they come in the order of the changes.
            if (hasChanged) events.Publish(new(isUp ? ProxyEvent.BackendUp : ProxyEvent.BackendDown) { Backend = backend });
        }
        if (failure is not null) counters.BackendFailed(backend, failure.Error.ToString());
        if (hasChanged) Tell(backend, isUp ? "up" : "down");
        holder.Circuit.Record(failure);
    }

    /// <summary>Forgets a backend that is configured no more, or has moved.</summary>
    public void Forget(string backend) => _holders.TryRemove(backend, out _);

    private Holder Of(string backend) => _holders.GetOrAdd(backend, name => new(
        time,
        state => Tell(name, state == CircuitState.Open ? "not asked for a while" : "asked again"),
        kind => counters.SentAgain(name, kind)));

    private void Tell(string backend, string state)
    {
        log.BackendChanged(backend, state);
        counters.BackendChanged(backend, state);
    }
}
