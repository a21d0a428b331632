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
