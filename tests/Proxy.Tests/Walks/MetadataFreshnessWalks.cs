using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>When the proxy revalidates cached metadata, with which requests, and the result if every PACS fails.</summary>
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
    public async Task RevalidatesWithOneSeriesSearch_WhenTheSeriesIsUnchanged()
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
    public async Task ServesTheNewInstance_WhenTheSeriesGrew()
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
    public async Task ServesTheNewInstanceWithinTheFreshness_WhenOtherRequestsCameInBetween()
    {
        // The series list is younger than the metadata; it must not extend the freshness of the metadata beyond its own.
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
    public async Task ServesANewSeries_InTheStudyAndByItself()
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
    public async Task RevalidatesAtOnce_WhenTheClientSendsNoCache()
    {
        await _proxy.GetAsync(Series + "/metadata");
        _east.Hold(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 4));

        Assert.Equal(4, (await _proxy.GetAsync(Series + "/metadata", ("Cache-Control", "no-cache"))).Rows.Count);
    }

    [Fact]
    public async Task ServesFromTheStore_WhenTheSeriesGrewAfterItsListWasFetched()
    {
        // The list counts three instances; the metadata, fetched a moment later, has four.
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
    public async Task ServesStaleMetadata_WhenEveryBackendFails(int status)
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

        _east.Recover();
        Assert.Equal("Proxy; hit", (await _proxy.GetAsync(Series + "/metadata")).CacheStatus);
    }

    [Fact]
    public async Task Returns404_WhenTheSeriesWasDeleted()
    {
        await _proxy.GetAsync(Series + "/metadata");
        _east.Archive.Drop("1.2.1");
        _time.Advance(Freshness);

        (await _proxy.GetAsync(Series + "/metadata")).IsProblem(404);
        (await _proxy.GetAsync(Study + "/metadata")).IsProblem(404);
        (await _proxy.GetAsync(Series + "/instances/1.2.1.1.1/metadata")).IsProblem(404);
    }

    [Fact]
    public async Task RemovesADeletedSeries_WhenOnlyItsFramesAreRequested()
    {
        const string Frame = Series + "/instances/1.2.1.1.1/frames/1";
        await _proxy.GetAsync(Series + "/metadata");
        await _proxy.GetAsync(Frame);
        Assert.Equal("Proxy; hit", (await _proxy.GetAsync(Frame)).CacheStatus);
        Assert.NotNull(await _proxy.Services.GetRequiredService<EntryCache>().FindAsync(
            [new(new("east", Frame["/dicomweb/".Length..], new BodyFormat("application/octet-stream", "1.2.840.10008.1.2.1")))],
            TestContext.Current.CancellationToken));
        _east.Archive.Drop("1.2.1");
        _east.Hold(new HeldStudy("1.2.1").With("1.2.1.2", "SR", 1));

        _time.Advance(Freshness);

        (await _proxy.GetAsync(Frame)).IsProblem(404);
        Assert.Null(await _proxy.Services.GetRequiredService<EntryCache>().FindAsync(
            [new(new("east", Frame["/dicomweb/".Length..], new BodyFormat("application/octet-stream", "1.2.840.10008.1.2.1")))],
            TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task ServesACachedFrameWithoutAsking_WhileTheHoldersListIsFresh()
    {
        const string Frame = Series + "/instances/1.2.1.1.1/frames/1";
        using var west = new WireMockPacs();
        await using var proxy = new ProxyHost(("east", _east.Address), ("west", west.Address)) { Time = _time };
        await proxy.GetAsync(Frame);
        var (east, asked) = (_east.Requests.Count, west.Requests.Count);

        _time.Advance(TimeSpan.FromSeconds(45));
        Assert.Equal("Proxy; hit", (await proxy.GetAsync(Frame)).CacheStatus);
        Assert.Equal((east, asked), (_east.Requests.Count, west.Requests.Count));

        _time.Advance(TimeSpan.FromSeconds(45));
        Assert.Equal("Proxy; hit", (await proxy.GetAsync(Frame)).CacheStatus);
        Assert.Equal((east + 1, asked), (_east.Requests.Count, west.Requests.Count));
        Assert.EndsWith("/series", _east.Requests[^1].Path);
    }

    [Fact]
    public async Task DoesNotServeADeletedSeries_WhileAnotherPacsIsAskedForAnotherSeries()
    {
        const string InEast = Series + "/instances/1.2.1.1.1/frames/1";
        const string InWest = Study + "/series/1.2.1.2/instances/1.2.1.2.1/frames/1";
        using var west = new WireMockPacs(new HeldStudy("1.2.1").With("1.2.1.2", "SR", 1));
        await using var proxy = new ProxyHost(("east", _east.Address), ("west", west.Address)) { Time = _time };
        await proxy.GetAsync(InEast);
        await proxy.GetAsync(InWest);
        _time.Advance(Freshness * 2);
        _east.Archive.Drop("1.2.1");
        var gate = west.Hang();
        var asked = await proxy.AskedAsync("east");

        var held = proxy.GetAsync(InWest);
        await Until.TrueAsync(() => gate.Arrived > 0, "the west is asked");
        var gone = proxy.GetAsync(InEast);
        await Until.TrueAsync(() => proxy.Arrived == 5, "both wait");
        await Until.TrueAsync(async () => await proxy.AskedAsync("east") > asked, "the east has answered");
        await gate.LetTimePassAsync(_time, Task.WhenAll(held, gone), "both are answered");

        Assert.Equal("Proxy; hit", (await held).CacheStatus);
        // The west may hold the series but does not answer.
        (await gone).IsProblem(504, names: "west");
    }

    [Fact]
    public async Task ServesACachedFrameAtOnce_WhenAPacsHangs()
    {
        const string Frame = Series + "/instances/1.2.1.1.1/frames/1";
        await _proxy.GetAsync(Frame);
        _time.Advance(Freshness * 2);
        var gate = _east.Hang();

        var first = _proxy.GetAsync(Frame);
        await gate.LetTimePassAsync(_time, first, "the frame is served");
        Assert.Equal("Proxy; hit", (await first).CacheStatus);

        // Time stands still, so the next client must not wait at all.
        Assert.Equal("Proxy; hit", (await _proxy.GetAsync(Frame)).CacheStatus);
        Assert.Equal(1, gate.Arrived);
    }

    [Fact]
    public async Task RemovesTheEntries_WhenAnInstanceWasDeleted()
    {
        const string Frame = Series + "/instances/1.2.1.1.3/frames/1";
        await _proxy.GetAsync(Series + "/metadata");
        await _proxy.GetAsync(Frame);
        _east.Hold(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 2));
        _time.Advance(Freshness);

        Assert.Equal(2, (await _proxy.GetAsync(Series + "/metadata")).Rows.Count);
        (await _proxy.GetAsync(Frame)).IsProblem(404);
    }

    [Fact]
    public async Task ServesACorrectedName_WhenTheInstanceCountIsUnchanged()
    {
        await _proxy.GetAsync(Series + "/metadata");
        _east.Hold(new HeldStudy("1.2.1") { PatientName = "ROE^JANE" }.With("1.2.1.1", "CT", 3));
        _time.Advance(Freshness);

        var corrected = await _proxy.GetAsync(Series + "/metadata");

        Assert.All(corrected.Rows, row => Assert.Equal("ROE^JANE", (string)row!["00100010"]!["Value"]![0]!["Alphabetic"]!));
        Assert.Equal(2, _east.Count("/metadata"));
        _time.Advance(Freshness);
        await _proxy.GetAsync(Series + "/metadata");
        Assert.Equal(2, _east.Count("/metadata"));
    }

    [Fact]
    public async Task DetectsAChangeByETag_WhenNoSearchShowsIt()
    {
        _east.GivesETags = true;
        var first = await _proxy.GetAsync(Series + "/metadata");
        _time.Advance(Freshness);

        var confirmed = await _proxy.GetAsync(Series + "/metadata");
        Assert.Equal("Proxy; hit", confirmed.CacheStatus);
        Assert.Equal("0", confirmed["Age"]);
        Assert.Equal(first.Body, confirmed.Body);
        Assert.NotEqual("", _east.Requests[^1].Headers.GetValueOrDefault("If-None-Match", ""));

        _east.Archive.Laterality = "L";
        _time.Advance(Freshness);
        var changed = await _proxy.GetAsync(Series + "/metadata");
        Assert.Equal("Proxy; fwd=miss; stored", changed.CacheStatus);
        Assert.All(changed.Rows, row => Assert.Equal("L", (string)row!["00200060"]!["Value"]![0]!));
    }

    [Fact]
    public async Task DetectsAChangeByLastModified_WhenNoSearchShowsIt()
    {
        _east.LastModified = "Tue, 24 Nov 2026 05:00:00 GMT";
        await _proxy.GetAsync(Series + "/metadata");
        _time.Advance(Freshness);
        Assert.Equal("Proxy; hit", (await _proxy.GetAsync(Series + "/metadata")).CacheStatus);
        Assert.Equal(_east.LastModified, _east.Requests[^1].Headers["If-Modified-Since"]);

        (_east.Archive.Laterality, _east.LastModified) = ("L", "Tue, 24 Nov 2026 06:00:00 GMT");
        _time.Advance(Freshness);
        Assert.All((await _proxy.GetAsync(Series + "/metadata")).Rows, row => Assert.Equal("L", (string)row!["00200060"]!["Value"]![0]!));
    }

    [Fact]
    public async Task ServesStaleMetadata_WhileASlowPacsIsAsked()
    {
        await _proxy.GetAsync(Series + "/metadata");
        _east.Hold(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 4));
        _time.Advance(Freshness);
        var gate = _east.Hang("/series");

        var asking = _proxy.GetAsync(Series + "/metadata");
        await gate.LetTimePassAsync(_time, asking, "the cached metadata is served");
        var stale = await asking;
        Assert.Equal(3, stale.Rows.Count);
        Assert.Equal("Proxy; fwd=stale", stale.CacheStatus);

        gate.Open();
        await Until.TrueAsync(async () => (await _proxy.GetAsync(Series + "/metadata")).Rows.Count == 4, "the revalidation completed");
        Assert.Equal(2, _east.Count("/metadata"));
    }

    [Fact]
    public async Task DoesNotServeMetadata_WhenItIsTooStale()
    {
        await using var proxy = new ProxyHost(("east", _east.Address)) { Time = _time, ["Cache:Metadata:MaxStale"] = "01:00:00" };
        await proxy.GetAsync(Series + "/metadata");
        _east.Fail(500);

        _time.Advance(TimeSpan.FromMinutes(59));
        Assert.Equal("Proxy; fwd=stale", (await proxy.GetAsync(Series + "/metadata")).CacheStatus);
        _time.Advance(TimeSpan.FromMinutes(2));
        (await proxy.GetAsync(Series + "/metadata")).IsProblem(502);
    }

    [Fact]
    public async Task ServesACachedStudy_WhenItsPacsIsDownAndAnotherAnswers()
    {
        using var west = new WireMockPacs();
        await using var proxy = new ProxyHost(("east", _east.Address), ("west", west.Address)) { Time = _time };
        string[] opening = [
            "/dicomweb/studies?limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060&StudyInstanceUID=1.2.1",
            Study + "/series", Series + "/metadata", Series + "/instances/1.2.1.1.1/frames/1"];
        var open = new List<Reply>();
        foreach (var path in opening) open.Add(await proxy.GetAsync(path));
        _east.Fail(503);
        _time.Advance(TimeSpan.FromMinutes(10));

        foreach (var (path, before) in opening.Zip(open))
        {
            var again = await proxy.GetAsync(path);
            Assert.Equal(before.Comparable.Body, again.Comparable.Body);
            if (path.Contains("/frames/", StringComparison.Ordinal)) continue;
            Assert.Equal("Proxy; fwd=stale", again.CacheStatus);
            Assert.Equal("600", again["Age"]);
            Assert.Equal("east", again["X-Failed-Backends"]);
            Assert.Equal("no-store", again["Cache-Control"]);
        }
    }

    [Fact]
    public async Task RevalidatesAgain_WhenTheClockJumpsBack()
    {
        _time.AdjustTime(_time.GetUtcNow().AddYears(1));
        await _proxy.GetAsync(Series + "/metadata");
        _time.AdjustTime(_time.GetUtcNow().AddYears(-1));
        _east.Hold(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 4));

        Assert.Equal(4, (await _proxy.GetAsync(Series + "/metadata")).Rows.Count);
    }
}
