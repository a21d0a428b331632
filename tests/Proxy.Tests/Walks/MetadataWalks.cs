using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Metadata of a study, a series and an instance: one fetch serves them all.</summary>
public sealed class MetadataWalks : IDisposable
{
    private const string Study = "/dicomweb/studies/1.2.1";

    private const string Series = Study + "/series/1.2.1.1";

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 40));

    private readonly ProxyHost _proxy;

    public MetadataWalks() => _proxy = new(("east", _east.Address));

    public void Dispose()
    {
        _proxy.Dispose();
        _east.Dispose();
    }

    [Fact]
    public async Task ServesTheSeriesEachInstanceAndTheStudy_WithOneFetch()
    {
        var series = await _proxy.GetAsync(Series + "/metadata");
        var second = await _proxy.GetAsync(Series + "/metadata");
        var study = await _proxy.GetAsync(Study + "/metadata");

        Assert.Equal("application/dicom+json", series["Content-Type"]);
        Assert.Equal(Enumerable.Range(1, 40).Select(n => $"1.2.1.1.{n}"), series.Values("00080018"));
        Assert.Equal(series.Body, second.Body);
        Assert.Equal(series.Body, study.Body);
        foreach (var number in (int[])[1, 17, 40])
        {
            var instance = await _proxy.GetAsync($"{Series}/instances/1.2.1.1.{number}/metadata");
            Assert.Equal(series.Rows[number - 1]!.ToJsonString(), Assert.Single(instance.Rows)!.ToJsonString());
        }
        Assert.Equal(1, _east.Count("/metadata"));
        Assert.Equal("Proxy; fwd=miss; stored", series.CacheStatus);
        Assert.Equal("Proxy; hit", second.CacheStatus);
        Assert.Equal("Proxy; hit", study.CacheStatus);
        Assert.Equal("0", second["Age"]);
        Assert.Contains("backend;dur=", series["Server-Timing"]);
        Assert.StartsWith("cache;dur=", second["Server-Timing"]);
    }

    [Fact]
    public async Task FetchesTheWholeSeries_WhenAnInstanceIsRequestedFirst()
    {
        Assert.Single((await _proxy.GetAsync($"{Series}/instances/1.2.1.1.3/metadata")).Rows);
        Assert.Equal("Proxy; hit", (await _proxy.GetAsync(Series + "/metadata")).CacheStatus);
        Assert.Equal(1, _east.Count("/metadata"));
    }

    [Fact]
    public async Task AsksThePacsOnce_WhenManyClientsAskAtOnce()
    {
        var gate = _east.Hang("/metadata");

        var asking = Enumerable.Range(1, 20)
            .Select(n => _proxy.GetAsync(n % 2 == 0 ? Series + "/metadata" : $"{Series}/instances/1.2.1.1.{n}/metadata")).ToArray();
        await Until.TrueAsync(() => _proxy.Arrived == 20 && gate.Arrived > 0, "all wait");
        gate.Open();
        var replies = await Task.WhenAll(asking);

        Assert.All(replies, r => Assert.Equal(200, (int)r.Status));
        Assert.Contains(replies, r => r.CacheStatus == "Proxy; hit; collapsed");
        Assert.Equal(1, _east.Count("/metadata"));
        Assert.Equal(1, _east.Count("/series"));
    }

    [Theory]
    [InlineData(Study + "/metadata")]
    [InlineData(Series + "/metadata")]
    [InlineData(Series + "/instances/1.2.1.1.7/metadata")]
    public async Task Returns304_WhenTheClientHasTheMetadata(string path)
    {
        var first = await _proxy.GetAsync(path);
        var again = await _proxy.GetAsync(path, ("If-None-Match", $"\"other\", {first["ETag"]}"));
        var other = await _proxy.GetAsync(path, ("If-None-Match", "\"other\""));

        Assert.Matches("^W/\"[^\"]+\"$", first["ETag"]);
        Assert.Equal("private, no-cache", first["Cache-Control"]);
        Assert.Equal(304, (int)again.Status);
        Assert.Empty(again.Body);
        Assert.Equal(first["ETag"], again["ETag"]);
        Assert.Equal("Accept, Accept-Encoding", again["Vary"]);
        Assert.Equal(200, (int)other.Status);
    }

    [Theory]
    [InlineData(Study + "/metadata")]
    [InlineData(Series + "/metadata")]
    [InlineData(Series + "/instances/1.2.1.1.7/metadata")]
    public async Task ServesTheSameBytes_CompressedAndPlain(string path)
    {
        var plain = await _proxy.GetAsync(path);
        var gzip = await _proxy.GetAsync(path, ("Accept-Encoding", "gzip, deflate"));
        var brotli = await _proxy.GetAsync(path, ("Accept-Encoding", "gzip, deflate, br, zstd"));
        var refused = await _proxy.GetAsync(path, ("Accept-Encoding", "gzip;q=0, identity"));
        Reply[] all = [plain, gzip, brotli, refused];

        Assert.Equal(["", "gzip", "br", ""], all.Select(r => r["Content-Encoding"]));
        Assert.All(all, r => Assert.Equal("Accept, Accept-Encoding", r["Vary"]));
        Assert.All(all, r => Assert.Equal(plain.Body, r.Unpacked));
        Assert.All(all, r => Assert.Equal(plain["ETag"], r["ETag"]));
        Assert.All(all, r => Assert.Equal(r.Body.Length.ToString(System.Globalization.CultureInfo.InvariantCulture), r["Content-Length"]));
        Assert.Equal(304, (int)(await _proxy.GetAsync(path, ("Accept-Encoding", "br"), ("If-None-Match", gzip["ETag"]))).Status);
    }

    [Fact]
    public async Task ServesTheSameStudy_InEveryContentCoding()
    {
        _east.Archive.Hold(new HeldStudy("1.2.2").With("1.2.2.1", "CT", 30).With("1.2.2.2", "MR", 20));
        const string path = "/dicomweb/studies/1.2.2/metadata";
        foreach (var coding in (string[])["identity", "gzip", "br", "br"])
        {
            var reply = await _proxy.GetAsync(path, ("Accept-Encoding", coding));

            Assert.Equal(coding == "identity" ? "" : coding, reply["Content-Encoding"]);
            Assert.Equal(50, System.Text.Json.Nodes.JsonNode.Parse(reply.Unpacked)!.AsArray().Count);
        }
        var later = await _proxy.GetAsync("/backends/east" + path, ("Accept-Encoding", "br"));
        Assert.Contains("/backends/east/dicomweb/", System.Text.Encoding.UTF8.GetString(later.Unpacked));
    }

    [Theory]
    [InlineData("application/dicom+json")]
    [InlineData("application/json")]
    [InlineData("*/*")]
    [InlineData("")]
    [InlineData("application/dicom+json, multipart/related; type=application/octet-stream; transfer-syntax=*")]
    [InlineData("multipart/related; type=\"application/octet-stream\"; transfer-syntax=*, application/dicom+json")]
    public async Task ServesDicomJson_WhenTheClientAcceptsIt(string accept)
    {
        var reply = await _proxy.GetAsync(Series + "/metadata", accept.Length > 0 ? [("Accept", accept)] : []);

        Assert.Equal(200, (int)reply.Status);
        Assert.Equal("application/dicom+json", reply["Content-Type"]);
    }

    [Fact]
    public async Task Returns406_WhenTheClientDoesNotAcceptDicomJson()
    {
        (await _proxy.GetAsync(Series + "/metadata", ("Accept", "text/html"))).IsProblem(406);
        Assert.Empty(_east.Requests);
    }

    [Theory]
    [InlineData("/dicomweb/studies/1.2.9/metadata")]
    [InlineData("/dicomweb/studies/1.2.9/series/1.2.9.1/metadata")]
    [InlineData("/dicomweb/studies/1.2.1/series/1.2.1.9/metadata")]
    [InlineData("/dicomweb/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.99/metadata")]
    public async Task Returns404_WhenNoPacsHoldsTheResource(string path) => (await _proxy.GetAsync(path)).IsProblem(404);

    [Fact]
    public async Task AnswersHeadLikeGet_WithoutABody()
    {
        var reply = await _proxy.SendAsync(HttpMethod.Head, Series + "/metadata", []);

        Assert.Equal(200, (int)reply.Status);
        Assert.Equal("application/dicom+json", reply["Content-Type"]);
        Assert.NotEqual("", reply["ETag"]);
        Assert.Empty(reply.Body);
    }

    [Theory]
    [InlineData(
        """[{"0020000D":{"vr":"UI","Value":["1.2.666"]},"0020000E":{"vr":"UI","Value":["1.2.1.1"]}""" +
        ""","00080018":{"vr":"UI","Value":["1.2.1.1.1"]}}]""")]
    [InlineData(
        """[{"0020000D":{"vr":"UI","Value":["1.2.1"]},"0020000E":{"vr":"UI","Value":["1.2.1.2"]}""" +
        ""","00080018":{"vr":"UI","Value":["1.2.1.2.1"]}}]""")]
    [InlineData("""[{"0020000D":{"vr":"UI","Value":["1.2.1"]},"0020000E":{"vr":"UI","Value":["1.2.1.1"]}}]""")]
    [InlineData(
        """[{"0020000D":{"vr":"UI","Value":["1.2.1"]},"0020000E":{"vr":"UI","Value":["1.2.1.1"]}""" +
        ""","00080018":{"vr":"UI","Value":["1.2.1.1.1"]}}""")]
    [InlineData("<html>Please log in</html>")]
    [InlineData("null")]
    public async Task Returns502AndCachesNothing_WhenTheAnswerIsInvalid(string answer)
    {
        _east.Respond(PacsAnswer.Json(answer), "/metadata");
        (await _proxy.GetAsync(Series + "/metadata")).IsProblem(502, names: "east");
        (await _proxy.GetAsync(Study + "/metadata")).IsProblem(502, names: "east");

        _east.Recover();
        Assert.Equal(40, (await _proxy.GetAsync(Series + "/metadata")).Rows.Count);
    }
}
