using Polly;
using Polly.Hedging;
using Polly.Retry;
using Proxy.Backends.Transport;

namespace Proxy.Backends.Health;

/// <summary>
/// How one question is sent: once more when no byte came back, and to another destination of the same backend when the
/// first is slow to begin. Both only as far as the <see cref="RetryBudget"/> goes.
/// </summary>
/// <param name="time">The clock.</param>
/// <param name="sentAgain">Hears of each further sending: <c>retry</c> or <c>hedge</c>.</param>
public sealed class Attempts(TimeProvider time, Action<string> sentAgain)
{
    /// <summary>A destination that has not begun to answer by then is slow.</summary>
    private static readonly TimeSpan HedgeAfter = TimeSpan.FromSeconds(2);

    private readonly RetryBudget _budget = new(time);
    private ResiliencePipeline<HttpResponseMessage>? _toOne;
    private ResiliencePipeline<HttpResponseMessage>? _toSeveral;

    /// <param name="hasSeveral">Whether the backend has more than one destination.</param>
    /// <param name="send">Sends once; every call to another destination while there is one.</param>
    /// <param name="cancellation">Ends all of them.</param>
    public ValueTask<HttpResponseMessage> SendAsync(
        bool hasSeveral, Func<CancellationToken, ValueTask<HttpResponseMessage>> send, CancellationToken cancellation)
    {
        _budget.CountRequest();
        return (hasSeveral ? _toSeveral ??= Hedging() : _toOne ??= Retrying()).ExecuteAsync(send, cancellation);
    }

    private ResiliencePipeline<HttpResponseMessage> Retrying() => new ResiliencePipelineBuilder<HttpResponseMessage> { TimeProvider = time }
        .AddRetry(new RetryStrategyOptions<HttpResponseMessage>
        {
            MaxRetryAttempts = 1,
            Delay = TimeSpan.FromMilliseconds(50),
            UseJitter = true,
            ShouldHandle = args => ValueTask.FromResult(args.AttemptNumber == 0 && IsUnanswered(args.Outcome) && TryTake("retry")),
        })
        .Build();

    private ResiliencePipeline<HttpResponseMessage> Hedging() => new ResiliencePipelineBuilder<HttpResponseMessage> { TimeProvider = time }
        .AddHedging(new HedgingStrategyOptions<HttpResponseMessage>
        {
            MaxHedgedAttempts = 1,
            Delay = HedgeAfter,
            // The second found no permit free: the first goes on.
            ShouldHandle = args => ValueTask.FromResult(IsUnanswered(args.Outcome) || args.Outcome.Exception is BackendBusyException),
            ActionGenerator = args => TryTake("hedge") ? () => args.Callback(args.ActionContext) : null,
        })
        .Build();

    private static bool IsUnanswered(Outcome<HttpResponseMessage> outcome) =>
        outcome.Exception is HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.ResponseEnded };

    private bool TryTake(string kind)
    {
        if (!_budget.TryTake()) return false;
        sentAgain(kind);
        return true;
    }
}
