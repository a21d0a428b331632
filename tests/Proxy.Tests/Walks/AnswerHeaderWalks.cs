using System.Globalization;
using Microsoft.Extensions.Time.Testing;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>The headers of each kind of answer by its source: a backend, the cache, a client that has it already.</summary>
/// <remarks>
/// A line is: status, Cache-Status, Age, Server-Timing, Cache-Control, Vary, strength of the entity tag, Content-Type, Content-Encoding,
/// whether the length is declared, and whether browsers may run the body.
/// </remarks>
public sealed class AnswerHeaderWalks : IAsyncDisposable
{
    private const string Root = "/dicomweb";
    private const string Series = Root + "/studies/1.2.1/series/1.2.1.1";
    private const string Instance = Series + "/instances/1.2.1.1.1";
    private const string Files = "multipart/related; type=\"application/dicom\"; transfer-syntax=*";
    private const string File = "application/dicom; transfer-syntax=*";
    private const string Frames = "multipart/related; type=\"application/octet-stream\"; transfer-syntax=*";
    private const string Frame = "application/octet-stream; transfer-syntax=*";
    private const string BulkData = "multipart/related; type=\"application/octet-stream\"";
    private const string AnyType = "*/*";

    private readonly FakeTimeProvider _time = new(new(2024, 1, 1, 0, 0, 0, TimeSpan.Zero));

    private readonly WireMockPacs _east = new(
        new HeldStudy("1.2.1").With(new HeldSeries("1.2.1.1", "US", 2) { Frames = 2 }).With(new HeldSeries("1.2.1.2", "CT", 40)));

    private readonly ProxyHost _proxy;

    public AnswerHeaderWalks() => _proxy = new(("east", _east.Address)) { Time = _time, ["Cache:Metadata:Freshness"] = "00:01:00" };

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
    }

    [Fact]
    public async Task Search()
    {
        Assert.Equal(
            [
                "200 [Proxy; fwd=miss; stored] 0 timed [private, no-cache] [Accept, Accept-Encoding] weak application/dicom+json - length",
                "200 [Proxy; hit] 2 - [private, no-cache] [Accept, Accept-Encoding] weak application/dicom+json - length",
                "304 [Proxy; hit] 2 - [private, no-cache] [Accept, Accept-Encoding] weak - - -",
            ],
            await AskThriceAsync(Root + "/studies?limit=10", AnyType));
    }

    [Theory]
    [InlineData("/studies/1.2.1/series/1.2.1.2/metadata", "br", "br")]
    [InlineData("/studies/1.2.1/series/1.2.1.2/metadata", "identity", "-")]
    [InlineData("/studies/1.2.1/metadata", "gzip", "gzip")]
    [InlineData("/studies/1.2.1/series/1.2.1.2/instances/1.2.1.2.7/metadata", "br", "br")]
    public async Task Metadata(string path, string codings, string coding)
    {
        var end = $"[private, no-cache] [Accept, Accept-Encoding] weak application/dicom+json {coding} length";
        Assert.Equal(
            [
                $"200 [Proxy; fwd=miss; stored] 0 timed {end}",
                $"200 [Proxy; hit] 2 - {end}",
                "304 [Proxy; hit] 2 - [private, no-cache] [Accept, Accept-Encoding] weak - - -",
            ],
            await AskThriceAsync(Root + path, AnyType, codings));
    }

    [Fact]
    public async Task StaleMetadata()
    {
        await _proxy.GetAsync(Series + "/metadata");
        _time.Advance(TimeSpan.FromMinutes(2));
        _east.Fail(500);
        var stale = await _proxy.GetAsync(Series + "/metadata");
        Assert.Equal(
            "200 [Proxy; fwd=stale] 120 - [no-store] [Accept, Accept-Encoding] weak application/dicom+json - length", Show(stale));
        Assert.Equal(
            ["The stored metadata is stale, and no backend has confirmed it", "east did not answer: error status, status 500"],
            stale.Warnings.Select(w => w.Split('"')[1]));
        Assert.Equal("east", stale["X-Failed-Backends"]);
    }

    [Fact]
    public async Task PartialSearch()
    {
        using var west = new WireMockPacs(new HeldStudy("1.2.2").With("1.2.2.1"));
        west.Fail(500);
        await using var proxy = new ProxyHost(("east", _east.Address), ("west", west.Address));
        var partial = await proxy.GetAsync(Root + "/studies?limit=1&unknown=1");
        Assert.Equal(
            "200 [Proxy; fwd=miss] 0 timed [no-store] [Accept, Accept-Encoding] weak application/dicom+json - length", Show(partial));
        Assert.Equal("west", partial["X-Failed-Backends"]);
        Assert.Equal(
            ["Unknown parameters were ignored: unknown", "west did not answer: error status, status 500"],
            partial.Warnings.Select(w => w.Split('"')[1]));
    }

    [Theory]
    [InlineData("1", Frames, "weak multipart/related", "length")]
    [InlineData("1", Frame, "strong application/octet-stream", "length")]
    [InlineData("1,2", Frames, "weak multipart/related", "-")]
    public async Task Frame_ByNumberOfParts(string frames, string accept, string type, string length)
    {
        var end = $"[private, no-cache] [Accept, Accept-Encoding] {type} - {length} inert";
        Assert.Equal(
            [
                $"200 [Proxy; fwd=miss; stored] - timed {end}",
                $"200 [Proxy; hit] 2 - {end}",
                $"304 [Proxy; hit] 2 - [private, no-cache] [Accept, Accept-Encoding] {type.Split(' ')[0]} - - -",
            ],
            await AskThriceAsync($"{Instance}/frames/{frames}", accept));
    }

    [Theory]
    [InlineData("/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1", Files, "weak multipart/related", "stored")]
    [InlineData("/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1", File, "strong application/dicom", "stored")]
    [InlineData("?requestType=WADO&studyUID=1.2.1&seriesUID=1.2.1.1&objectUID=1.2.1.1.1", File, "strong application/dicom", "stored")]
    public async Task Instance_ByAddress(string path, string accept, string type, string stored)
    {
        var end = $"[private, no-cache] [Accept] {type} - length inert";
        Assert.Equal(
            [
                $"200 [Proxy; fwd=miss; {stored}] - timed {end}",
                $"200 [Proxy; hit] 2 - {end}",
                $"304 [Proxy; hit] 2 - [private, no-cache] [Accept] {type.Split(' ')[0]} - - -",
            ],
            await AskThriceAsync(Root + path, accept));
    }

    [Theory]
    [InlineData("/studies/1.2.1/series/1.2.1.1")]
    [InlineData("/studies/1.2.1")]
    public async Task WholeSeriesAndStudies_HaveNoTag(string path)
    {
        const string line = "200 [Proxy; fwd=miss] - timed [private, no-cache] [Accept] - multipart/related - - inert";
        Assert.Equal(line, Show(await _proxy.GetAsync(Root + path, ("Accept", Files))));
    }

    [Theory]
    [InlineData(BulkData, "weak multipart/related")]
    [InlineData(AnyType, "strong application/octet-stream")]
    public async Task BulkData_ByItsLink(string accept, string type)
    {
        var metadata = await _proxy.GetAsync(Series + "/metadata");
        var path = new Uri((string)metadata.Rows[0]!["7FE00010"]!["BulkDataURI"]!).AbsolutePath;
        var end = $"[private, no-cache] [Accept] {type} - length inert";
        Assert.Equal(
            [
                $"200 [Proxy; fwd=miss; stored] - timed {end}",
                $"200 [Proxy; hit] 2 - {end}",
                $"304 [Proxy; hit] 2 - [private, no-cache] [Accept] {type.Split(' ')[0]} - - -",
            ],
            await AskThriceAsync(path, accept));
    }

    [Fact]
    public async Task PrefetchedMetadataAndFrames_SayIt()
    {
        await _proxy.SendAsync(HttpMethod.Post, "/prefetch", [], """{"studies":["1.2.1"]}""");
        await Until.TrueAsync(async () => (string)(await _proxy.GetAsync("/prefetch")).Json[0]!["state"]! == "done");
        const string start = "200 [Proxy; hit; detail=prefetched] 0 - [private, no-cache] [Accept, Accept-Encoding] weak";
        Assert.Equal(
            [$"{start} application/dicom+json - length", $"{start} multipart/related - length inert"],
            [Show(await _proxy.GetAsync(Series + "/metadata")), Show(await _proxy.GetAsync(Instance + "/frames/1", ("Accept", Frames)))]);
    }

    [Fact]
    public async Task PackedFrame()
    {
        _east.Respond(
            Archive.Multipart("application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1", new byte[100_000]), "/frames/1");
        const string start = "200 [Proxy; hit] 0 - [private, no-cache] [Accept, Accept-Encoding] strong application/octet-stream";
        await AskAsync();
        Assert.Equal($"{start} - length inert", Show(await AskAsync()));
        await Until.TrueAsync(async () => (await AskAsync())["Content-Encoding"] == "br");
        var packed = await AskAsync();
        Assert.Equal($"{start} br length inert", Show(packed));
        Assert.Equal(
            "304 [Proxy; hit] 0 - [private, no-cache] [Accept, Accept-Encoding] strong - - -",
            Show(await AskAsync(("If-None-Match", packed["ETag"]))));

        Task<Reply> AskAsync(params (string, string)[] more) =>
            _proxy.GetAsync(Instance + "/frames/1", [("Accept", Frame), ("Accept-Encoding", "br"), .. more]);
    }

    /// <summary>A miss, a hit two seconds later, and the hit of a client that has the answer.</summary>
    private async Task<IEnumerable<string>> AskThriceAsync(string path, string accept, string codings = "identity")
    {
        var miss = await AskAsync();
        _time.Advance(TimeSpan.FromSeconds(2));
        await Until.TrueAsync(async () => (await AskAsync()).CacheStatus == "Proxy; hit");
        var hit = await AskAsync();
        Reply[] all = [miss, hit, await AskAsync(("If-None-Match", hit["ETag"]))];
        Assert.Equal(hit["ETag"], miss["ETag"]);
        return all.Select(Show);

        Task<Reply> AskAsync(params (string, string)[] more) =>
            _proxy.GetAsync(path, [("Accept", accept), ("Accept-Encoding", codings), .. more]);
    }

    private static string Show(Reply reply)
    {
        var tag = reply["ETag"];
        var isInert = reply["Content-Security-Policy"] == "sandbox" && reply["Content-Disposition"] == "attachment";
        if (reply["Content-Length"] is { Length: > 0 } length && (int)reply.Status == 200)
            Assert.Equal(reply.Body.Length.ToString(CultureInfo.InvariantCulture), length);
        string[] fields =
        [
            ((int)reply.Status).ToString(CultureInfo.InvariantCulture), $"[{reply.CacheStatus}]", OrDash(reply["Age"]),
            reply["Server-Timing"].StartsWith("backend;dur=", StringComparison.Ordinal) ? "timed" : "-", $"[{reply["Cache-Control"]}]",
            $"[{reply["Vary"]}]", tag.Length == 0 ? "-" : tag.StartsWith('W') ? "weak" : "strong",
            OrDash(reply["Content-Type"].Split(';')[0]), OrDash(reply["Content-Encoding"]),
            reply["Content-Length"].Length > 0 ? "length" : "-",
        ];
        return string.Join(' ', fields) + (isInert ? " inert" : "");

        static string OrDash(string text) => text.Length == 0 ? "-" : text;
    }
}
