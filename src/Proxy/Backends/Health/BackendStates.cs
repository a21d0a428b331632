using System.Collections.Concurrent;
using Polly.CircuitBreaker;
using Proxy.Dicom;
using Proxy.Events;
using Proxy.Operations;
using Proxy.Operations.Telemetry;

namespace Proxy.Backends.Health;

/// <summary>The health of one backend and its counters since the start.</summary>
/// <param name="IsUp">Whether the backend works; failures of the objects of one study do not change it.</param>
/// <param name="Since">The time of the last change of <paramref name="IsUp"/>.</param>
/// <param name="Asked">The number of requests.</param>
/// <param name="Failed">The number of failed requests.</param>
/// <param name="Opened">How often the circuit opened.</param>
/// <param name="LastFailure">The latest failure; null for none.</param>
/// <param name="WasDown">Whether the backend has been down.</param>
public sealed record BackendState(
    bool IsUp, DateTimeOffset Since, long Asked, long Failed, long Opened, BackendFailure? LastFailure, bool WasDown)
{
    /// <summary>The time of <see cref="LastFailure"/>; null for none.</summary>
    public DateTimeOffset? LastFailedAt { get; init; }
}

/// <summary>What a failure of a request is evidence against.</summary>
/// <param name="Scope">The scope of the request.</param>
/// <param name="Study">The study of the request; null for none.</param>
public readonly record struct Evidence(FailureScope Scope, Uid? Study = null);

/// <summary>The health of each backend, derived from its answers; a backend without requests has no state.</summary>
public sealed class BackendStates(
    TimeProvider time, Counters counters, Traffic traffic, EventLog events, ILogger<BackendStates> log)
{
    /// <summary>After a failure, a backend must work this long before it regains ownership of series that another backend holds.</summary>
    private static readonly TimeSpan SteadyAfter = TimeSpan.FromSeconds(60);

    /// <summary>The age up to which an answer proves that the backend works now.</summary>
    private static readonly TimeSpan Recent = TimeSpan.FromSeconds(10);

    /// <summary>The bounds and the default of the pause that an overloaded backend requests with Retry-After.</summary>
    private static readonly TimeSpan MinPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan DefaultPause = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan MaxPause = TimeSpan.FromSeconds(30);

    private readonly ConcurrentDictionary<string, Holder> _holders = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>The mutable state of one backend.</summary>
    private sealed class Holder
    {
        public readonly Lock Lock = new();
        public readonly Circuit Circuit;
        public readonly RetryStrategy Attempts;
        public readonly FailedStudies Troubled;
        public BackendState? State;
        public long Opened;
        public long LastAnswer;
        public long OverloadedUntil;

        public Holder(TimeProvider time, Action<CircuitState> changed, Action<string> sentAgain)
        {
            Circuit = new(time, state =>
            {
                if (state == CircuitState.Open) Interlocked.Increment(ref Opened);
                changed(state);
            });
            Attempts = new(time, sentAgain);
            Troubled = new(SteadyAfter);
        }
    }

    /// <summary>Finds the health of a backend; null when it has had no requests.</summary>
    public BackendState? Find(string backend) => _holders.GetValueOrDefault(backend) is { State: { } state } holder
        ? state with { Opened = Interlocked.Read(ref holder.Opened) }
        : null;

    /// <summary>The backend's circuit breaker.</summary>
    public Circuit GetCircuit(string backend) => Get(backend).Circuit;

    /// <summary>The backend's retries and hedges.</summary>
    public RetryStrategy GetAttempts(string backend) => Get(backend).Attempts;

    /// <summary>The failure for which the circuit is open; null when the backend may be asked.</summary>
    public BackendFailure? FindRefusal(string backend) =>
        _holders.GetValueOrDefault(backend)?.Circuit.Cause is { } cause
            ? cause with { Detail = "circuit open: " + cause.Detail }
            : null;

    /// <summary>True when neither the backend nor this study's objects on it have failed in the last 60 s.</summary>
    public bool IsSteady(string backend, Uid study)
    {
        if (_holders.GetValueOrDefault(backend) is not { State: { } state } holder) return true;
        var now = time.GetUtcNow();
        if (state.WasDown && (!state.IsUp || now - state.Since < SteadyAfter)) return false;
        lock (holder.Lock) return !holder.Troubled.Has(study, now);
    }

    /// <summary>Whether the backend gave a usable answer in the last 10 s.</summary>
    public bool HasAnswered(string backend) => HasAnswered(backend, Recent);

    /// <summary>Whether the backend gave a usable answer within this time.</summary>
    public bool HasAnswered(string backend, TimeSpan within) =>
        _holders.GetValueOrDefault(backend) is { } holder
        && time.GetUtcNow().UtcTicks - Interlocked.Read(ref holder.LastAnswer) < within.Ticks;

    /// <summary>Whether the backend reported overload and its requested pause is not over.</summary>
    public bool IsOverloaded(string backend) =>
        _holders.GetValueOrDefault(backend) is { } holder && time.GetUtcNow().UtcTicks < Interlocked.Read(ref holder.OverloadedUntil);

    /// <summary>Records the outcome of a request.</summary>
    /// <param name="backend">The backend's name.</param>
    /// <param name="evidence">What a failure of the request is evidence against.</param>
    /// <param name="failure">The failure; null when the backend answered.</param>
    /// <param name="isMissing">
    /// The backend does not have the object. This is no proof that it works: a starting server may answer 404 to everything.
    /// </param>
    public void Record(string backend, Evidence evidence, BackendFailure? failure, bool isMissing = false)
    {
        var holder = Get(backend);
        var now = time.GetUtcNow();
        if (failure?.Error == BackendError.Overloaded) Pause(holder, failure.RetryAfter, now);
        if (failure is null && !isMissing) Interlocked.Exchange(ref holder.LastAnswer, now.UtcTicks);
        bool hasChanged, isUp;
        lock (holder.Lock)
        {
            var before = holder.State;
            isUp = JudgeUp(before, evidence.Scope, failure, isMissing);
            hasChanged = before?.IsUp != isUp && (before is not null || !isUp);
            holder.State = new(
                isUp, before is not null && before.IsUp == isUp ? before.Since : now,
                (before?.Asked ?? 0) + 1, (before?.Failed ?? 0) + (failure is null ? 0 : 1), Opened: 0,
                failure ?? before?.LastFailure, before?.WasDown == true || !isUp)
            { LastFailedAt = failure is null ? before?.LastFailedAt : now };
            if (failure is { Error: not (BackendError.Busy or BackendError.Overloaded) }
                && evidence is { Scope: FailureScope.Study, Study: { } study })
                holder.Troubled.Add(study, now);
            // Publish under the lock, to keep the order of the changes.
            if (hasChanged) events.Publish(new(isUp ? ProxyEvent.BackendUp : ProxyEvent.BackendDown) { Backend = backend });
        }
        traffic.GetBackend(backend).RecordOutcome(hasFailed: failure is not null);
        if (failure is not null) counters.BackendFailed(backend, failure.Error.ToString());
        if (hasChanged) Report(backend, isUp ? "up" : "down");
        if (!isMissing || evidence.Scope == FailureScope.Probe) holder.Circuit.Record(failure, evidence.Scope, evidence.Study);
    }

    /// <summary>Clears the state of a backend that was removed from the settings or has a new address.</summary>
    public void Remove(string backend)
    {
        _holders.TryRemove(backend, out _);
        traffic.RemoveBackend(backend);
    }

    /// <summary>A usable answer means up, a failure that counts against the backend means down; otherwise nothing changes.</summary>
    private static bool JudgeUp(BackendState? before, FailureScope scope, BackendFailure? failure, bool isMissing)
    {
        var wasUp = before is null or { IsUp: true };
        return failure is null ? !isMissing || wasUp : !CountsAgainstBackend(scope, failure) && wasUp;
    }

    private static bool CountsAgainstBackend(FailureScope scope, BackendFailure failure) =>
        !failure.IsNeutral && scope != FailureScope.Prefetch
        && (failure.IsConnectionFailure || scope is FailureScope.Search or FailureScope.Probe);

    private static void Pause(Holder holder, TimeSpan? retryAfter, DateTimeOffset now)
    {
        var pause = retryAfter ?? DefaultPause;
        var until = (now + (pause < MinPause ? MinPause : pause > MaxPause ? MaxPause : pause)).UtcTicks;
        for (long seen; (seen = Interlocked.Read(ref holder.OverloadedUntil)) < until;)
        {
            if (Interlocked.CompareExchange(ref holder.OverloadedUntil, until, seen) == seen) return;
        }
    }

    private Holder Get(string backend) => _holders.GetOrAdd(backend, name => new(
        time,
        state => Report(name, state == CircuitState.Open ? "not asked for a while" : "asked again"),
        kind => counters.RequestResent(name, kind)));

    private void Report(string backend, string state)
    {
        log.BackendChanged(backend, state);
        counters.BackendChanged(backend, state);
    }
}
