using System.Collections.Immutable;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Proxy.Dicom;
using Proxy.Events;
using Proxy.Prefetch;
using Proxy.Prefetch.Jobs;
using Proxy.Tests.Backends;
using Proxy.Tests.Events;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Prefetch;

public sealed class JobRegistryTests : IDisposable
{
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly EventLog _events = new(NullLogger<EventLog>.Instance);
    private readonly FakeTimeProvider _time = new();
    private readonly JobRegistry _registry;
    private readonly List<PrefetchJob> _added = [];

    public JobRegistryTests()
    {
        _registry = new(_events, new(_services.GetRequiredService<IMeterFactory>()), _time);
        _registry.Added += handle => _added.Add(handle.Job);
    }

    public void Dispose() => _services.Dispose();

    [Fact]
    public async Task PublishesEveryState_AndProgressOncePerSecond()
    {
        var told = new System.Collections.Concurrent.ConcurrentQueue<string>();
        using var _ = _events.Subscribe(
            ProxyEvent.PrefetchProgress,
            e => told.Enqueue($"{e.More["job"].GetProperty("state")} {e.More["job"].GetProperty("frames").GetProperty("done")}"));
        var job = Add(PrefetchPriority.Next, 1);
        job.Update(j => j with { State = JobState.Running });
        for (var i = 0; i < 10; i++) job.Update(j => j.WithItem(isFrame: true, 10));
        _time.Advance(TimeSpan.FromSeconds(1));
        for (var i = 0; i < 10; i++) job.Update(j => j.WithItem(isFrame: true, 10));
        job.Update(j => j with { State = JobState.Done });
        await Until.TrueAsync(() => told.Count == 4);
        Assert.Equal(["queued 0", "running 0", "running 11", "done 20"], told);
    }

    [Fact]
    public void ShowsOnlyJobsOfItsBackend_WhenTheAccessIsToOne()
    {
        var east = _registry.Add(PrefetchReason.Asked, PrefetchPriority.Next, new("east", []), [Uid.Parse("1.1")]);
        var west = _registry.Add(PrefetchReason.Asked, PrefetchPriority.Next, new("west", []), [Uid.Parse("1.1")]);
        var all = _registry.Add(PrefetchReason.Asked, PrefetchPriority.Next, new("", []), [Uid.Parse("1.1")]);

        Assert.Equal([east], _registry.ReadAll(AccessTests.East));
        Assert.Equal([all, west, east], _registry.ReadAll(AccessTests.All));
        Assert.Same(east, _registry.Find(AccessTests.East, east.Job.Id));
        Assert.Null(_registry.Find(AccessTests.East, west.Job.Id));
        Assert.Null(_registry.Find(AccessTests.East, all.Job.Id));
    }

    [Fact]
    public void PublishesTheEndOnceAndLast_WhenUpdatesRace()
    {
        const int Many = 200;
        var reader = new EventReader(_events);
        var ended = new System.Collections.Concurrent.ConcurrentBag<JobHandle>();
        _registry.Ended += ended.Add;
        for (var i = 0; i < Many; i++)
        {
            var job = Add(PrefetchPriority.Next, i + 1);
            job.Update(j => j with { State = JobState.Running });
            Parallel.Invoke(
                () => Progress(job), () => Progress(job), () => job.Update(j => j with { State = JobState.Done }),
                () => job.Cancel("test"));
        }

        var told = reader.ReadAll().Select(e => e.More["job"]).GroupBy(job => job.GetProperty("id").GetString()).ToList();
        Assert.Equal(Many, told.Count);
        Assert.All(told, job => Assert.Single(job, told => told.GetProperty("state").GetString() is "done" or "cancelled"));
        Assert.All(told, job => Assert.Contains(job.Last().GetProperty("state").GetString(), (string[])["done", "cancelled"]));
        Assert.Equal(Many, ended.Count);

        static void Progress(JobHandle job)
        {
            for (var i = 0; i < 20; i++) job.Update(j => j.WithItem(isFrame: true, 10));
        }
    }

    [Fact]
    public void PublishesOneCancellation_WhenANewJobIsCancelledAtOnce()
    {
        for (var i = 1; i <= JobRegistry.MaxLive; i++) Add(PrefetchPriority.Asked, i);
        var reader = new EventReader(_events);
        Add(PrefetchPriority.Idle, 1000);
        Assert.Equal(["queued", "cancelled"], reader.ReadAll().Select(e => e.More["job"].GetProperty("state").GetString()));
    }

    [Fact]
    public void ReturnsTheLiveJob_WhenTheSameIsRequestedAgain()
    {
        var first = Add(PrefetchPriority.Next, 1, 2);
        Assert.Same(first, Add(PrefetchPriority.Next, 1, 2));
        Assert.NotSame(first, Add(PrefetchPriority.Next, 2, 1));
        first.Cancel("test");
        Assert.NotSame(first, Add(PrefetchPriority.Next, 1, 2));
        Assert.Equal(3, _added.Count);
    }

    [Fact]
    public void CancelsTheLowestPriority_WhenTheQueueIsFull()
    {
        var priors = Add(PrefetchPriority.Priors, 1);
        var next = Add(PrefetchPriority.Next, 2);
        for (var i = 3; i <= JobRegistry.MaxLive; i++) Add(PrefetchPriority.Asked, i);

        var more = Add(PrefetchPriority.Asked, 1000);
        Assert.Equal(JobState.Cancelled, priors.Job.State);
        Assert.Contains("lowest priority", priors.Job.CancelledBecause, StringComparison.Ordinal);
        Assert.Empty(priors.Job.Errors);
        Add(PrefetchPriority.Asked, 1001);
        Assert.Equal(JobState.Cancelled, next.Job.State);
        Assert.Equal(JobState.Queued, more.Job.State);

        // A new job of the lowest priority is cancelled itself.
        var late = Add(PrefetchPriority.Priors, 1002);
        Assert.Equal(JobState.Cancelled, late.Job.State);
        Assert.DoesNotContain(_added, job => job.Id == late.Job.Id);
        Assert.Equal(JobRegistry.MaxLive, _registry.All.Count(handle => handle.Job.IsLive));
    }

    [Fact]
    public void CancelsOnlyReadAhead_WhenManyStudiesAreOpened()
    {
        var asked = Add(PrefetchPriority.Idle, 1);
        var first = _registry.Add(PrefetchReason.ReadAhead, PrefetchPriority.ReadAhead, new("", []), [Uid.Parse("1.3.1")]);
        for (var i = 2; i <= 500; i++)
            _registry.Add(PrefetchReason.ReadAhead, PrefetchPriority.ReadAhead, new("", []), [Uid.Parse($"1.3.{i}")]);
        Assert.Equal((JobState.Queued, JobState.Cancelled), (asked.Job.State, first.Job.State));
        Assert.Equal(1 + JobRegistry.MaxReadAhead, _registry.All.Count(handle => handle.Job.IsLive));
    }

    [Fact]
    public void CancelsAWaitingJobBeforeARunningOne()
    {
        var running = Add(PrefetchPriority.Next, 1);
        running.Update(job => job with { State = JobState.Running });
        for (var i = 2; i <= JobRegistry.MaxLive; i++) Add(PrefetchPriority.Next, i);
        Add(PrefetchPriority.Next, 1000);
        Assert.Equal(JobState.Running, running.Job.State);
        Assert.Equal(1, _registry.All.Count(handle => handle.Job.State == JobState.Cancelled));
    }

    [Fact]
    public void RemovesEndedJobsAfterAnHour_AndKeepsLiveJobs()
    {
        var ended = Add(PrefetchPriority.Next, 1);
        var live = Add(PrefetchPriority.Next, 2);
        ended.Cancel("test");
        _time.Advance(TimeSpan.FromMinutes(59));
        Assert.NotNull(_registry.Find(ended.Job.Id));
        _time.Advance(TimeSpan.FromMinutes(2));
        Assert.Null(_registry.Find(ended.Job.Id));
        Assert.Equal([live], _registry.All);
    }

    [Fact]
    public void LimitsTheListOfEndedJobs()
    {
        for (var i = 1; i <= 1000; i++) Add(PrefetchPriority.Next, i).Cancel("test");
        Assert.Equal(200, _registry.All.Length);
        Assert.Equal("1.2.1000", _registry.All[0].Job.StudyUids[0].ToString());
    }

    [Fact]
    public void DoesNotChangeAJob_AfterItsEnd()
    {
        var job = Add(PrefetchPriority.Next, 1);
        Assert.True(job.Cancel("test"));
        Assert.False(job.Update(j => j with { State = JobState.Done }));
        Assert.False(job.Cancel("test"));
        Assert.Equal(JobState.Cancelled, job.Job.State);
        Assert.True(job.Cancelled.IsCancellationRequested);
    }

    [Fact]
    public void RestartsLiveJobsAndListsEndedOnes_WhenRestored()
    {
        var live = new PrefetchJob(
            "a", PrefetchReason.Asked, PrefetchPriority.Next, "", [Uid.Parse("1.2.3")], _time.GetUtcNow())
        {
            State = JobState.Running,
            Frames = new(5, 10),
            Started = _time.GetUtcNow()
        };
        _registry.Restore(live);
        _registry.Restore(live with { Id = "b", State = JobState.Done, Ended = _time.GetUtcNow() });

        var again = Assert.Single(_added);
        Assert.Equal((JobState.Queued, new Progress(0, 0), new Progress(0, 1)), (again.State, again.Frames, again.Studies));
        Assert.Equal(JobState.Done, _registry.Find("b")!.Job.State);
    }

    [Fact]
    public void EstimatesTheTotalBytes_FromTheMeanItemSize()
    {
        var job = new PrefetchJob(
            "a", PrefetchReason.Asked, PrefetchPriority.Next, "", [Uid.Parse("1.2.3")], _time.GetUtcNow())
        {
            Frames = new(0, 9),
            Items = new(0, 10)
        };
        job = job.WithItem(isFrame: true, 1000).WithItem(isFrame: false, 3000).WithItem(isFrame: true, null, wasCached: true);
        Assert.Equal((new Progress(2, 9), new Progress(4000, 4000 + 7 * 2000), 1), (job.Frames, job.Bytes, job.Cached));
    }

    private JobHandle Add(PrefetchPriority priority, params ImmutableArray<int> studies) =>
        _registry.Add(PrefetchReason.Asked, priority, new("", []), [.. studies.Select(n => Uid.Parse($"1.2.{n}"))]);
}
