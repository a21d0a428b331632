using Microsoft.Extensions.Time.Testing;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>The failure of one object affects that object only: searches and other studies continue, and no backend is down.</summary>
public sealed class ObjectFailureWalks : IAsyncDisposable
{
    private const string Instances = "/dicomweb/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.";

    private static readonly (string, string) AsStored = (
        "Accept", "multipart/related; type=\"application/octet-stream\"; transfer-syntax=*");

    private static readonly (string, string) AsJpeg = (
        "Accept", "multipart/related; type=\"image/jpeg\"; transfer-syntax=1.2.840.10008.1.2.4.50");

    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddYears(56));

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 10), new HeldStudy("1.2.2").With("1.2.2.1"));

    private readonly ProxyHost _proxy;

    public ObjectFailureWalks() =>
        _proxy = new(("east", _east.Address)) { Time = _time, ["Search:Freshness"] = "00:00:00", ["Backends:east:Timeout"] = "00:00:05" };

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
    }

    [Theory]
    [InlineData(500)]
    [InlineData(503)]
    [InlineData(504)]
    public async Task ServesSearchesAndOtherStudies_WhenManyFramesOfOneStudyFail(int status)
    {
        _east.Fail(status, "/frames/1");
        for (var i = 1; i <= 10; i++) Assert.NotEqual(200, (int)(await _proxy.GetAsync($"{Instances}{i}/frames/1", AsStored)).Status);
        _time.Advance(TimeSpan.FromSeconds(2));
        _east.Recover();

        Assert.Equal(2, (await _proxy.GetAsync("/dicomweb/studies")).Rows.Count);
        Assert.Equal(
            200, (int)(await _proxy.GetAsync("/dicomweb/studies/1.2.2/series/1.2.2.1/instances/1.2.2.1.1/frames/1", AsStored)).Status);
        await AssertUpAsync();
    }

    [Fact]
    public async Task KeepsTheBackendUp_WhenFramesHang()
    {
        await _proxy.GetAsync(Instances + "1/metadata");
        var gate = _east.Hang("/frames/1");
        var frames = Enumerable.Range(1, 6).Select(i => _proxy.GetAsync($"{Instances}{i}/frames/1", AsStored)).ToArray();
        await gate.LetTimePassAsync(_time, Task.WhenAll(frames), "all frames time out");
        foreach (var frame in frames) (await frame).IsProblem(504, names: "east");

        Assert.Equal(2, (await _proxy.GetAsync("/dicomweb/studies")).Rows.Count);
        await AssertUpAsync();
    }

    [Fact]
    public async Task KeepsTheBackendUp_WhenFramesOfSeveralStudiesFailAndSearchesWork()
    {
        var studies = Enumerable.Range(3, 6).Select(i => new HeldStudy($"1.2.{i}").With($"1.2.{i}.1")).ToList();
        _east.Hold(studies);
        foreach (var study in studies) await _proxy.GetAsync($"/dicomweb/studies/{study.Uid}/metadata");
        _east.Fail(503, "/frames/1");
        foreach (var study in studies)
            await _proxy.GetAsync($"/dicomweb/studies/{study.Uid}/series/{study.Uid}.1/instances/{study.Uid}.1.1/frames/1", AsStored);
        await Until.TrueAsync(
            () =>
            {
                _time.Advance(TimeSpan.FromMilliseconds(250));
                return _east.Requests.Any(r => r.Query == "?limit=1");
            },
            "the probe is sent");

        Assert.Equal(8, (await _proxy.GetAsync("/dicomweb/studies")).Rows.Count);
        await AssertUpAsync();
    }

    [Fact]
    public async Task Returns404AndRemembersIt_WhenAWorkingPacsCannotServeTheFrame()
    {
        _east.Fail(500, "/frames/1");
        for (var i = 0; i < 5; i++) (await _proxy.GetAsync(Instances + "1/frames/1", AsStored)).IsProblem(404, names: "east");
        Assert.Equal(1, _east.Count("/frames/1"));

        _east.Recover();
        _time.Advance(TimeSpan.FromSeconds(30));
        Assert.Equal(200, (int)(await _proxy.GetAsync(Instances + "1/frames/1", AsStored)).Status);
        await AssertUpAsync();
    }

    [Theory]
    [InlineData(400)]
    [InlineData(406)]
    [InlineData(500)]
    public async Task Returns406AndServesTheStoredForm_WhenAWorkingPacsCannotProduceAForm(int status)
    {
        _east.Respond(request => request.Headers.GetValueOrDefault("Accept", "").Contains(
            "image/jpeg", StringComparison.Ordinal) ? PacsAnswer.Text(status, "text/plain", "no") : null);
        for (var i = 0; i < 3; i++) (await _proxy.GetAsync(Instances + "1/frames/1", AsJpeg)).IsProblem(406, names: "east");
        Assert.Equal(1, _east.Count("/frames/1"));
        Assert.Equal(200, (int)(await _proxy.GetAsync(Instances + "1/frames/1", AsStored)).Status);
    }

    [Fact]
    public async Task AsksOnce_WhenTheFrameIsPastTheEnd()
    {
        for (var i = 0; i < 3; i++) (await _proxy.GetAsync(Instances + "1/frames/99", AsStored)).IsProblem(404);
        Assert.InRange(_east.Count("/frames/99"), 0, 1);
    }

    [Fact]
    public async Task Returns502AndAsksAgain_WhenThePacsAlsoFailsSearches()
    {
        await _proxy.GetAsync(Instances + "1/metadata");
        _east.Fail(500);
        (await _proxy.GetAsync(Instances + "1/frames/1", AsStored)).IsProblem(502, names: "east");
        (await _proxy.GetAsync(Instances + "1/frames/1", AsStored)).IsProblem(502, names: "east");
        Assert.Equal(2, _east.Count("/frames/1"));
        _east.Recover();
        Assert.Equal(200, (int)(await _proxy.GetAsync(Instances + "1/frames/1", AsStored)).Status);
    }

    private async Task AssertUpAsync()
    {
        var health = (await _proxy.GetAsync("/health/ready")).Json["backends"]!["east"]!;
        Assert.Equal("up", (string)health["state"]!);
        Assert.Equal("closed", (string)health["circuit"]!);
        Assert.Equal(0, (int)health["opened"]!);
        Assert.DoesNotContain(_proxy.Log.All, l => l.Contains("is now down", StringComparison.Ordinal));
    }
}
