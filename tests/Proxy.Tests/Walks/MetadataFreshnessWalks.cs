using Microsoft.Extensions.Time.Testing;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>What is kept of a study grows old: when it is looked after, at which price, and what stands when nobody can say.</summary>
public sealed class MetadataFreshnessWalks : IDisposable
{
    private const string Study = "/dicomweb/studies/1.2.1";

    private const string Series = Study + "/series/1.2.1.1";

    private static readonly TimeSpan Freshness = TimeSpan.FromSeconds(60);

    private readonly FakeTimeProvider _time = new();

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 3));

    private readonly ProxyHost _proxy;

    public MetadataFreshnessWalks() => _proxy = new(("east", _east.Address)) { Time = _time, ["Cache:Metadata:Freshness"] = "00:01:00" };

    public void Dispose()
    {
        _proxy.Dispose();
        _east.Dispose();
    }

    [Fact]
    public async Task AnUnchangedSeries_CostsOneSeriesSearch()
    {
        var first = await _proxy.GetAsync(Series + "/metadata");
        _time.Advance(Freshness);

        var confirmed = await _proxy.GetAsync(Series + "/metadata");

        Assert.Equal("Proxy; hit", confirmed.CacheStatus);
        Assert.Equal("0", confirmed["Age"]);
        Assert.Equal(first["ETag"], confirmed["ETag"]);
        Assert.Equal(1, _east.Count("/metadata"));
        Assert.Equal(2, _east.Count("/series"));

        _time.Advance(Freshness / 2);
        Assert.Equal("30", (await _proxy.GetAsync(Series + "/metadata"))["Age"]);
        Assert.Equal(3, _east.Requests.Count);
    }

    [Fact]
    public async Task ASeriesThatGrew_ShowsItsNewInstance()
    {
        var first = await _proxy.GetAsync(Series + "/metadata");
        _east.Hold(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 4));

        _time.Advance(Freshness - TimeSpan.FromSeconds(1));
        Assert.Equal(3, (await _proxy.GetAsync(Series + "/metadata")).Rows.Count);
        _time.Advance(TimeSpan.FromSeconds(1));
        var grown = await _proxy.GetAsync(Series + "/metadata");

        Assert.Equal(4, grown.Rows.Count);
        Assert.NotEqual(first["ETag"], grown["ETag"]);
        Assert.Equal(4, (await _proxy.GetAsync(Study + "/metadata")).Rows.Count);
        Assert.Equal(2, _east.Count("/metadata"));
    }

    [Fact]
    public async Task AStudyThatGrew_ShowsItWithinTheTime_WhateverWasAskedInBetween()
    {
        // The series list is the younger of the two: it must not vouch for the metadata for longer than for itself.
        await _proxy.GetAsync(Series + "/metadata");
        _time.Advance(Freshness / 2);
        await _proxy.GetAsync(Study + "/series", ("Cache-Control", "no-cache"));
        _east.Hold(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 4));

        _time.Advance(Freshness / 2);
        await _proxy.GetAsync(Series + "/metadata");
        _time.Advance(Freshness / 2);

        Assert.Equal(4, (await _proxy.GetAsync(Series + "/metadata")).Rows.Count);
    }

    [Fact]
    public async Task ANewSeriesIsSeen_InTheStudyAndAlone()
    {
        await _proxy.GetAsync(Study + "/metadata");
        _east.Hold(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 3).With("1.2.1.2", "SR", 1));
        _time.Advance(Freshness);

        Assert.Equal(4, (await _proxy.GetAsync(Study + "/metadata")).Rows.Count);
        Assert.Equal(["1.2.1.1", "1.2.1.2"], (await _proxy.GetAsync(Study + "/series")).Values("0020000E"));
        Assert.Single((await _proxy.GetAsync(Study + "/series/1.2.1.2/metadata")).Rows);
        Assert.Equal(1, _east.Count("1.2.1.1/metadata"));
    }

    [Fact]
    public async Task NoCache_LooksAtOnce()
    {
        await _proxy.GetAsync(Series + "/metadata");
        _east.Hold(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 4));

        Assert.Equal(4, (await _proxy.GetAsync(Series + "/metadata", ("Cache-Control", "no-cache"))).Rows.Count);
    }

    [Fact]
    public async Task ASeriesThatGrewWhileItsListWasYoung_IsStillServedFromTheStore()
    {
        // The list says three instances, the metadata that came a moment later has four.
        await _proxy.GetAsync(Study + "/series");
        _east.Hold(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 4));

        Assert.Equal(4, (await _proxy.GetAsync(Series + "/metadata")).Rows.Count);
        Assert.Equal("Proxy; hit", (await _proxy.GetAsync(Series + "/metadata")).CacheStatus);
        Assert.Equal(1, _east.Count("/metadata"));
    }

    [Theory]
    [InlineData(500)]
    [InlineData(503)]
    [InlineData(401)]
    public async Task WhatIsKeptStands_WhenEveryBackendFails(int status)
    {
        var first = await _proxy.GetAsync(Series + "/metadata");
        _time.Advance(Freshness * 3);
        _east.Fail(status);

        foreach (var path in (string[])[Series + "/metadata", Study + "/metadata", Series + "/metadata"])
        {
            var stale = await _proxy.GetAsync(path);
            Assert.Equal(200, (int)stale.Status);
            Assert.Equal(first.Body, stale.Body);
            Assert.Equal("Proxy; fwd=stale", stale.CacheStatus);
            Assert.Equal("180", stale["Age"]);
            Assert.Contains(stale.Warnings, w => w.Contains("east", StringComparison.Ordinal));
        }

        _east.Mend();
        Assert.Equal("Proxy; hit", (await _proxy.GetAsync(Series + "/metadata")).CacheStatus);
    }

    [Fact]
    public async Task ASeriesThatWasDeletedIs404()
    {
        await _proxy.GetAsync(Series + "/metadata");
        _east.Archive.Drop("1.2.1");
        _time.Advance(Freshness);

        (await _proxy.GetAsync(Series + "/metadata")).IsProblem(404);
        (await _proxy.GetAsync(Study + "/metadata")).IsProblem(404);
        (await _proxy.GetAsync(Series + "/instances/1.2.1.1.1/metadata")).IsProblem(404);
    }

    [Fact]
    public async Task AClockThatJumpsBack_MakesNothingImmortal()
    {
        _time.AdjustTime(_time.GetUtcNow().AddYears(1));
        await _proxy.GetAsync(Series + "/metadata");
        _time.AdjustTime(_time.GetUtcNow().AddYears(-1));
        _east.Hold(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 4));

        Assert.Equal(4, (await _proxy.GetAsync(Series + "/metadata")).Rows.Count);
    }
}
