using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>
/// Read-ahead of an open study: metadata when the viewer opens it, pixels outwards from the frame that the viewer shows.
/// </summary>
public sealed class ReadAheadWalks : IAsyncDisposable
{
    private const string Study = "/dicomweb/studies/1.2.1";

    private const string OhifSearch = "/dicomweb/studies?limit=101&offset=0&fuzzymatching=false"
        + "&includefield=00081030%2C00080060%2C00080090%2C00100030&StudyInstanceUID=";

    private readonly WireMockPacs _east = new(
        new HeldStudy("1.2.1").With("1.2.1.1", "CT", 9).With("1.2.1.2", "CT", 2).With("1.2.1.3", "SEG", 1));

    private readonly ProxyHost _proxy;

    public ReadAheadWalks() =>
        _proxy = new(("east", _east.Address)) { ["Prefetch:SeriesReadAhead"] = "true", ["Prefetch:MaxConcurrentRequests"] = "1" };

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
    }

    [Fact]
    public async Task FetchesMetadataOfAllSeriesButNoPixels_WhenTheSeriesAreListed()
    {
        await _proxy.GetAsync(Study + "/series");
        await Until.TrueAsync(() => _east.Count("/metadata") == 3);
        Assert.Empty(Pixels());
        await _proxy.GetAsync(Study + "/series/1.2.1.2/metadata");
        Assert.Equal(3, _east.Count("/metadata"));
    }

    [Fact]
    public async Task FetchesNothing_WhileAClientRetrievesTheWholeStudy()
    {
        var metadata = _east.Hang("/metadata");
        var reading = _proxy.GetAsync(Study, ("Accept", "multipart/related; type=\"application/dicom\"; transfer-syntax=*"));
        await Until.TrueAsync(() => metadata.Arrived > 0);

        Assert.Empty((await _proxy.GetAsync("/prefetch")).Json.AsArray());
        metadata.Open();
        await reading;
    }

    [Fact]
    public async Task FetchesTheViewedSeriesFirst_OutwardsFromTheFrame()
    {
        await _proxy.GetAsync(Study + "/series");
        await Until.TrueAsync(() => _east.Count("/metadata") == 3);
        await FrameAsync(5);
        await DoneAsync();
        Assert.Equal([
            "1.2.1.1.5", "1.2.1.1.6", "1.2.1.1.4", "1.2.1.1.7", "1.2.1.1.3", "1.2.1.1.8", "1.2.1.1.2", "1.2.1.1.9", "1.2.1.1.1",
            "1.2.1.2.1", "1.2.1.2.2", "1.2.1.3.1", "1.2.1.3.1"], Pixels());
        Assert.EndsWith("instances/1.2.1.3.1", _east.Requests[^2].Path);
        Assert.EndsWith("instances/1.2.1.3.1/frames/1", _east.Requests[^1].Path);
    }

    [Fact]
    public async Task FollowsTheViewer()
    {
        await _proxy.GetAsync(Study + "/series");
        await Until.TrueAsync(() => _east.Count("/metadata") == 3);
        var gate = _east.Hang("/1.2.1.1.2/frames/1");
        await FrameAsync(1);
        await Until.TrueAsync(() => gate.Arrived == 1);
        await FrameAsync(8);
        gate.Open();
        await DoneAsync();
        Assert.Equal(["1.2.1.1.1", "1.2.1.1.2", "1.2.1.1.8", "1.2.1.1.9", "1.2.1.1.7", "1.2.1.1.6"], Pixels().Take(6));
    }

    [Fact]
    public async Task AsksForEachFrameOnce_WhenTheViewerAndReadAheadMeet()
    {
        _proxy["Prefetch:MaxConcurrentRequests"] = "4";
        await _proxy.GetAsync(Study + "/series");
        await Task.WhenAll(Enumerable.Range(1, 9).Select(FrameAsync));
        await DoneAsync();
        var asked = _east.Requests.Where(r => r.Path.Contains("/instances/", StringComparison.Ordinal)).Select(r => r.Path).ToList();
        Assert.Equal(asked.Distinct(), asked);
    }

    [Fact]
    public async Task AsksForTheViewer_WhenReadAheadWasRefused()
    {
        _east.Fail(404, "/metadata");
        await _proxy.GetAsync(Study + "/series");
        await Until.TrueAsync(() => _east.Count("/metadata") == 3);
        await FrameAsync(5);
        await FrameAsync(6);
    }

    [Fact]
    public async Task StartsNoReadAhead_WhenTheViewerOnlySearches()
    {
        await _proxy.GetAsync("/dicomweb/studies");
        await _proxy.GetAsync("/dicomweb/studies?StudyInstanceUID=1.2.1");
        await Until.TrueAsync(() => _east.Count("/metadata") == 3);
        Assert.Empty(Pixels());
        Assert.True((bool)(await _proxy.GetAsync("/store/studies/1.2.1")).Json["seriesLists"]![0]!["madeInClient"]!);
    }

    [Fact]
    public async Task RequestsSeriesAndMetadata_WhileOhifSearchesForTheStudy()
    {
        var search = _east.Hang("studies");
        var searching = _proxy.GetAsync(OhifSearch + "1.2.1");
        await Until.TrueAsync(() => _east.Count("/metadata") == 3);
        search.Open();
        Assert.Single((await searching).Rows);
        Assert.Equal(1, _east.Count("1.2.1/series"));
    }

    [Fact]
    public async Task ListsNoJob_WhenOhifSearchesForAStudyThatDoesNotExist()
    {
        Assert.Empty((await _proxy.GetAsync(OhifSearch + "1.2.9")).Rows);
        await Until.TrueAsync(async () => (await _proxy.GetAsync("/prefetch")).Json.AsArray().Count == 0);
    }

    [Fact]
    public async Task RemovesTheJob_WhenEverythingWasAlreadyCached()
    {
        await _proxy.GetAsync(Study + "/series");
        await FrameAsync(5);
        await DoneAsync();
        // The proxy caches the last body a moment after its last byte.
        await Until.TrueAsync(async () => (int)(await _proxy.GetAsync("/cache")).Json["backends"]!["east"]!["memory"]!["entries"]! == 13);
        var asked = _east.Requests.Count;
        await _proxy.GetAsync(Study + "/series", ("User-Agent", "another"));
        await _proxy.GetAsync(
            Study + "/series/1.2.1.1/instances/1.2.1.1.1/frames/1", ("User-Agent", "another"),
            ("Accept", "multipart/related; type=application/octet-stream; transfer-syntax=*"));
        await Until.TrueAsync(async () => (await _proxy.GetAsync("/prefetch")).Json.AsArray().Count == 1);
        Assert.Equal(asked, _east.Requests.Count);
    }

    private async Task FrameAsync(int instance) =>
        Assert.Equal(
            200,
            (int)(await _proxy.GetAsync(
                $"{Study}/series/1.2.1.1/instances/1.2.1.1.{instance}/frames/1",
                ("Accept", "multipart/related; type=application/octet-stream; transfer-syntax=*"))).Status);

    private List<string> Pixels() =>
        [.. _east.Requests.Where(r => r.Path.Contains("/instances/", StringComparison.Ordinal))
            .Select(r => r.Path.Split("/instances/")[1].Split('/')[0])];

    private Task DoneAsync() =>
        Until.TrueAsync(
            async () => (await _proxy.GetAsync("/prefetch")).Json.AsArray() is [{ } job] && (string)job["state"]! == "done",
            "the read-ahead is done");
}
