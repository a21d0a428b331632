using Microsoft.Extensions.Time.Testing;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>A PACS that answers 404 to everything while it starts has an outage; it has not lost its studies.</summary>
public sealed class StartingPacsWalks : IAsyncDisposable
{
    private const string Study = "/dicomweb/studies/1.2.1";

    private const string Series = Study + "/series/1.2.1.1";

    private const string Frame = Series + "/instances/1.2.1.1.1/frames/1";

    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddYears(56));

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 3).With("1.2.1.2", "SR", 1));

    private readonly ProxyHost _proxy;

    public StartingPacsWalks() => _proxy = new(("east", _east.Address)) { Time = _time };

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
    }

    [Fact]
    public async Task ServesStaleWithoutPurgingOrEvents_WhenThePacsAnswers404ToEverything()
    {
        using var listener = await Listener.OpenAsync(_proxy, "?event=SERIES_REMOVED,STUDY_REMOVED,BACKEND_DOWN");
        await _proxy.GetAsync("/dicomweb/studies?StudyInstanceUID=1.2.1");
        await _proxy.GetAsync(Study + "/series");
        await _proxy.GetAsync(Study + "/metadata");
        var metadata = await _proxy.GetAsync(Series + "/metadata");
        var frame = await _proxy.GetAsync(Frame);
        _time.Advance(TimeSpan.FromMinutes(3));
        _east.Fail(404);

        foreach (var path in (string[])[
            "/dicomweb/studies?StudyInstanceUID=1.2.1", Study + "/series", Study + "/metadata", Series + "/metadata"])
        {
            var stale = await _proxy.GetAsync(path);
            Assert.Equal(200, (int)stale.Status);
            Assert.NotEmpty(stale.Rows);
            Assert.Equal("Proxy; fwd=stale", stale.CacheStatus);
            Assert.Equal("east", stale["X-Failed-Backends"]);
        }
        var cached = await _proxy.GetAsync(Frame);
        Assert.Equal("Proxy; hit", cached.CacheStatus);
        Assert.Equal(frame.Comparable.Body, cached.Comparable.Body);
        (await _proxy.GetAsync("/dicomweb/studies")).IsProblem(502);
        (await _proxy.GetAsync(Frame.Replace("1.2.1.1.1/", "1.2.1.1.2/", StringComparison.Ordinal))).IsProblem(502, names: "east");

        _east.Recover();
        _time.Advance(TimeSpan.FromMinutes(2));
        Assert.Equal(metadata.Body, (await _proxy.GetAsync(Series + "/metadata")).Body);
        Assert.DoesNotContain(listener.Names, name => name.EndsWith("_REMOVED", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Returns502_WhenNothingIsCached()
    {
        _east.Fail(404);
        (await _proxy.GetAsync(Study + "/series")).IsProblem(502, names: "east");
        (await _proxy.GetAsync(Study + "/metadata")).IsProblem(502, names: "east");
        (await _proxy.GetAsync(Series + "/metadata")).IsProblem(502, names: "east");
        (await _proxy.GetAsync(Frame)).IsProblem(502, names: "east");
        _east.Recover();
        Assert.Equal(3, (await _proxy.GetAsync(Series + "/metadata")).Rows.Count);
        Assert.Equal(200, (int)(await _proxy.GetAsync(Frame)).Status);
    }

    [Fact]
    public async Task ServesStale_WhenThePacsListsASeriesButDoesNotServeIt()
    {
        var metadata = await _proxy.GetAsync(Series + "/metadata");
        _time.Advance(TimeSpan.FromMinutes(3));
        _east.Hold(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 4).With("1.2.1.2", "SR", 1));
        _east.Fail(404, "/metadata");

        var stale = await _proxy.GetAsync(Series + "/metadata");

        Assert.Equal("Proxy; fwd=stale", stale.CacheStatus);
        Assert.Equal(metadata.Body, stale.Body);
        Assert.Contains(stale.Warnings, w => w.Contains("it lists the series but does not return it", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(404)]
    [InlineData(200)]
    public async Task RemovesAStudy_WhenAWorkingPacsDoesNotListIt(int status)
    {
        using var listener = await Listener.OpenAsync(_proxy, "?event=SERIES_REMOVED");
        await _proxy.GetAsync(Study + "/series");
        await _proxy.GetAsync(Series + "/metadata");
        _time.Advance(TimeSpan.FromMinutes(3));
        _east.Archive.Drop("1.2.1");
        if (status == 200) _east.Respond(PacsAnswer.Json("[]"), "1.2.1/series");

        (await _proxy.GetAsync(Series + "/metadata")).IsProblem(404);
        await Until.TrueAsync(() => listener.Events.Count == 2);
    }
}
