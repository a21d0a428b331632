using System.Text.Json.Nodes;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Every request with a waiting client pauses prefetching; background revalidation does not.</summary>
public sealed class ForegroundWalks : IAsyncDisposable
{
    private readonly WireMockPacs _east = new(
        new HeldStudy("1.2.1").With("1.2.1.1", "CT", 3), new HeldStudy("1.2.2").With("1.2.2.1", "CT", 3));
    private readonly ProxyHost _proxy;

    public ForegroundWalks() =>
        _proxy = new(("east", _east.Address)) { ["Prefetch:MaxConcurrentRequests"] = "1", ["Backends:east:Forward"] = "true" };

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
    }

    [Theory]
    [InlineData("/dicomweb/series?Modality=MR", "series")]
    [InlineData("/dicomweb/instances?limit=1", "instances")]
    [InlineData("/dicomweb/studies/1.2.2/series", "/1.2.2/series")]
    [InlineData("/dicomweb/studies/1.2.2/instances", "/1.2.2/instances")]
    [InlineData("/dicomweb/studies/1.2.2/series/1.2.2.1/instances", "/1.2.2.1/instances")]
    [InlineData("/dicomweb/studies/1.2.2/series/1.2.2.1/metadata", "/1.2.2.1/metadata")]
    [InlineData("/dicomweb/studies/1.2.2/series/1.2.2.1/instances/1.2.2.1.1", "/1.2.2.1.1")]
    [InlineData("/dicomweb/studies/1.2.2/series/1.2.2.1", "")]
    [InlineData("/backends/east/dicomweb/workitems", "workitems")]
    [InlineData("bulk data", "/bulk/7fe00010")]
    public async Task CancelsThePrefetch_WhileAClientWaitsForThePacs(string path, string waitsFor)
    {
        if (path == "bulk data")
            path = new Uri((string)(await _proxy.GetAsync(
                "/dicomweb/studies/1.2.2/series/1.2.2.1/metadata")).Rows[0]!["7FE00010"]!["BulkDataURI"]!).AbsolutePath;
        var prefetch = _east.Hang("/1.2.1.1.1/frames/1");
        var job = await PostAsync("1.2.1");
        await Until.TrueAsync(() => prefetch.Arrived == 1);

        var wanted = _east.Hang(waitsFor);
        var client = _proxy.GetAsync(path);
        await Until.TrueAsync(() => wanted.Arrived > 0);
        prefetch.Open();
        await Until.TrueAsync(async () => (string?)(await JobAsync(job))["waiting"] == "waiting for a fetch slot");
        Assert.Equal(0, (int)(await JobAsync(job))["frames"]!["done"]!);

        _east.Recover();
        await client;
        await DoneAsync(job);
        Assert.Equal(2, _east.Count("/1.2.1.1.1/frames/1"));
    }

    [Fact]
    public async Task ContinuesThePrefetch_WhileMetadataIsRevalidatedInTheBackground()
    {
        _proxy["Cache:Metadata:Freshness"] = "00:00:00";
        await _proxy.GetAsync("/dicomweb/studies/1.2.2/series/1.2.2.1/metadata");
        var prefetch = _east.Hang("/1.2.1.1.1/frames/1");
        var job = await PostAsync("1.2.1");
        await Until.TrueAsync(() => prefetch.Arrived == 1);

        var revalidation = _east.Hang("studies/1.2.2/series");
        var stale = await _proxy.GetAsync("/dicomweb/studies/1.2.2/series/1.2.2.1/metadata");
        Assert.Equal("Proxy; fwd=stale", stale.CacheStatus);
        await Until.TrueAsync(() => revalidation.Arrived == 1);
        prefetch.Open();

        await DoneAsync(job);
        Assert.Equal(1, _east.Count("/1.2.1.1.1/frames/1"));
    }

    private async Task<string> PostAsync(string study) =>
        (await _proxy.SendAsync(HttpMethod.Post, "/prefetch", [], $$"""{"studies":["{{study}}"]}"""))["Location"];

    private async Task<JsonNode> JobAsync(string job) => (await _proxy.GetAsync(job)).Json;

    private Task DoneAsync(string job) => Until.TrueAsync(async () => (string)(await JobAsync(job))["state"]! == "done");
}
