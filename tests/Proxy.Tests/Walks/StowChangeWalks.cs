using System.Net;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Time.Testing;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>What a client stored is seen at once, although nothing that was cached has expired.</summary>
public sealed class StowChangeWalks : IAsyncDisposable
{
    private const string Study = "/dicomweb/studies/1.2.1";
    private const string Series = Study + "/series/1.2.1.1";
    private const string Frame = Series + "/instances/1.2.1.1.1/frames/1";

    private static readonly (string, string) AsStored =
        ("Accept", "multipart/related; type=\"application/octet-stream\"; transfer-syntax=*");

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 2));

    private readonly WireMockPacs _west = new(new HeldStudy("1.2.1").With("1.2.1.2", "MR", 4), new HeldStudy("1.2.2").With("1.2.2.1"));

    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddYears(56));

    private readonly ProxyHost _proxy;

    public StowChangeWalks() => _proxy = new(("east", _east.Address), ("west", _west.Address))
    {
        Time = _time,
        ["Store:Backend"] = "east",
        ["Search:Freshness"] = "01:00:00",
        ["Cache:Metadata:Freshness"] = "01:00:00",
    };

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
        _west.Dispose();
    }

    [Theory]
    [InlineData(200)]
    [InlineData(202)]
    [InlineData(500)]
    public async Task ShowsANewStudyInSearches_AlsoWhenTheAnswerWasLost(int status)
    {
        Assert.Equal(2, (await _proxy.GetAsync("/dicomweb/studies")).Rows.Count);
        Assert.Single((await _proxy.GetAsync("/backends/east/dicomweb/studies")).Rows);
        Assert.Empty((await _proxy.GetAsync("/dicomweb/studies?StudyInstanceUID=1.2.9")).Rows);
        (await _proxy.GetAsync("/dicomweb/studies/1.2.9/series/1.2.9.1/metadata")).IsProblem(404);
        Assert.Equal("Proxy; hit", (await _proxy.GetAsync("/dicomweb/studies")).CacheStatus);

        await StoreAsync(new HeldStudy("1.2.9").With("1.2.9.1", "SR"), "1.2.9.1.1", status);

        Assert.Equal(3, (await _proxy.GetAsync("/dicomweb/studies")).Rows.Count);
        Assert.Equal(2, (await _proxy.GetAsync("/backends/east/dicomweb/studies")).Rows.Count);
        Assert.Single((await _proxy.GetAsync("/dicomweb/studies?StudyInstanceUID=1.2.9")).Rows);
        Assert.Equal(["1.2.9.1.1"], (await _proxy.GetAsync("/dicomweb/studies/1.2.9/series/1.2.9.1/metadata")).Values("00080018"));
        Assert.Equal(1, _west.Count("studies/1.2.9/series"));
    }

    [Fact]
    public async Task ShowsNewInstancesOfAKnownStudy_AndKeepsThePixelsOfOthers()
    {
        await ReadAsync();
        using var listener = await Listener.OpenAsync(_proxy);
        Assert.Equal((2, 6), Count(await _proxy.GetAsync("/dicomweb/studies?StudyInstanceUID=1.2.1")));

        await StoreAsync(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 3).With("1.2.1.3", "SR"), "1.2.1.1.3");

        Assert.Equal((3, 8), Count(await _proxy.GetAsync("/dicomweb/studies?StudyInstanceUID=1.2.1")));
        Assert.Equal(["1.2.1.1", "1.2.1.2", "1.2.1.3"], (await _proxy.GetAsync(Study + "/series")).Values("0020000E").Order());
        Assert.Equal(["1.2.1.1.1", "1.2.1.1.2", "1.2.1.1.3"], (await _proxy.GetAsync(Series + "/metadata")).Values("00080018"));
        Assert.Equal(8, (await _proxy.GetAsync(Study + "/metadata")).Rows.Count);
        Assert.Equal(HttpStatusCode.OK, (await _proxy.GetAsync("/store/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.3")).Status);
        await _proxy.GetAsync(Frame, AsStored);
        Assert.Equal(1, _east.Count("1.2.1.1.1/frames/1"));
        await Until.TrueAsync(() => listener.Names.Contains("SERIES_ADDED") && listener.Names.Contains("INSTANCES_ADDED"));
        var series = Assert.Single(listener.Events, e => e.Name == "SERIES_ADDED").Data;
        Assert.Equal(
            """{"StudyInstanceUID":"1.2.1","SeriesInstanceUIDs":["1.2.1.3"],"backend":"east","madeInClient":false}""",
            series.ToJsonString());
        Assert.Contains(
            """{"StudyInstanceUID":"1.2.1","SeriesInstanceUID":"1.2.1.1","instances":1,"backend":"east","madeInClient":false}""",
            listener.Events.Where(e => e.Name == "INSTANCES_ADDED").Select(e => e.Data.ToJsonString()));
    }

    [Fact]
    public async Task RaisesEvents_WithoutAnyFurtherRequest()
    {
        await ReadAsync();
        using var listener = await Listener.OpenAsync(_proxy);

        await StoreAsync(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 3).With("1.2.1.3", "SR"), "1.2.1.1.3");

        await Until.TrueAsync(() => listener.Events.Count == 2);
        Assert.Equal(["SERIES_ADDED", "INSTANCES_ADDED"], listener.Names);
    }

    [Fact]
    public async Task ReadsAReplacedInstanceAgain_WithItsPixels()
    {
        await ReadAsync();
        await _proxy.GetAsync(Series + "/instances/1.2.1.1.2/frames/1", AsStored);
        _east.Archive.Laterality = "L";

        await StoreAsync(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 2), "1.2.1.1.1");

        Assert.Equal(["L", "L"], (await _proxy.GetAsync(Series + "/metadata")).Values("00200060"));
        await _proxy.GetAsync(Frame, AsStored);
        await _proxy.GetAsync(Series + "/instances/1.2.1.1.2/frames/1", AsStored);
        Assert.Equal(2, _east.Count("1.2.1.1.1/frames/1"));
        Assert.Equal(1, _east.Count("1.2.1.1.2/frames/1"));
    }

    [Theory]
    [InlineData("/dicomweb/studies", "studies")]
    [InlineData("/dicomweb/studies/1.2.1/series", "1.2.1/series")]
    [InlineData("/dicomweb/studies/1.2.1/series/1.2.1.1/metadata", "1.2.1.1/metadata")]
    public async Task DoesNotReuseARunningRequestFromBefore(string path, string received)
    {
        if (received.EndsWith("metadata", StringComparison.Ordinal)) await _proxy.GetAsync(Study + "/series");
        var old = _east.Archive.Answer(path["/dicomweb/".Length..], "", "");
        var gate = new Gate();
        var isFirst = true;
        _east.Delay(received, async request =>
        {
            if (request.Method == "POST" || !isFirst) return null;
            isFirst = false;
            await gate.PassAsync();
            return old;
        });
        var before = _proxy.GetAsync(path);
        await Until.TrueAsync(() => gate.Arrived == 1);

        var grown = new HeldStudy("1.2.1").With("1.2.1.1", "CT", 3).With("1.2.1.3", "SR");
        var storing = StoreAsync(grown, "1.2.1.1.3", also: new HeldStudy("1.2.9").With("1.2.9.1"));
        // The body waits a while for a series list.
        await Until.TrueAsync(() =>
        {
            _time.Advance(TimeSpan.FromMilliseconds(10));
            return storing.IsCompleted;
        });
        await storing;
        var during = (await _proxy.GetAsync(path)).Rows.Count;
        gate.Open();
        await before;

        Assert.Equal(3, during);
        Assert.Equal(3, (await _proxy.GetAsync(path)).Rows.Count);
    }

    [Fact]
    public async Task ReadsBehindTheLastKnownPage()
    {
        _east.Archive.PageCap = 12;
        _east.Hold(Enumerable.Range(10, 11).Select(i => new HeldStudy($"1.2.{i}").With($"1.2.{i}.1")));
        Assert.Equal(12, (await _proxy.GetAsync("/backends/east/dicomweb/studies")).Rows.Count);

        await StoreAsync(new HeldStudy("1.2.9").With("1.2.9.1", "SR"), "1.2.9.1.1");

        Assert.Equal(13, (await _proxy.GetAsync("/backends/east/dicomweb/studies")).Rows.Count);
    }

    [Fact]
    public async Task AsksAgainForAnObjectThatTheBackendDenied()
    {
        await ReadAsync();
        _east.Fail(500, "1.2.1.1.2/frames/1");
        const string Denied = Series + "/instances/1.2.1.1.2/frames/1";
        (await _proxy.GetAsync(Denied, AsStored)).IsProblem(404);
        _east.Recover();
        (await _proxy.GetAsync(Denied, AsStored)).IsProblem(404);

        await StoreAsync(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 2), "1.2.1.1.2");

        Assert.Equal(HttpStatusCode.OK, (await _proxy.GetAsync(Denied, AsStored)).Status);
    }

    [Fact]
    public async Task FollowsTheAddress_WhenNoPartNamesItsInstance()
    {
        await ReadAsync();
        _east.Respond(r => r.Method == "POST" ? Accept(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 3)) : null);
        var body = StowMessage.WithType(
            new ByteArrayContent(StowMessage.Join("{}"u8.ToArray())),
            "multipart/related; type=\"application/dicom+json\"; boundary=a-part");

        Assert.Equal(HttpStatusCode.OK, (await _proxy.PostAsync(Study, body)).Status);

        Assert.Equal(3, (await _proxy.GetAsync(Series + "/metadata")).Rows.Count);

        PacsAnswer Accept(HeldStudy after)
        {
            _east.Hold(after);
            return PacsAnswer.Json("{}");
        }
    }

    private async Task ReadAsync()
    {
        await _proxy.GetAsync("/dicomweb/studies");
        await _proxy.GetAsync(Study + "/series");
        await _proxy.GetAsync(Series + "/metadata");
        await _proxy.GetAsync(Frame, AsStored);
        await _proxy.GetAsync(Frame, AsStored);
        Assert.Equal(1, _east.Count("1.2.1.1.1/frames/1"));
    }

    /// <summary>The PACS holds this study when it answers; the status may say otherwise.</summary>
    private async Task StoreAsync(HeldStudy after, string instance, int status = 200, HeldStudy? also = null)
    {
        _east.On("studies", request =>
        {
            if (request.Method != "POST") return null;
            _east.Hold(also is null ? [after] : [after, also]);
            return PacsAnswer.Text(status, "application/dicom+json", status < 300 ? "{}" : "no");
        });
        var series = instance[..instance.LastIndexOf('.')];
        var reply = await _proxy.PostAsync("/dicomweb/studies", StowMessage.Body(StowMessage.File(after.Uid, series, instance)));
        Assert.Equal(status < 300 ? status : 502, (int)reply.Status);
    }

    private static (int Series, int Instances) Count(Reply reply)
    {
        var row = Assert.Single(reply.Rows)!;
        return (Read(row, "00201206"), Read(row, "00201208"));

        static int Read(JsonNode row, string tag) => (int)row[tag]!["Value"]![0]!;
    }
}
