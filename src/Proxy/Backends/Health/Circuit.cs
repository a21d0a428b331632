using Polly;
using Polly.CircuitBreaker;
using Proxy.Dicom;

namespace Proxy.Backends.Health;

/// <summary>Stops asking a backend that is down, so that nobody waits for it any more.</summary>
/// <remarks>
/// <para>
/// Polly's circuit breaker keeps the states and the clock. What it is told are not single failures but what a run of them
/// amounts to (<see cref="OutageEvidence"/>): a ratio over time never opens for a PACS that is asked twice a minute, opens
/// late for one that was busy until it died, and opens for a working one of which a viewer asks many broken objects.
/// </para>
/// <code>
/// closed ── five connection failures running ──────────────────► open ── break is over, a probe is answered ──► closed
///    └──── five other outages running, searches ──► probe fails ──┘ ▲                  │
///          or of several studies                    probe works:    └── the probe fails: a longer break
///                                                   stays closed
/// </code>
/// <para>While it is not closed no client's request goes through. The probes are sent by <see cref="BackendProber"/>.</para>
/// </remarks>
public sealed class Circuit
{
    /// <summary>Failures running that open it, or that call for a probe.</summary>
    public const int Outages = 5;

    private static readonly TimeSpan FirstBreak = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestBreak = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private readonly OutageEvidence _evidence = new();
    private readonly CircuitBreakerStateProvider _state = new();
    private readonly ResiliencePipeline<BackendFailure?> _breaker;
    private readonly TimeProvider _time;
    private long _probeAt;
    private bool _isGivenUp;
    private bool _isSuspect;
    private BackendFailure? _cause;

    /// <param name="time">The clock.</param>
    /// <param name="changed">Hears of each change between open and closed.</param>
    public Circuit(TimeProvider time, Action<CircuitState> changed)
    {
        _time = time;
        _breaker = new ResiliencePipelineBuilder<BackendFailure?> { TimeProvider = time }
            .AddCircuitBreaker(new CircuitBreakerStrategyOptions<BackendFailure?>
            {
                // It hears of one success and one failure: then it opens, whatever share of all answers that is.
                FailureRatio = 0,
                MinimumThroughput = 2,
                SamplingDuration = TimeSpan.FromHours(1),
                ShouldHandle = args => ValueTask.FromResult(args.Outcome.Result is not null),
                StateProvider = _state,
                BreakDurationGenerator = args => ValueTask.FromResult(
                    TimeSpan.FromTicks(Math.Min(LongestBreak.Ticks, FirstBreak.Ticks << Math.Min(args.HalfOpenAttempts, 10)))),
                OnOpened = args =>
                {
                    Interlocked.Exchange(ref _probeAt, (time.GetUtcNow() + args.BreakDuration).UtcTicks);
                    // It opens again each time that the backend was found still out.
                    if (!_isGivenUp) changed(CircuitState.Open);
                    _isGivenUp = true;
                    return default;
                },
                OnClosed = _ =>
                {
                    _isGivenUp = false;
                    changed(CircuitState.Closed);
                    return default;
                },
            })
            .Build();
    }

    public bool IsClosed => _state.CircuitState == CircuitState.Closed;

    /// <summary>The failure that it is open for; null while it is closed.</summary>
    public BackendFailure? Cause => IsClosed ? null : Volatile.Read(ref _cause);

    /// <summary>Whether a probe is to be sent now: it has to decide, or the break is over.</summary>
    public bool IsProbeDue => IsClosed ? Volatile.Read(ref _isSuspect) : _time.GetUtcNow().UtcTicks > Interlocked.Read(ref _probeAt);

    /// <summary>Takes how a request was answered. While it is open only probes count.</summary>
    /// <param name="failure">Null for an answer that could be used.</param>
    /// <param name="scope">What the failure is evidence of.</param>
    /// <param name="study">The study that was asked for; null for none.</param>
    public void Record(BackendFailure? failure, FailureScope scope, Uid? study = null)
    {
        lock (_lock)
        {
            if (scope == FailureScope.Probe) Decide(failure);
            else if (!IsClosed) return;
            else if (failure is null) Clear();
            else Judge(failure, scope, study);
        }
    }

    private void Judge(BackendFailure failure, FailureScope scope, Uid? study)
    {
        switch (_evidence.Add(failure, scope, study))
        {
            case Verdict.Unreachable:
                Open(failure);
                break;
            case Verdict.Suspect:
                Volatile.Write(ref _isSuspect, true);
                break;
            default:
                break;
        }
    }

    private void Decide(BackendFailure? failure)
    {
        var outage = failure?.IsOutage == true ? failure : null;
        if (!IsClosed)
        {
            if (outage is not null) Volatile.Write(ref _cause, outage);
            Tell(outage);
            if (IsClosed) Clear();
        }
        else if (outage is not null)
        {
            Open(outage);
        }
        else
        {
            Clear();
        }
    }

    private void Open(BackendFailure cause)
    {
        Clear();
        Volatile.Write(ref _cause, cause);
        Tell(null);
        Tell(cause);
    }

    private void Clear()
    {
        _evidence.Clear();
        Volatile.Write(ref _isSuspect, false);
    }

    private void Tell(BackendFailure? failure)
    {
        try
        {
            _breaker.Execute(static handled => handled, failure);
        }
        catch (BrokenCircuitException)
        {
            // A probe that was sent before it opened. The next one decides.
        }
    }
}
