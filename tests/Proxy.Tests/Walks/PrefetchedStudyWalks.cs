using System.Text.Json.Nodes;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>After a prefetch, the cache answers every request that OHIF sends for the study.</summary>
public sealed class PrefetchedStudyWalks : IAsyncDisposable
{
    private const string Study = "/dicomweb/studies/1.8.1";
    private const string Frames = "multipart/related; type=application/octet-stream; transfer-syntax=*";
    private const string File = "multipart/related; type=\"application/dicom\"";

    /// <summary>A CT, its segmentation of single bits, a structure set, a PDF, and a PET with its SUV factor as bulk data.</summary>
    private readonly WireMockPacs _east = new(new HeldStudy("1.8.1")
        .With("1.8.1.1", "CT", 2).With(new HeldSeries("1.8.1.2", "SEG", 1) { Frames = 2 }).With("1.8.1.3", "RTSTRUCT")
            .With("1.8.1.4", "DOC").With("1.8.1.5", "PT"));

    private readonly ProxyHost _proxy;

    public PrefetchedStudyWalks()
    {
        _proxy = new(("east", _east.Address));
        Describe("1.8.1.2", "SEG", ("00280008", "IS", 2), ("00280010", "US", 512), ("00280011", "US", 512), ("00280100", "US", 1));
        Describe("1.8.1.3", "RTSTRUCT");
        Describe("1.8.1.4", "DOC", ("00420011", "OB", BulkUri("1.8.1.4", "00420011")));
        Describe("1.8.1.5", "PT", ("00280010", "US", 512), ("70531000", "DS", BulkUri("1.8.1.5", "70531000")));
    }

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
    }

    [Fact]
    public async Task AnswersAllRequestsOfOhif_FromTheCache()
    {
        var job = await PrefetchAsync();
        Assert.Empty(job["errors"]!.AsArray());
        Assert.Equal("5/5 6/6 5/5", Progress(job, "series", "instances", "frames"));
        var asked = _east.Requests.Count;

        await OpenAsync();

        Assert.Equal(asked, _east.Requests.Count);
    }

    [Fact]
    public async Task FetchesNothing_WhenTheStudyIsPrefetchedAgain()
    {
        await PrefetchAsync();
        var asked = _east.Requests.Count;
        var job = await PrefetchAsync();
        Assert.Equal("5/5 6/6 5/5 0/0", Progress(job, "series", "instances", "frames", "bytes"));
        Assert.Equal(9, (int)job["cached"]!);
        Assert.Equal(asked, _east.Requests.Count);
    }

    [Fact]
    public async Task FetchesSingleBitFrames_WhenTheirInstanceIsCached()
    {
        await _proxy.GetAsync(Study + "/series/1.8.1.2/instances/1.8.1.2.1", ("Accept", File));
        await PrefetchAsync();
        var asked = _east.Requests.Count;
        await OpenAsync();
        Assert.Equal(asked, _east.Requests.Count);
    }

    /// <summary>The requests of OHIF when it opens the study and loads its segmentation, structures and document.</summary>
    private async Task OpenAsync()
    {
        await GetAsync(Study + "/series?includefield=00080021%2C00080031%2C0008103E%2C00200011", "application/dicom+json");
        for (var series = 1; series <= 5; series++) await GetAsync($"{Study}/series/1.8.1.{series}/metadata", "application/dicom+json");
        foreach (var (series, instance, frame) in ((int, int, int)[])[(1, 1, 1), (1, 2, 1), (2, 1, 1), (2, 1, 2), (5, 1, 1)])
            await GetAsync($"{Study}/series/1.8.1.{series}/instances/1.8.1.{series}.{instance}/frames/{frame}", Frames);
        await GetAsync(Study + "/series/1.8.1.2/instances/1.8.1.2.1", File);
        await GetAsync(Study + "/series/1.8.1.3/instances/1.8.1.3.1", File);
        await GetAsync(
            await BulkAddressAsync("1.8.1.4", "00420011"),
            "multipart/related; type=\"application/pdf\", multipart/related; type=\"application/octet-stream\"");
        await GetAsync(await BulkAddressAsync("1.8.1.5", "70531000"), "multipart/related; type=\"application/octet-stream\"");
    }

    private async Task GetAsync(string path, string accept)
    {
        var reply = await _proxy.GetAsync(path, ("Accept", accept));
        Assert.Equal((200, path), ((int)reply.Status, path));
        Assert.Contains("hit", reply.CacheStatus, StringComparison.Ordinal);
    }

    private async Task<string> BulkAddressAsync(string series, string tag) =>
        new Uri((string)(await _proxy.GetAsync($"{Study}/series/{series}/metadata")).Rows[0]![tag]!["BulkDataURI"]!).AbsolutePath;

    private async Task<JsonNode> PrefetchAsync()
    {
        var job = (await _proxy.SendAsync(HttpMethod.Post, "/prefetch", [], """{"studies":["1.8.1"]}"""))["Location"];
        await Until.TrueAsync(async () => (string)(await _proxy.GetAsync(job)).Json["state"]! == "done");
        // The proxy caches each of the nine bodies a moment after its last byte.
        await Until.TrueAsync(async () => (int)(await _proxy.GetAsync("/cache")).Json["backends"]!["east"]!["memory"]!["entries"]! >= 9);
        return (await _proxy.GetAsync(job)).Json;
    }

    private void Describe(string series, string modality, params (string Tag, string Vr, object? Value)[] more) => _east.Respond(
        PacsAnswer.Json(new JsonArray(DicomJson.Dataset([
            ("00080018", "UI", series + ".1"), (
                "00080060", "CS", modality), ("0020000D", "UI", "1.8.1"), ("0020000E", "UI", series), ("00200013", "IS",
                1), .. more])).ToJsonString()),
        $"/{series}/metadata");

    private Uri BulkUri(string series, string path) =>
        new($"{_east.Address}/studies/1.8.1/series/{series}/instances/{series}.1/bulk/{path}");

    private static string Progress(JsonNode job, params string[] of) =>
        string.Join(' ', of.Select(name => $"{job[name]!["done"]}/{job[name]!["total"]}"));
}
