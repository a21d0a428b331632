using System.Text;
using Proxy.Tests.Pacs;
using Proxy.Tests.Wire;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Prefetching costs a PACS one request per series or instance, and opening what was prefetched none.</summary>
public sealed class SeriesPrefetchWalks : IAsyncDisposable
{
    private const string Fields = "limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060%2C00080090%2C00100030";
    private const string Ohif = "multipart/related; type=application/octet-stream; transfer-syntax=*";

    private static readonly byte[] Frame = new byte[256 * 240];

    private readonly WireMockPacs _east = new(
        new HeldStudy("1.6.1") { Date = "20240102", PatientId = "P1" }.With("1.6.1.1", "CT", 1),
        new HeldStudy("1.6.2") { PatientId = "P2" }.With("1.6.2.1", "CT", 8));

    private readonly WireMockPacs _west = new();
    private readonly ProxyHost _proxy;

    public SeriesPrefetchWalks() => _proxy = new(("east", _east.Address), ("west", _west.Address));

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
        _west.Dispose();
    }

    [Fact]
    public async Task FetchesASeriesInOneRequest()
    {
        ServeSeries(8);
        await PrefetchAsync();

        Assert.Equal((1, 0), CountRequests());
        var frame = await _proxy.GetAsync("/dicomweb/studies/1.6.2/series/1.6.2.1/instances/1.6.2.1.3/frames/1", ("Accept", Ohif));
        Assert.Equal("Proxy; hit; detail=prefetched", frame.CacheStatus);
        Assert.Equal(Frame, Assert.Single(Parts.Read(frame)).Body);
    }

    [Fact]
    public async Task FetchesTheMissingFramesAlone_WhenTheAnswerIsShort()
    {
        ServeSeries(5);
        await PrefetchAsync();
        Assert.Equal((1, 3), CountRequests());
    }

    [Fact]
    public async Task FetchesFrameByFrame_AfterThePacsRefusedASeries()
    {
        _east.Hold(new HeldStudy("1.6.3").With("1.6.3.1", "CT", 8));
        await PrefetchAsync();
        Assert.Equal((1, 8), CountRequests());
        await PrefetchAsync("1.6.3");
        Assert.Equal(0, _east.Count("/series/1.6.3.1"));
    }

    [Fact]
    public async Task IgnoresTheAnswer_WhenItIsOfAnotherSeries()
    {
        ServeSeries(8, series: "1.6.9.1");
        await PrefetchAsync();
        Assert.Equal((1, 8), CountRequests());
    }

    [Fact]
    public async Task FetchesALargeInstanceInOneRequest()
    {
        var series = new HeldSeries("1.6.2.1", "US", 1) { Frames = 6, Image = (1024, 1024, 3, 8) };
        _east.Hold(new HeldStudy("1.6.2").With(series));
        var file = Part10File.Native(1024, 1024, frames: 6, samples: 3).Set(0x00080018, "UI", "1.6.2.1.1");
        _east.On("/instances/1.6.2.1.1", _ => Archive.Multipart("application/dicom; transfer-syntax=1.2.840.10008.1.2.1", file.ToArray()));
        await PrefetchAsync();

        Assert.Equal(0, _east.Count("/series/1.6.2.1"));
        Assert.Equal(1, _east.Count("/instances/1.6.2.1.1"));
        Assert.DoesNotContain(_east.Requests, r => r.Path.Contains("/frames/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task FetchesFrameByFrame_AfterThreeFailuresOfAnInstance()
    {
        _east.Hold(new HeldStudy("1.6.2").With(new HeldSeries("1.6.2.1", "US", 1) { Frames = 6, Image = (1024, 1024, 3, 8) }));
        _east.Fail(504, "/instances/1.6.2.1.1");
        await PrefetchAsync();

        Assert.Equal(3, _east.Count("/instances/1.6.2.1.1"));
        Assert.Equal(6, _east.Requests.Count(r => r.Path.Contains("/frames/", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task CountsWhatIsCached_WhenStudiesArePurgedMeanwhile()
    {
        ServeSeries(8);
        var gate = _east.Hang("/series/1.6.2.1");
        var prefetch = PrefetchAsync();
        await Until.TrueAsync(() => gate.Arrived == 1);
        await _proxy.SendAsync(HttpMethod.Delete, "/cache/studies/9.9", []);
        gate.Open();
        await prefetch;

        Assert.Equal((1, 0), CountRequests());
        var frame = await _proxy.GetAsync("/dicomweb/studies/1.6.2/series/1.6.2.1/instances/1.6.2.1.3/frames/1", ("Accept", Ohif));
        Assert.Equal("Proxy; hit; detail=prefetched", frame.CacheStatus);
    }

    [Fact]
    public async Task AsksNoPacs_WhenOhifOpensAPrefetchedStudy()
    {
        _proxy["Prefetch:NextStudies"] = "1";
        ServeSeries(8);
        await _proxy.GetAsync("/dicomweb/studies?" + Fields);
        await _proxy.GetAsync("/dicomweb/studies/1.6.1/series");
        await DoneAsync("next");
        var asked = _east.Requests.Count + _west.Requests.Count;

        string[] opening =
        [
            $"?{Fields}&StudyInstanceUID=1.6.2", $"?{Fields}&StudyInstanceUID=1.6.2",
            "/1.6.2/series?includefield=00080021%2C00080031%2C0008103E%2C00200011", $"?00100020=P2&{Fields}",
            "/1.6.2/series/1.6.2.1/metadata"
        ];
        foreach (var request in opening) Assert.NotEmpty((await _proxy.GetAsync("/dicomweb/studies" + request)).Rows);

        Assert.Equal(asked, _east.Requests.Count + _west.Requests.Count);
    }

    [Fact]
    public async Task SearchesForThePatientOnce_WhenOhifSearchesForAStudy()
    {
        _proxy["Prefetch:SeriesReadAhead"] = "true";
        await _proxy.GetAsync("/dicomweb/studies?" + Fields);
        await _proxy.GetAsync($"/dicomweb/studies?{Fields}&StudyInstanceUID=1.6.2");
        await Until.TrueAsync(() => CountSearches() == 1);
        Assert.Single((await _proxy.GetAsync("/dicomweb/studies?00100020=P2&" + Fields)).Rows);
        Assert.Equal(1, CountSearches());

        int CountSearches() => _east.Requests.Count(r => r.Query.Contains("=P2", StringComparison.Ordinal));
    }

    private (int OfSeries, int OfInstances) CountRequests() =>
        (_east.Count("/series/1.6.2.1"), _east.Requests.Count(r => r.Path.Contains("1.6.2.1/instances", StringComparison.Ordinal)));

    private async Task PrefetchAsync(string study = "1.6.2")
    {
        var answer = await _proxy.SendAsync(HttpMethod.Post, "/prefetch", [], $$"""{"studies":["{{study}}"]}""");
        await Until.TrueAsync(async () => (string)(await _proxy.GetAsync(answer["Location"])).Json["state"]! == "done");
    }

    private Task DoneAsync(string why) =>
        Until.TrueAsync(
            async () => (await _proxy.GetAsync("/prefetch")).Json.AsArray().Any(
                j => (string)j!["why"]! == why && (string)j["state"]! == "done"), $"the job {why} is done");

    private void ServeSeries(int instances, string? series = null)
    {
        var body = new MemoryStream();
        for (var number = 1; number <= instances; number++)
        {
            body.Write(Encoding.ASCII.GetBytes("--x\r\nContent-Type: application/dicom; transfer-syntax=1.2.840.10008.1.2.1\r\n\r\n"));
            var file = Part10File.Native(256, 240).Set(0x00080018, "UI", $"1.6.2.1.{number}").Set(0x7FE00010, "OB", Frame);
            body.Write((series is null ? file : file.Set(0x0020000E, "UI", series)).ToArray());
            body.Write("\r\n"u8);
        }
        body.Write("--x--\r\n"u8);
        _east.Respond(new PacsAnswer(200, "multipart/related; type=\"application/dicom\"; boundary=x", body.ToArray()), "/series/1.6.2.1");
    }
}
