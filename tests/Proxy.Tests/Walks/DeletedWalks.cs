using Microsoft.Extensions.Time.Testing;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>What a PACS says it deleted (410, PS3.18 §8.5) is not merely missing.</summary>
public sealed class DeletedWalks : IDisposable
{
    private const string Study = "/dicomweb/studies/1.2.1";
    private const string Series = Study + "/series/1.2.1.1";
    private const string Instance = Series + "/instances/1.2.1.1.1";
    private const string Uri = "/dicomweb?requestType=WADO&studyUID=1.2.1&seriesUID=1.2.1.1&objectUID=1.2.1.1.1";

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 2));

    private readonly WireMockPacs _west = new();

    private readonly FakeTimeProvider _time = new();

    private readonly ProxyHost _proxy;

    public DeletedWalks() => _proxy = new(("east", _east.Address), ("west", _west.Address)) { Time = _time };

    public void Dispose()
    {
        _proxy.Dispose();
        _east.Dispose();
        _west.Dispose();
    }

    [Theory]
    [InlineData(Study)]
    [InlineData(Study + "/metadata")]
    [InlineData(Series)]
    [InlineData(Series + "/metadata")]
    [InlineData(Instance)]
    [InlineData(Instance + "/metadata")]
    [InlineData(Instance + "/frames/1")]
    [InlineData(Instance + "/frames/1,2")]
    [InlineData(Uri)]
    [InlineData("/backends/east" + Instance + "/frames/1")]
    public async Task Returns410_WhenThePacsHasDeletedTheStudy(string path)
    {
        _east.Respond(request => request.Path.StartsWith("studies/1.2.1", StringComparison.Ordinal)
            ? PacsAnswer.Text(410, "text/plain", "gone")
            : null);
        _east.Archive.Drop("1.2.1");

        (await _proxy.GetAsync(path)).IsProblem(410);
        (await _proxy.GetAsync(path)).IsProblem(410);
    }

    [Theory]
    [InlineData(Instance, "/instances/1.2.1.1.1", Series + "/instances/1.2.1.1.2")]
    [InlineData(Instance + "/frames/1", "/frames/1", Instance)]
    [InlineData(Uri, "/instances/1.2.1.1.1", Series + "/instances/1.2.1.1.2")]
    public async Task Returns410_ForTheDeletedObjectOnly(string path, string deleted, string other)
    {
        await _proxy.GetAsync(Series + "/metadata");
        _east.Fail(410, deleted);

        (await _proxy.GetAsync(path)).IsProblem(410);
        Assert.Equal(200, (int)(await _proxy.GetAsync(other, ("Accept", "application/dicom; transfer-syntax=*"))).Status);
    }

    [Fact]
    public async Task Returns410_ForDeletedBulkData()
    {
        var metadata = await _proxy.GetAsync(Instance + "/metadata");
        var bulk = new System.Uri((string)metadata.Rows[0]!["7FE00010"]!["BulkDataURI"]!).PathAndQuery;
        _east.Respond(request => request.Path.Contains("/bulk", StringComparison.Ordinal)
            ? PacsAnswer.Text(410, "text/plain", "gone")
            : null);

        (await _proxy.GetAsync(bulk)).IsProblem(410);
    }

    [Fact]
    public async Task ServesTheResource_WhenAnotherPacsHasIt()
    {
        _east.Respond(request => request.Path.StartsWith("studies/1.2.1", StringComparison.Ordinal)
            ? PacsAnswer.Text(410, "text/plain", "gone")
            : null);
        _east.Archive.Drop("1.2.1");
        _west.Hold(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 2));

        Assert.Equal(2, (await _proxy.GetAsync(Series + "/metadata")).Rows.Count);
        Assert.Equal(200, (int)(await _proxy.GetAsync(Instance + "/frames/1")).Status);
    }

    [Fact]
    public async Task Forgets410_AfterTheTimeOfADenial()
    {
        await _proxy.GetAsync(Series + "/metadata");
        _east.Fail(410, "/frames/1");
        (await _proxy.GetAsync(Instance + "/frames/1")).IsProblem(410);

        _east.Recover();
        _east.Fail(404, "/frames/1");
        _time.Advance(TimeSpan.FromSeconds(31));

        (await _proxy.GetAsync(Instance + "/frames/1")).IsProblem(404);
    }

    [Fact]
    public async Task Forgets410_WhenTheCacheIsPurged()
    {
        await _proxy.GetAsync(Series + "/metadata");
        _east.Fail(410, "/frames/1");
        (await _proxy.GetAsync(Instance + "/frames/1")).IsProblem(410);

        _east.Recover();
        _east.Fail(404, "/frames/1");
        await _proxy.SendAsync(HttpMethod.Delete, "/cache", []);

        (await _proxy.GetAsync(Instance + "/frames/1")).IsProblem(404);
    }
}
