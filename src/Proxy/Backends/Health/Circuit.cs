using Polly;
using Polly.CircuitBreaker;

namespace Proxy.Backends.Health;

/// <summary>Stops asking a backend that failed five times running, so that nobody waits for it any more.</summary>
/// <remarks>
/// <para>
/// Polly's circuit breaker keeps the states and the clock. What it is told are not single failures but runs of them: a
/// ratio over time never opens for a PACS that is asked twice a minute, and opens late for one that was busy until it died.
/// </para>
/// <code>
/// closed ── five outages running ──► open ── break is over, asked by the proxy itself ──► closed
///                                     ▲                                    │
///                                     └─ still out: a longer break ────────┘
/// </code>
/// <para>While it is not closed no client's request goes through: the one that asks is <see cref="BackendProber"/>.</para>
/// </remarks>
public sealed class Circuit
{
    /// <summary>Outages running that open it.</summary>
    public const int Outages = 5;

    private static readonly TimeSpan FirstBreak = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestBreak = TimeSpan.FromSeconds(5);

    private readonly CircuitBreakerStateProvider _state = new();
    private readonly ResiliencePipeline<BackendFailure?> _breaker;
    private readonly TimeProvider _time;
    private long _probeAt;
    private bool _isGivenUp;
    private int _running;

    /// <param name="time">The clock.</param>
    /// <param name="changed">Hears of each change between open and closed.</param>
    public Circuit(TimeProvider time, Action<CircuitState> changed)
    {
        _time = time;
        _breaker = new ResiliencePipelineBuilder<BackendFailure?> { TimeProvider = time }
            .AddCircuitBreaker(new CircuitBreakerStrategyOptions<BackendFailure?>
            {
                // The fifth of a run is the one that it hears of: whatever share of all answers that is.
                FailureRatio = 0,
                MinimumThroughput = 2,
                SamplingDuration = TimeSpan.FromHours(1),
                ShouldHandle = args => ValueTask.FromResult(args.Outcome.Result is not null),
                StateProvider = _state,
                BreakDurationGenerator = args => ValueTask.FromResult(TimeSpan.FromTicks(Math.Min(LongestBreak.Ticks, FirstBreak.Ticks << Math.Min(args.HalfOpenAttempts, 10)))),
                OnOpened = args =>
                {
                    Interlocked.Exchange(ref _probeAt, (time.GetUtcNow() + args.BreakDuration).UtcTicks);
                    // It opens anew each time that the backend was found still out.
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

    /// <summary>Whether the break is over and the backend may be asked whether it is back.</summary>
    public bool IsProbeDue => !IsClosed && _time.GetUtcNow().UtcTicks > Interlocked.Read(ref _probeAt);

    /// <summary>Takes how the backend answered; null for an answer that could be used.</summary>
    public void Record(BackendFailure? failure)
    {
        var running = 0;
        if (failure?.IsOutage == true) running = Interlocked.Increment(ref _running);
        else Interlocked.Exchange(ref _running, 0);
        try
        {
            _breaker.Execute(static handled => handled, running >= Outages ? failure : null);
        }
        catch (BrokenCircuitException)
        {
            // An answer to what was asked before it opened. The next probe decides.
        }
    }
}
