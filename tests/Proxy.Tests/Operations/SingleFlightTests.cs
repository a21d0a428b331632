using Proxy.Operations;
using Xunit;

namespace Proxy.Tests.Operations;

public class SingleFlightTests
{
    private static CancellationToken Stopped => TestContext.Current.CancellationToken;

    private readonly SingleFlight<string, int> _flights = new();
    private readonly TaskCompletionSource<int> _gate = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _runs;
    private CancellationToken _stop;

    [Fact]
    public async Task RunsOnce_WhenManyCallersShareAKey()
    {
        var asking = Enumerable.Range(0, 100).Select(_ => _flights.RunAsync("a", WorkAsync, Stopped)).ToList();
        _gate.SetResult(7);
        var results = await Task.WhenAll(asking);
        Assert.All(results, r => Assert.Equal(7, r.Result));
        Assert.Equal(99, results.Count(r => r.IsShared));
        Assert.Equal(1, _runs);
    }

    [Fact]
    public async Task RunsSeparately_ForDifferentKeys()
    {
        _gate.SetResult(7);
        await Task.WhenAll(_flights.RunAsync("a", WorkAsync, Stopped), _flights.RunAsync("b", WorkAsync, Stopped));
        Assert.Equal(2, _runs);
    }

    [Fact]
    public async Task CachesNothing()
    {
        _gate.SetResult(7);
        await _flights.RunAsync("a", WorkAsync, Stopped);
        var (_, isShared) = await _flights.RunAsync("a", WorkAsync, Stopped);
        Assert.False(isShared);
        Assert.Equal(2, _runs);
    }

    /// <summary>A client whose search failed and who repeats it at once must not get the failure again.</summary>
    [Fact]
    public async Task SharesNoResult_ThatIsKnownAlready()
    {
        for (var i = 0; i < 50_000; i++)
        {
            var number = i;
            var (result, isShared) = await _flights.RunAsync("a", async _ => { await Task.Yield(); return number; }, Stopped);
            Assert.Equal((i, false), (result, isShared));
        }
    }

    [Fact]
    public async Task ThrowsToAllCallers_WhenTheWorkThrows()
    {
        var asking = Enumerable.Range(0, 3).Select(_ => _flights.RunAsync("a", WorkAsync, Stopped)).ToList();
        _gate.SetException(new InvalidOperationException("broken"));
        foreach (var one in asking) Assert.Equal("broken", (await Assert.ThrowsAsync<InvalidOperationException>(() => one)).Message);
    }

    [Fact]
    public async Task ThrowsToAllCallers_WhenTheWorkThrowsSynchronously() =>
        await Assert.ThrowsAsync<InvalidOperationException>(
            () => _flights.RunAsync("a", _ => throw new InvalidOperationException(), Stopped));

    [Fact]
    public async Task Continues_WhileAnotherCallerWaits()
    {
        using var first = new CancellationTokenSource();
        var leaving = _flights.RunAsync("a", WorkAsync, first.Token);
        var staying = _flights.RunAsync("a", WorkAsync, Stopped);
        await first.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leaving);
        Assert.False(_stop.IsCancellationRequested);
        _gate.SetResult(7);
        Assert.Equal((7, true), await staying);
    }

    [Fact]
    public async Task CancelsTheWork_WhenTheLastCallerLeaves_AndStartsAgainForTheNext()
    {
        using var stop = new CancellationTokenSource();
        var leaving = Enumerable.Range(0, 3).Select(_ => _flights.RunAsync("a", WorkAsync, stop.Token)).ToList();
        var givenUp = _stop;
        await stop.CancelAsync();
        foreach (var one in leaving) await Assert.ThrowsAnyAsync<OperationCanceledException>(() => one);
        Assert.True(givenUp.IsCancellationRequested);

        var next = _flights.RunAsync("a", WorkAsync, Stopped);
        Assert.False(_stop.IsCancellationRequested);
        _gate.SetResult(7);
        Assert.Equal((7, false), await next);
    }

    [Fact]
    public async Task DelaysNoCaller_WhenTheWorkIgnoresItsCancellation()
    {
        using var stop = new CancellationTokenSource();
        var leaving = _flights.RunAsync("a", _ => _gate.Task, stop.Token);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leaving);
        Assert.Equal((8, false), await _flights.RunAsync("a", _ => Task.FromResult(8), Stopped));
    }

    private async Task<int> WorkAsync(CancellationToken stop)
    {
        Interlocked.Increment(ref _runs);
        _stop = stop;
        return await _gate.Task.WaitAsync(stop);
    }
}
