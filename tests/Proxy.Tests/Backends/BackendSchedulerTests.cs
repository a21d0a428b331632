using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Proxy.Backends;
using Proxy.Backends.Health;
using Proxy.Dicom;
using Proxy.Events;
using Proxy.Prefetch;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Backends;

public sealed class BackendSchedulerTests : IDisposable
{
    private const string East = "east";

    private static readonly Evidence Probe = new(FailureScope.Probe);

    private static readonly FetchTarget Pixels = new(Uid.Parse("1.2"), Uid.Parse("1.2.1"));
    private static readonly FetchTarget OtherSeries = new(Uid.Parse("1.2"), Uid.Parse("1.2.2"));
    private static readonly FetchTarget OtherStudy = new(Uid.Parse("1.3"), Uid.Parse("1.3.1"));

    private readonly FakeTimeProvider _time = new();
    private readonly Setup _setup;

    public BackendSchedulerTests() => _setup = new(_time);

    public void Dispose() => _setup.Dispose();

    [Fact]
    public async Task LimitsRunningPrefetches_AndStartsTheNextWhenOneEnds()
    {
        var first = await TakeAsync(OtherStudy, PrefetchPriority.Next, maxRunning: 2);
        var second = await TakeAsync(OtherStudy, PrefetchPriority.Next, maxRunning: 2);
        var third = TakeAsync(OtherStudy, PrefetchPriority.Next, maxRunning: 2);
        Assert.False(third.IsCompleted);

        first.Dispose();
        (await third).Dispose();
        second.Dispose();
        Assert.Equal(0, _setup.Scheduler.CountRunning(East));
    }

    [Fact]
    public async Task GrantsSlotsByPriority_ThenByNumber_ThenByArrival()
    {
        var running = await TakeAsync(OtherStudy, PrefetchPriority.Next, maxRunning: 1);
        var order = new List<string>();
        Task[] all = [
            Then("priors", PrefetchPriority.Priors, 1), Then("next 7", PrefetchPriority.Next, 7), Then("next 3", PrefetchPriority.Next, 3),
            Then("asked", PrefetchPriority.Asked, 9), Then("next 3 again", PrefetchPriority.Next, 3)];

        running.Dispose();
        await Task.WhenAll(all);

        Assert.Equal(["asked", "next 3", "next 3 again", "next 7", "priors"], order);

        async Task Then(string name, PrefetchPriority priority, long number)
        {
            using var slot = await TakeAsync(OtherStudy, priority, maxRunning: 1, number);
            lock (order) order.Add(name);
        }
    }

    [Fact]
    public async Task CancelsAPrefetch_WhenAClientRequestsAnotherTarget()
    {
        using var running = await TakeAsync(OtherStudy, PrefetchPriority.Next);
        using var client = _setup.Scheduler.BeginForeground(East, Pixels);
        await Until.TrueAsync(() => running.Cancelled.IsCancellationRequested);
    }

    [Fact]
    public async Task KeepsPrefetchesOfTheSameSeries_AndCancelsThoseOfOtherSeries()
    {
        using var same = await TakeAsync(Pixels, PrefetchPriority.ReadAhead);
        using var other = await TakeAsync(OtherSeries, PrefetchPriority.ReadAhead);
        using var metadata = await TakeAsync(new(Pixels.Study), PrefetchPriority.ReadAhead);
        using var client = _setup.Scheduler.BeginForeground(East, Pixels);
        await Until.TrueAsync(() => other.Cancelled.IsCancellationRequested);
        Assert.False(same.Cancelled.IsCancellationRequested);
        Assert.False(metadata.Cancelled.IsCancellationRequested);
    }

    [Fact]
    public async Task CancelsAllButReadAhead_WhenAClientSearches()
    {
        using var readAhead = await TakeAsync(Pixels, PrefetchPriority.ReadAhead);
        using var next = await TakeAsync(OtherStudy, PrefetchPriority.Next);
        using var client = _setup.Scheduler.BeginForeground(East, null);
        await Until.TrueAsync(() => next.Cancelled.IsCancellationRequested);
        Assert.False(readAhead.Cancelled.IsCancellationRequested);
    }

    [Fact]
    public async Task GrantsNoSlot_WhileAClientWaitsOrJustAfter()
    {
        var client = _setup.Scheduler.BeginForeground(East, Pixels)!;
        var pending = TakeAsync(OtherStudy, PrefetchPriority.Next);
        client.Dispose();
        _time.Advance(TimeSpan.FromMilliseconds(150));
        Assert.False(pending.IsCompleted);
        _time.Advance(TimeSpan.FromMilliseconds(100));
        (await pending).Dispose();
    }

    [Fact]
    public async Task RunsOnePrefetchAtATimeWithPauses_AfterAClientRequest()
    {
        _setup.Scheduler.BeginForeground(East, Pixels)!.Dispose();
        _time.Advance(TimeSpan.FromMilliseconds(300));
        var first = await TakeAsync(OtherStudy, PrefetchPriority.Next);
        var others = Enumerable.Range(0, 4).Select(_ => TakeAsync(OtherStudy, PrefetchPriority.Next)).ToList();
        _time.Advance(TimeSpan.FromMilliseconds(400));
        Assert.Equal(1, _setup.Scheduler.CountRunning(East));
        first.Dispose();
        _time.Advance(TimeSpan.FromMilliseconds(700));
        Assert.Equal(0, _setup.Scheduler.CountRunning(East));
        _time.Advance(TimeSpan.FromMilliseconds(101));
        Assert.Equal(1, _setup.Scheduler.CountRunning(East));
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(1, _setup.Scheduler.CountRunning(East));
        for (var i = 0; i < 14; i++) _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(4, _setup.Scheduler.CountRunning(East));
        await Task.WhenAll(others);
    }

    [Fact]
    public async Task LengthensThePause_WhenPrefetchesAreCancelledRepeatedly()
    {
        var pauses = new List<int>();
        for (var round = 0; round < 6; round++)
        {
            var pending = TakeAsync(OtherStudy, PrefetchPriority.Next);
            var waited = 0;
            for (; !pending.IsCompleted && _setup.Scheduler.CountRunning(East) == 0; waited++)
            {
                // A client request every 400 ms keeps the scheduler in its cautious mode.
                _setup.Scheduler.BeginForeground(East, OtherStudy)!.Dispose();
                _time.Advance(TimeSpan.FromMilliseconds(250));
                _time.Advance(TimeSpan.FromMilliseconds(150));
            }
            using var slot = await pending;
            _setup.Scheduler.BeginForeground(East, Pixels)!.Dispose();
            pauses.Add(waited);
        }
        Assert.Equal([0, 3, 5, 10, 20, 25], pauses);
    }

    [Fact]
    public async Task IgnoresClientRequestsToOtherBackends()
    {
        using var client = _setup.Scheduler.BeginForeground("west", Pixels);
        (await TakeAsync(OtherStudy, PrefetchPriority.Next)).Dispose();
    }

    [Fact]
    public async Task GrantsNoSlot_WhileABackendIsOverloaded()
    {
        _setup.States.Record(East, Probe, new(East, BackendError.Overloaded, "status 429") { RetryAfter = TimeSpan.FromSeconds(4) });
        var pending = TakeAsync(OtherStudy, PrefetchPriority.ReadAhead);
        _time.Advance(TimeSpan.FromSeconds(3.9));
        Assert.False(pending.IsCompleted);
        await Until.TrueAsync(() =>
        {
            _time.Advance(TimeSpan.FromMilliseconds(600));
            return pending.IsCompleted;
        });
        (await pending).Dispose();
    }

    [Fact]
    public async Task GrantsNoSlot_WhileTheCircuitIsOpen()
    {
        for (var i = 0; i < Circuit.Outages; i++)
            _setup.States.Record(East, Probe, new(East, BackendError.Unreachable, "down") { IsConnectionFailure = true });
        var pending = TakeAsync(OtherStudy, PrefetchPriority.Asked);
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.False(pending.IsCompleted);

        _setup.States.Record(East, Probe, null);
        await Until.TrueAsync(() =>
        {
            _time.Advance(TimeSpan.FromMilliseconds(600));
            return pending.IsCompleted;
        });
        (await pending).Dispose();
    }

    [Fact]
    public async Task SkipsCancelledWaiters()
    {
        using var cancelled = new CancellationTokenSource();
        var running = await TakeAsync(OtherStudy, PrefetchPriority.Next, maxRunning: 1);
        var unwanted = _setup.Scheduler.AcquireAsync(
            East, OtherStudy, PrefetchPriority.Asked.ToFetchPriority(), order: 0, maxRunning: 1, CancellationToken.None, cancelled.Token);
        var wanted = TakeAsync(OtherStudy, PrefetchPriority.Next, maxRunning: 1);
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => unwanted);
        running.Dispose();
        (await wanted).Dispose();
    }

    [Fact]
    public async Task CancelsAGrantedSlotWithItsJob_NotWithTheWaitToken()
    {
        using var waiting = new CancellationTokenSource();
        using var job = new CancellationTokenSource();
        using var slot = await _setup.Scheduler.AcquireAsync(
            East, OtherStudy, PrefetchPriority.Next.ToFetchPriority(), order: 0, maxRunning: 1, waiting.Token, job.Token);
        var late = _setup.Scheduler.AcquireAsync(
            East, OtherStudy, PrefetchPriority.Next.ToFetchPriority(), order: 0, maxRunning: 1, waiting.Token, job.Token);
        await waiting.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => late);
        waiting.Dispose();
        Assert.False(slot.Cancelled.IsCancellationRequested);

        await job.CancelAsync();

        await Until.TrueAsync(() => slot.Cancelled.IsCancellationRequested);
    }

    [Theory]
    [InlineData(RequestPurpose.Revalidation)]
    [InlineData(RequestPurpose.Prefetch)]
    public async Task IgnoresBackgroundWork_WhenCountingClients(RequestPurpose purpose)
    {
        using var slot = await TakeAsync(OtherStudy, PrefetchPriority.Next);

        await CurrentPurpose.RunAsync(purpose, async () =>
        {
            await Task.Yield();
            Assert.Null(_setup.Scheduler.BeginForeground(East, Pixels));
        });

        Assert.False(slot.Cancelled.IsCancellationRequested);
        Assert.Equal(RequestPurpose.Client, CurrentPurpose.Value);
        using var client = _setup.Scheduler.BeginForeground(East, Pixels);
        await Until.TrueAsync(() => slot.Cancelled.IsCancellationRequested);
    }

    [Theory]
    [InlineData("studies/1.2", "bulk/7?a=series/1", "1.2")]
    [InlineData("studies/1.2", "|bulk/7", "1.2")]
    [InlineData("studies/1.2/series/1.3/instances/1.4", "bulk/7fe00010", "1.2 1.3")]
    [InlineData("studies/1.2/series/1.3/instances/1.4", "^bulk/1?x=2", "1.2 1.3")]
    public void FindsTheFetchTarget_OfBulkData(string resource, string rest, string target) =>
        Assert.Equal(target, FetchTarget.ForBulkData(new("east", resource, rest)) is var of ? $"{of.Study} {of.Series}".Trim() : null);

    [Fact]
    public async Task StaysWithinTheLimit_WhenManyPrefetchesCompete()
    {
        var (running, peak) = (0, 0);
        await Parallel.ForAsync(0, 500, TestContext.Current.CancellationToken, async (i, _) =>
        {
            using var slot = await TakeAsync(OtherStudy, (PrefetchPriority)(i % 5), maxRunning: 4, number: i);
            var now = Interlocked.Increment(ref running);
            lock (_setup) peak = Math.Max(peak, now);
            await Task.Yield();
            Interlocked.Decrement(ref running);
        });
        Assert.InRange(peak, 1, 4);
        Assert.Equal(0, _setup.Scheduler.CountRunning(East));
    }

    private Task<BackendScheduler.FetchSlot> TakeAsync(
        FetchTarget target, PrefetchPriority priority, int maxRunning = 8, long number = 0) =>
        _setup.Scheduler.AcquireAsync(
            East, target, priority.ToFetchPriority(), number, maxRunning, CancellationToken.None, TestContext.Current.CancellationToken);

    /// <summary>A caller that joins a request waits in the foreground like the caller that started it; a prefetch does not.</summary>
    [Fact]
    public async Task SharedRequests_MarkEachWaitingClient_AndNoPrefetch()
    {
        var requests = new SharedRequests<string, int>(_setup.Scheduler);
        var answer = new TaskCompletionSource<int>();
        var prefetch = CurrentPurpose.RunAsync(RequestPurpose.Prefetch, AskAsync);
        Assert.Equal(0, _setup.Scheduler.CountForeground(East));

        var first = AskAsync();
        var second = AskAsync();
        Assert.Equal(2, _setup.Scheduler.CountForeground(East));
        answer.SetResult(7);

        Assert.Equal([(7, false), (7, true), (7, true)], await Task.WhenAll(prefetch, first, second));
        Assert.Equal(0, _setup.Scheduler.CountForeground(East));

        Task<(int Result, bool IsShared)> AskAsync() =>
            requests.RunAsync("key", East, Pixels, _ => answer.Task, TestContext.Current.CancellationToken);
    }

    private sealed class Setup : IDisposable
    {
        private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();

        public Setup(TimeProvider time)
        {
            States = new(
                time, new(_services.GetRequiredService<IMeterFactory>()), new(time), new(NullLogger<EventLog>.Instance),
                NullLogger<BackendStates>.Instance);
            Scheduler = new(States, time);
        }

        public BackendStates States { get; }

        public BackendScheduler Scheduler { get; }

        public void Dispose() => _services.Dispose();
    }
}
