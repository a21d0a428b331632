using System.Collections.Concurrent;
using Polly.CircuitBreaker;
using Proxy.Dicom;
using Proxy.Events;
using Proxy.Operations;

namespace Proxy.Backends.Health;

/// <summary>How a backend has answered.</summary>
/// <param name="IsUp">Whether it works: the failure of one study's objects does not change that.</param>
/// <param name="Since">When that began.</param>
/// <param name="Asked">Requests since the start.</param>
/// <param name="Failed">Those among them that failed, for whatever reason.</param>
/// <param name="Opened">How often its circuit opened.</param>
/// <param name="LastFailure">The newest failure; null when there was none.</param>
/// <param name="WasDown">Whether it was down since the start.</param>
public sealed record BackendState(
    bool IsUp, DateTimeOffset Since, long Asked, long Failed, long Opened, BackendFailure? LastFailure, bool WasDown);

/// <summary>What is known of each backend by its answers; one that was never asked has no state.</summary>
public sealed class BackendStates(TimeProvider time, Counters counters, EventLog events, ILogger<BackendStates> log)
{
    /// <summary>A backend that failed has to answer well for so long before it is given a series back that another holds.</summary>
    private static readonly TimeSpan SteadyAfter = TimeSpan.FromSeconds(60);

    /// <summary>How recent an answer must be to show that the backend works now.</summary>
    private static readonly TimeSpan Recent = TimeSpan.FromSeconds(10);

    /// <summary>An overloaded backend that names no time, or an odd one, is spared for a time between these.</summary>
    private static readonly TimeSpan LeastPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan DefaultPause = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    private readonly ConcurrentDictionary<string, Holder> _holders = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>The one mutable holder of a backend's state.</summary>
    private sealed class Holder
    {
        public readonly Lock Lock = new();
        public readonly Circuit Circuit;
        public readonly Attempts Attempts;
        public readonly TroubledStudies Troubled;
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

    public BackendState? Find(string backend) => _holders.GetValueOrDefault(backend) is { State: { } state } holder
        ? state with { Opened = Interlocked.Read(ref holder.Opened) }
        : null;

    public Circuit GetCircuit(string backend) => Get(backend).Circuit;

    /// <summary>How one question to the backend is sent.</summary>
    public Attempts GetAttempts(string backend) => Get(backend).Attempts;

    /// <summary>Why the backend is not asked at all for now; null when it is.</summary>
    public BackendFailure? FindRefusal(string backend) =>
        _holders.GetValueOrDefault(backend)?.Circuit.Cause is { } cause
            ? cause with { Detail = "not asked for a while: " + cause.Detail }
            : null;

    /// <summary>Whether the backend, and what it holds of this study, has not failed for long enough to be relied on again.</summary>
    public bool IsSteady(string backend, Uid study)
    {
        if (_holders.GetValueOrDefault(backend) is not { State: { } state } holder) return true;
        var now = time.GetUtcNow();
        if (state.WasDown && (!state.IsUp || now - state.Since < SteadyAfter)) return false;
        lock (holder.Lock) return !holder.Troubled.Has(study, now);
    }

    /// <summary>Whether the backend gave a usable answer a moment ago.</summary>
    public bool HasAnswered(string backend) =>
        _holders.GetValueOrDefault(backend) is { } holder
        && time.GetUtcNow().UtcTicks - Interlocked.Read(ref holder.LastAnswer) < Recent.Ticks;

    /// <summary>Whether the backend said that it is overloaded, and the time that it asked for is not over.</summary>
    public bool IsOverloaded(string backend) =>
        _holders.GetValueOrDefault(backend) is { } holder && time.GetUtcNow().UtcTicks < Interlocked.Read(ref holder.OverloadedUntil);

    /// <summary>Takes how a backend answered.</summary>
    /// <param name="backend">The backend's name.</param>
    /// <param name="request">What was asked: it decides what a failure is evidence of.</param>
    /// <param name="failure">Null when it answered.</param>
    /// <param name="isMissing">
    /// It answered that it does not have it. A server that starts says so to everything: no proof that it works.
    /// </param>
    public void Note(string backend, BackendRequest request, BackendFailure? failure, bool isMissing = false)
    {
        var holder = Get(backend);
        var now = time.GetUtcNow();
        if (failure?.Error == BackendError.Overloaded) Spare(holder, failure.RetryAfter, now);
        if (failure is null && !isMissing) Interlocked.Exchange(ref holder.LastAnswer, now.UtcTicks);
        bool hasChanged, isUp;
        lock (holder.Lock)
        {
            var before = holder.State;
            isUp = JudgeUp(before, request, failure, isMissing);
            hasChanged = before?.IsUp != isUp && (before is not null || !isUp);
            holder.State = new(
                isUp, before is not null && before.IsUp == isUp ? before.Since : now,
                (before?.Asked ?? 0) + 1, (before?.Failed ?? 0) + (failure is null ? 0 : 1), Opened: 0,
                failure ?? before?.LastFailure, before?.WasDown == true || !isUp);
            if (failure is { Error: not (BackendError.Busy or BackendError.Overloaded) }
                && request is { Scope: FailureScope.Study, Study: { } study })
                holder.Troubled.Add(study, now);
            // Here, so that they come in the order of the changes.
            if (hasChanged) events.Publish(new(isUp ? ProxyEvent.BackendUp : ProxyEvent.BackendDown) { Backend = backend });
        }
        if (failure is not null) counters.BackendFailed(backend, failure.Error.ToString());
        if (hasChanged) Tell(backend, isUp ? "up" : "down");
        if (!isMissing || request.Scope == FailureScope.Probe) holder.Circuit.Record(failure, request.Scope, request.Study);
    }

    /// <summary>Forgets a backend that is configured no more, or has moved.</summary>
    public void Forget(string backend) => _holders.TryRemove(backend, out _);

    /// <summary>
    /// A usable answer shows that it works, and a failure that speaks for the backend that it does not; else it stays as it was.
    /// </summary>
    private static bool JudgeUp(BackendState? before, BackendRequest request, BackendFailure? failure, bool isMissing)
    {
        var wasUp = before is null or { IsUp: true };
        return failure is null ? !isMissing || wasUp : !SpeaksForBackend(request, failure) && wasUp;
    }

    private static bool SpeaksForBackend(BackendRequest request, BackendFailure failure) =>
        !failure.IsNeutral && request.Scope != FailureScope.Nothing
        && (failure.IsConnectionFailure || request.Scope is FailureScope.Search or FailureScope.Probe);

    private static void Spare(Holder holder, TimeSpan? retryAfter, DateTimeOffset now)
    {
        var pause = retryAfter ?? DefaultPause;
        var until = (now + (pause < LeastPause ? LeastPause : pause > LongestPause ? LongestPause : pause)).UtcTicks;
        for (long seen; (seen = Interlocked.Read(ref holder.OverloadedUntil)) < until;)
        {
            if (Interlocked.CompareExchange(ref holder.OverloadedUntil, until, seen) == seen) return;
        }
    }

    private Holder Get(string backend) => _holders.GetOrAdd(backend, name => new(
        time,
        state => Tell(name, state == CircuitState.Open ? "not asked for a while" : "asked again"),
        kind => counters.SentAgain(name, kind)));

    private void Tell(string backend, string state)
    {
        log.BackendChanged(backend, state);
        counters.BackendChanged(backend, state);
    }
}
