using System.Net;
using Microsoft.Extensions.Time.Testing;
using Proxy.Backends.Health;
using Xunit;

namespace Proxy.Tests.Backends.Health;

public class RetryStrategyTests
{
    private readonly FakeTimeProvider _time = new() { AutoAdvanceAmount = TimeSpan.Zero };

    private readonly List<string> _sentAgain = [];

    private readonly RetryStrategy _attempts;

    public RetryStrategyTests() => _attempts = new(_time, _sentAgain.Add);

    [Fact]
    public async Task RetriesOnce_WhenNoByteArrived()
    {
        var sent = 0;
        var response = await SendAsync(hasSeveral: false, _ => ++sent == 1 ? throw Broken() : Ok());
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(2, sent);
        Assert.Equal(["retry"], _sentAgain);
    }

    [Fact]
    public async Task FailsAfterTheSecondAttempt()
    {
        var sent = 0;
        await Assert.ThrowsAsync<HttpRequestException>(() => SendAsync(hasSeveral: false, _ => ++sent > 0 ? throw Broken() : Ok()));
        Assert.Equal(2, sent);
    }

    [Fact]
    public async Task DoesNotRetry_WhenAnAnswerArrived()
    {
        var sent = 0;
        await SendAsync(
            hasSeveral: false, _ => ++sent > 0 ? ValueTask.FromResult(new HttpResponseMessage(HttpStatusCode.ServiceUnavailable)) : Ok());
        Assert.Equal(1, sent);
    }

    [Fact]
    public async Task LimitsRetriesToAFifthOfTheTraffic_AndAllowsAtLeastThree()
    {
        for (var i = 0; i < 10; i++)
            await Assert.ThrowsAsync<HttpRequestException>(() => SendAsync(hasSeveral: false, _ => throw Broken()));
        Assert.Equal(3, _sentAgain.Count);

        for (var i = 0; i < 90; i++)
            await Assert.ThrowsAsync<HttpRequestException>(() => SendAsync(hasSeveral: false, _ => throw Broken()));
        Assert.Equal(20, _sentAgain.Count);

        _time.Advance(TimeSpan.FromSeconds(10));
        await Assert.ThrowsAsync<HttpRequestException>(() => SendAsync(hasSeveral: false, _ => throw Broken()));
        Assert.Equal(21, _sentAgain.Count);
    }

    [Fact]
    public async Task AsksASecondDestination_WhenTheFirstIsSlow()
    {
        var first = new TaskCompletionSource<HttpResponseMessage>();
        var sent = 0;
        var response = await SendAsync(hasSeveral: true, cancellation =>
        {
            if (Interlocked.Increment(ref sent) > 1) return Ok();
            cancellation.Register(() => first.TrySetCanceled(cancellation));
            return new(first.Task);
        });
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(["hedge"], _sentAgain);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => first.Task.WaitAsync(Pacs.Until.Patience, TimeProvider.System, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task AsksASecondDestinationAtOnce_WhenTheFirstIsDown()
    {
        var sent = 0;
        var response = await _attempts.SendAsync(
            hasSeveral: true, _ => ++sent == 1 ? throw Broken() : Ok(), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(2, sent);
    }

    [Fact]
    public async Task WaitsForASlowBackend_WhenItHasOneDestination()
    {
        var first = new TaskCompletionSource<HttpResponseMessage>();
        var sent = 0;
        var sending = _attempts.SendAsync(
            hasSeveral: false, _ => ++sent > 0 ? new(first.Task) : Ok(), TestContext.Current.CancellationToken).AsTask();
        _time.Advance(TimeSpan.FromMinutes(1));
        first.SetResult(new(HttpStatusCode.OK));
        await sending;
        Assert.Equal(1, sent);
    }

    /// <summary>Advances the clock until the answer arrives.</summary>
    private async Task<HttpResponseMessage> SendAsync(bool hasSeveral, Func<CancellationToken, ValueTask<HttpResponseMessage>> send)
    {
        var sending = _attempts.SendAsync(hasSeveral, send, TestContext.Current.CancellationToken).AsTask();
        for (var step = 0; !sending.IsCompleted && step < 100; step++)
        {
            await Task.Yield();
            if (!sending.IsCompleted) _time.Advance(TimeSpan.FromMilliseconds(step < 50 ? 1 : 100));
        }
        return await sending.WaitAsync(Pacs.Until.Patience, TimeProvider.System, TestContext.Current.CancellationToken);
    }

    private static HttpRequestException Broken() => new(HttpRequestError.ConnectionError);

    private static ValueTask<HttpResponseMessage> Ok() => ValueTask.FromResult(new HttpResponseMessage(HttpStatusCode.OK));
}
