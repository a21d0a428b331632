using System.Threading.Channels;
using Microsoft.Extensions.Time.Testing;
using Proxy.Demo;
using Proxy.Demo.Http;
using Xunit;

namespace Proxy.Tests.Demo;

public sealed class DemoLineTests
{
    // A generous limit: a gate that never opens fails its test instead of blocking the whole run.
    private const int MaxMilliseconds = 30_000;

    private static readonly string Frame = $"{DemoSites.Instance("head-mr", "t1", 1)}/frames/1";

    [Fact(Timeout = MaxMilliseconds)]
    public async Task DelaysAnswersByTheLatency()
    {
        var time = new WatchedTime();
        await using var sites = await DemoSites.StartAsync(new DemoLine(TimeSpan.FromSeconds(3), null), time);

        var answer = sites.AskAsync(sites.East, "/studies");
        Assert.Equal(TimeSpan.FromSeconds(3), await time.Waits.ReadAsync(TestContext.Current.CancellationToken));
        time.Advance(TimeSpan.FromSeconds(2.9));
        Assert.False(answer.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(0.1));

        Assert.True((await answer).IsSuccessStatusCode);
    }

    [Fact(Timeout = MaxMilliseconds)]
    public async Task SendsBodiesAtTheBandwidthOfTheLine()
    {
        var time = new WatchedTime();
        await using var sites = await DemoSites.StartAsync(new DemoLine(TimeSpan.Zero, 64 * 1024), time);
        var began = time.GetTimestamp();

        var frame = sites.AskBytesAsync(sites.East, Frame);
        while (await Task.WhenAny(frame, time.Waits.WaitToReadAsync(TestContext.Current.CancellationToken).AsTask()) != frame)
            if (time.Waits.TryRead(out var wait)) time.Advance(wait);

        // 128 KiB at 64 KiB/s; the line tolerates 2 ms.
        Assert.Equal(256 * 256 * 2, (await frame).Length);
        Assert.InRange(time.GetElapsedTime(began).TotalSeconds, 1.99, 2.01);
    }

    [Fact]
    public async Task SharesTheBandwidth_AmongConcurrentAnswers()
    {
        var time = new FakeTimeProvider();
        var pace = new Pace(new DemoLine(TimeSpan.Zero, 16 * 1024), time);
        time.Advance(TimeSpan.FromSeconds(1));

        var first = pace.SendAsync(Stream.Null, new byte[16 * 1024], TestContext.Current.CancellationToken);
        var second = pace.SendAsync(Stream.Null, new byte[16 * 1024], TestContext.Current.CancellationToken);
        time.Advance(TimeSpan.FromSeconds(1));
        await first;
        Assert.False(second.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(1));

        await second;
    }

    [Fact]
    public async Task RecordsRequestsUndecoded()
    {
        await using var sites = await DemoSites.StartAsync();

        await sites.AskDatasetsAsync(sites.East, "/studies?PatientName=*smith*&x=1%2C2");
        await sites.AskBytesAsync(sites.East, Frame);

        Assert.Equal(["/dicom-web/studies?PatientName=*smith*&x=1%2C2", "/dicom-web" + Frame], sites.East.Requests);
        Assert.Empty(sites.West.Requests);
    }

    [Fact(Timeout = MaxMilliseconds)]
    public async Task AbortsDelayedAnswers_WhenDisposed()
    {
        var time = new WatchedTime();
        await using var sites = await DemoSites.StartAsync(new DemoLine(TimeSpan.FromHours(1), null), time);

        var answer = sites.AskAsync(sites.East, "/studies");
        await time.Waits.ReadAsync(TestContext.Current.CancellationToken);
        await sites.East.DisposeAsync();

        await Assert.ThrowsAsync<HttpRequestException>(() => answer);
    }

    /// <summary>A clock that reports the duration of each wait when it starts.</summary>
    private sealed class WatchedTime : FakeTimeProvider
    {
        private readonly Channel<TimeSpan> _waits = Channel.CreateUnbounded<TimeSpan>();

        public ChannelReader<TimeSpan> Waits => _waits.Reader;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            var timer = base.CreateTimer(callback, state, dueTime, period);
            _waits.Writer.TryWrite(dueTime);
            return timer;
        }
    }
}
