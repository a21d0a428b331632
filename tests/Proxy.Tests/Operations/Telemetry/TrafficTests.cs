using Microsoft.Extensions.Time.Testing;
using Proxy.Operations;
using Proxy.Operations.Telemetry;
using Xunit;
using static Proxy.Operations.Telemetry.Traffic;

namespace Proxy.Tests.Operations.Telemetry;

/// <summary>Totals, their history, and the recent requests to a backend.</summary>
public sealed class TrafficTests : IDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly Traffic _traffic;

    public TrafficTests() => _traffic = new(_time);

    public void Dispose() => _traffic.Dispose();

    private long[] Recent => _traffic.ReadHistory().Recent.Columns[(int)Total.Requests];

    [Fact]
    public void AStepHasWhatWasCountedInIt()
    {
        var started = _time.GetUtcNow();
        _traffic.Add(Total.Requests, 2);
        _time.Advance(TimeSpan.FromSeconds(1));
        _traffic.Add(Total.Requests, 3);
        Assert.Equal([2], Recent);

        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal([2, 3, 0], Recent);
        Assert.Equal(started, _traffic.ReadHistory().Recent.From);
        Assert.Equal(5, _traffic[Total.Requests]);
    }

    [Fact]
    public void TheHistoryHasAFixedLength()
    {
        var started = _time.GetUtcNow();
        for (var i = 0; i < 301; i++)
        {
            _traffic.Add(Total.Requests, i);
            _time.Advance(TimeSpan.FromSeconds(1));
        }
        Assert.Equal(Enumerable.Range(1, 300).Select(i => (long)i), Recent);
        Assert.Equal(started + TimeSpan.FromSeconds(1), _traffic.ReadHistory().Recent.From);

        _time.Advance(TimeSpan.FromHours(30));
        Assert.Equal(Enumerable.Repeat(0L, 300), Recent);
        var day = _traffic.ReadHistory().Day;
        Assert.Equal(1440, day.Columns[0].Length);
        Assert.Equal(_time.GetUtcNow(), day.From + 1440 * day.Step + TimeSpan.FromSeconds(1));
    }

    [Fact]
    public void AMinuteIsTheSumOfItsSeconds()
    {
        for (var i = 0; i < 180; i++)
        {
            _traffic.Add(Total.BytesServed, 10);
            _time.Advance(TimeSpan.FromSeconds(1));
        }
        Assert.Equal([600, 600, 600], _traffic.ReadHistory().Day.Columns[(int)Total.BytesServed]);
    }

    [Fact]
    public void AHitSavesTheMedianTimeOfAMissOfItsKind()
    {
        _traffic.AddAnswer(ResourceKind.Frame, CacheStatus.Hit, TimeSpan.FromMilliseconds(1), 100);
        Assert.Equal(0, _traffic[Total.MicrosecondsSaved]);

        foreach (var seconds in (int[])[1, 1, 60])
            _traffic.AddAnswer(ResourceKind.Frame, CacheStatus.Miss, TimeSpan.FromSeconds(seconds), 0);
        _traffic.AddAnswer(ResourceKind.Frame, CacheStatus.Hit, TimeSpan.FromMilliseconds(1), 100);
        Assert.InRange(_traffic[Total.MicrosecondsSaved], 900_000, 1_100_000);

        // No miss of this kind yet; and a hit that takes long saves nothing.
        _traffic.AddAnswer(ResourceKind.Metadata, CacheStatus.Hit, TimeSpan.FromMilliseconds(1), 0);
        _traffic.AddAnswer(ResourceKind.Frame, CacheStatus.Hit, TimeSpan.FromMinutes(1), 0);
        Assert.InRange(_traffic[Total.MicrosecondsSaved], 900_000, 1_100_000);
        Assert.Equal((4, 3, 200), (_traffic[Total.Hits], _traffic[Total.Misses], _traffic[Total.BytesSaved]));
        Assert.Equal((3, 3), (_traffic.Count(ResourceKind.Frame, CacheStatus.Hit), _traffic.Count(ResourceKind.Frame, CacheStatus.Miss)));
    }

    [Fact]
    public void FiguresOfABackendAreThoseOfFiveMinutes()
    {
        var east = _traffic.GetBackend("east");
        Assert.Equal(new(null, null, 0), east.Read());
        for (var i = 0; i < 99; i++)
        {
            east.RecordLatency(TimeSpan.FromMilliseconds(i < 90 ? 10 : 1000));
            east.RecordOutcome(hasFailed: i < 33);
        }

        var figures = east.Read();
        Assert.InRange(figures.Median!.Value.TotalMilliseconds, 9, 11);
        Assert.InRange(figures.Percentile95!.Value.TotalMilliseconds, 900, 1100);
        Assert.Equal(1 / 3.0, figures.ErrorRate, 3);

        _time.Advance(BackendTraffic.Period);
        Assert.Equal(new(null, null, 0), east.Read());
        east.RecordOutcome(hasFailed: true);
        Assert.Equal(1, east.Read().ErrorRate);
    }

    [Theory]
    [InlineData("/dicomweb/studies", ResourceKind.Search)]
    [InlineData("/dicomweb/studies/{study}/series/{series}/instances", ResourceKind.Search)]
    [InlineData("/dicomweb/studies/{study}", ResourceKind.Instance)]
    [InlineData("/dicomweb/studies/{study}/series/{series}/instances/{instance}", ResourceKind.Instance)]
    [InlineData("/dicomweb", ResourceKind.Instance)]
    [InlineData("/dicomweb/studies/{study}/metadata", ResourceKind.Metadata)]
    [InlineData("studies/1.2/series/1.3/instances/1.4/frames/1", ResourceKind.Frame)]
    [InlineData("studies/1.2/series/1.3/instances/1.4/frames/1/rendered", ResourceKind.Rendered)]
    [InlineData("/dicomweb/studies/{study}/thumbnail", ResourceKind.Rendered)]
    [InlineData("/dicomweb/studies/{study}/bulkdata", ResourceKind.BulkData)]
    public void APathHasAKind(string path, ResourceKind kind) => Assert.Equal(kind, ResourceKinds.FromPath(path));
}
