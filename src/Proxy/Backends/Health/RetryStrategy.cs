using Polly;
using Polly.Hedging;
using Polly.Retry;
using Proxy.Backends.Transport;

namespace Proxy.Backends.Health;

/// <summary>
/// Sends one request: retries once when no byte of an answer arrived, and hedges to another destination of the same backend
/// when the first is slow. Both are limited by the <see cref="RetryBudget"/>.
/// </summary>
/// <param name="time">The clock.</param>
/// <param name="sentAgain">Called for each additional attempt with <c>retry</c> or <c>hedge</c>.</param>
public sealed class RetryStrategy(TimeProvider time, Action<string> sentAgain)
{
    /// <summary>A destination that has not begun to answer after this time is slow.</summary>
    private static readonly TimeSpan HedgeAfter = TimeSpan.FromSeconds(2);

    private readonly RetryBudget _budget = new(time);
    private ResiliencePipeline<HttpResponseMessage>? _retry;
    private ResiliencePipeline<HttpResponseMessage>? _hedge;

    /// <summary>Sends a request, with a retry or a hedge if needed.</summary>
    /// <param name="hasSeveral">Whether the backend has more than one destination.</param>
    /// <param name="send">Sends one attempt; each call chooses another destination while there is one.</param>
    /// <param name="cancellation">Cancels all attempts.</param>
    public ValueTask<HttpResponseMessage> SendAsync(
        bool hasSeveral, Func<CancellationToken, ValueTask<HttpResponseMessage>> send, CancellationToken cancellation)
    {
        _budget.CountRequest();
        return (hasSeveral ? _hedge ??= CreateHedge() : _retry ??= CreateRetry()).ExecuteAsync(send, cancellation);
    }

    private ResiliencePipeline<HttpResponseMessage> CreateRetry() =>
        new ResiliencePipelineBuilder<HttpResponseMessage> { TimeProvider = time }
            .AddRetry(new RetryStrategyOptions<HttpResponseMessage>
            {
                MaxRetryAttempts = 1,
                Delay = TimeSpan.FromMilliseconds(50),
                UseJitter = true,
                ShouldHandle = args => ValueTask.FromResult(args.AttemptNumber == 0 && IsUnanswered(args.Outcome) && TrySpend("retry")),
            })
            .Build();

    private ResiliencePipeline<HttpResponseMessage> CreateHedge() =>
        new ResiliencePipelineBuilder<HttpResponseMessage> { TimeProvider = time }
            .AddHedging(new HedgingStrategyOptions<HttpResponseMessage>
            {
                MaxHedgedAttempts = 1,
                Delay = HedgeAfter,
                // BackendBusyException: no permit was free for the second attempt, and the first continues.
                ShouldHandle = args => ValueTask.FromResult(IsUnanswered(args.Outcome) || args.Outcome.Exception is BackendBusyException),
                ActionGenerator = args => TrySpend("hedge") ? () => args.Callback(args.ActionContext) : null,
            })
            .Build();

    private static bool IsUnanswered(Outcome<HttpResponseMessage> outcome) =>
        outcome.Exception is HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.ResponseEnded };

    private bool TrySpend(string kind)
    {
        if (!_budget.TryTake()) return false;
        sentAgain(kind);
        return true;
    }
}

/// <summary>
/// Limits the retries of a backend to a fifth of its requests, but at least three, per window of ten seconds. A fixed number of
/// retries per request would multiply the load of a PACS when it is already failing.
/// </summary>
/// <param name="time">The clock.</param>
public sealed class RetryBudget(TimeProvider time)
{
    private const int MinRetries = 3;
    private const int RequestsPerRetry = 5;

    private static readonly TimeSpan Window = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private long _windowStart = time.GetTimestamp();
    private int _requests;
    private int _retries;

    /// <summary>Counts a request, which adds to the budget.</summary>
    public void CountRequest()
    {
        lock (_lock)
        {
            StartWindowIfDue();
            _requests++;
        }
    }

    /// <summary>Takes one retry from the budget; false when it is spent.</summary>
    public bool TryTake()
    {
        lock (_lock)
        {
            StartWindowIfDue();
            if (_retries >= Math.Max(MinRetries, _requests / RequestsPerRetry)) return false;
            _retries++;
            return true;
        }
    }

    private void StartWindowIfDue()
    {
        if (time.GetElapsedTime(_windowStart) < Window) return;
        (_windowStart, _requests, _retries) = (time.GetTimestamp(), 0, 0);
    }
}
