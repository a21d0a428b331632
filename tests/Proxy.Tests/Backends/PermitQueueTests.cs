using Proxy.Backends.Transport;
using Xunit;

namespace Proxy.Tests.Backends;

public class PermitQueueTests
{
    private readonly PermitQueue _queue = new();

    private static CancellationToken Stopped => TestContext.Current.CancellationToken;

    [Fact]
    public async Task GrantsPermitsInOrderOfArrival()
    {
        var first = await _queue.AcquireAsync(1, 10, Stopped);
        var second = _queue.AcquireAsync(1, 10, Stopped);
        var third = _queue.AcquireAsync(1, 10, Stopped);
        Assert.Null(_queue.TryAcquire(1));

        first.Dispose();
        first.Dispose();
        (await second).Dispose();
        (await third).Dispose();
        Assert.NotNull(_queue.TryAcquire(1));
        Assert.Null(_queue.TryAcquire(1));
    }

    [Fact]
    public async Task Refuses_WhenTheQueueIsFull()
    {
        using var held = await _queue.AcquireAsync(1, 1, Stopped);
        var waiting = _queue.AcquireAsync(1, 1, Stopped);
        await Assert.ThrowsAsync<BackendBusyException>(() => _queue.AcquireAsync(1, 1, Stopped));
        held.Dispose();
        (await waiting).Dispose();
    }

    [Fact]
    public async Task GrantsThePermitToTheNext_WhenAWaiterIsCancelled()
    {
        var held = await _queue.AcquireAsync(1, 10, Stopped);
        using var leave = new CancellationTokenSource();
        var leaving = _queue.AcquireAsync(1, 10, leave.Token);
        var next = _queue.AcquireAsync(1, 10, Stopped);
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leaving);
        held.Dispose();
        (await next).Dispose();
    }

    [Fact]
    public async Task FollowsAChangedNumberOfPermits()
    {
        var all = new List<IDisposable>();
        for (var i = 0; i < 4; i++) all.Add(_queue.TryAcquire(4)!);
        var waiting = _queue.AcquireAsync(1, 10, Stopped);
        foreach (var held in all[..3]) held.Dispose();
        Assert.False(waiting.IsCompleted);
        all[3].Dispose();
        using var only = await waiting;
        Assert.Null(_queue.TryAcquire(1));
        Assert.NotNull(_queue.TryAcquire(2));
    }

    [Fact]
    public async Task StaysWithinTheLimit_WhenManyCallersCompeteAndCancel()
    {
        int running = 0, peak = 0;
        await Parallel.ForEachAsync(
            Enumerable.Range(0, 2000), new ParallelOptions { MaxDegreeOfParallelism = 64, CancellationToken = Stopped },
            async (i, stopped) =>
        {
            using var leave = CancellationTokenSource.CreateLinkedTokenSource(stopped);
            if (i % 3 == 0) await leave.CancelAsync();
            try
            {
                using var permit = await _queue.AcquireAsync(4, 100, leave.Token);
                var now = Interlocked.Increment(ref running);
                for (int seen; (seen = Volatile.Read(ref peak)) < now && Interlocked.CompareExchange(ref peak, now, seen) != seen;) { }
                await Task.Yield();
                Interlocked.Decrement(ref running);
            }
            catch (OperationCanceledException) when (!stopped.IsCancellationRequested)
            {
                // The caller cancelled.
            }
        });
        Assert.InRange(peak, 1, 4);
        for (var i = 0; i < 4; i++) Assert.NotNull(_queue.TryAcquire(4));
    }
}
