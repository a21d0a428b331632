using Polly;
using Polly.CircuitBreaker;
using Proxy.Dicom;

namespace Proxy.Backends.Health;

/// <summary>The circuit breaker of one backend: while it is open, requests fail at once instead of waiting.</summary>
/// <remarks>
/// <para>
/// Polly's circuit breaker holds the state and the clock. It receives no single failures but a verdict on a run of them
/// (<see cref="OutageEvidence"/>). A failure ratio over time never opens for a PACS with two requests per minute, opens late for
/// a PACS that was busy until it died, and opens for a healthy PACS with many broken objects in one study.
/// </para>
/// <code>
/// closed ── five connection failures in a row ─────────────────► open ── break is over, a probe succeeds ──► closed
///    └──── five other outages in a row, of searches ► probe fails ┘ ▲                  │
///          or of several studies                    succeeds:       └── the probe fails: a longer break
///                                                   stays closed
/// </code>
/// <para>While it is open, no client request is sent. <see cref="BackendProber"/> sends the probes.</para>
/// </remarks>
public sealed class Circuit
{
    /// <summary>The number of consecutive outages that open the circuit or trigger a probe.</summary>
    public const int Outages = 5;

    private static readonly TimeSpan FirstBreak = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MaxBreak = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private readonly OutageEvidence _evidence = new();
    private readonly CircuitBreakerStateProvider _state = new();
    private readonly ResiliencePipeline<BackendFailure?> _breaker;
    private readonly TimeProvider _time;
    private long _probeAt;
    private bool _isOpenReported;
    private bool _isSuspect;
    private BackendFailure? _cause;

    /// <summary>Creates a closed circuit.</summary>
    /// <param name="time">The clock.</param>
    /// <param name="changed">Called for each change between open and closed.</param>
    public Circuit(TimeProvider time, Action<CircuitState> changed)
    {
        _time = time;
        _breaker = new ResiliencePipelineBuilder<BackendFailure?> { TimeProvider = time }
            .AddCircuitBreaker(new CircuitBreakerStrategyOptions<BackendFailure?>
            {
                // Open feeds one success and one failure, and the breaker opens at any ratio.
                FailureRatio = 0,
                MinimumThroughput = 2,
                SamplingDuration = TimeSpan.FromHours(1),
                ShouldHandle = args => ValueTask.FromResult(args.Outcome.Result is not null),
                StateProvider = _state,
                BreakDurationGenerator = args => ValueTask.FromResult(
                    TimeSpan.FromTicks(Math.Min(MaxBreak.Ticks, FirstBreak.Ticks << Math.Min(args.HalfOpenAttempts, 10)))),
                OnOpened = args =>
                {
                    Interlocked.Exchange(ref _probeAt, (time.GetUtcNow() + args.BreakDuration).UtcTicks);
                    // The breaker opens again after each failed probe; report the first time only.
                    if (!_isOpenReported) changed(CircuitState.Open);
                    _isOpenReported = true;
                    return default;
                },
                OnClosed = _ =>
                {
                    _isOpenReported = false;
                    changed(CircuitState.Closed);
                    return default;
                },
            })
            .Build();
    }

    /// <summary>Whether requests may be sent.</summary>
    public bool IsClosed => _state.CircuitState == CircuitState.Closed;

    /// <summary>The failure that opened the circuit; null while it is closed.</summary>
    public BackendFailure? Cause => IsClosed ? null : Volatile.Read(ref _cause);

    /// <summary>Whether a probe should be sent now: the backend is suspect, or the break is over.</summary>
    public bool IsProbeDue => IsClosed ? Volatile.Read(ref _isSuspect) : _time.GetUtcNow().UtcTicks > Interlocked.Read(ref _probeAt);

    /// <summary>Records the outcome of a request. While the circuit is open, only probes count.</summary>
    /// <param name="failure">The failure; null for a usable answer.</param>
    /// <param name="scope">The scope of the request.</param>
    /// <param name="study">The requested study; null for none.</param>
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
            Feed(outage);
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
        Feed(null);
        Feed(cause);
    }

    private void Clear()
    {
        _evidence.Clear();
        Volatile.Write(ref _isSuspect, false);
    }

    private void Feed(BackendFailure? failure)
    {
        try
        {
            _breaker.Execute(static handled => handled, failure);
        }
        catch (BrokenCircuitException)
        {
            // The probe was sent before the circuit opened. The next probe decides.
        }
    }
}
