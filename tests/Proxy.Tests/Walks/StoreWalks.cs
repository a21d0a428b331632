using Microsoft.Extensions.Time.Testing;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>The store, health and viewer configuration endpoints.</summary>
public sealed class StoreWalks : IDisposable
{
    private const string Metadata = "/dicomweb/studies/1.2.1/series/1.2.1.1/metadata";

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 2).With("1.2.1.2", "SR", 1));

    private readonly WireMockPacs _west = new(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 1));

    private readonly ProxyHost _proxy;

    public StoreWalks() => _proxy = new(("east", _east.Address), ("west", _west.Address)) { ["Security:AllowedHosts:0"] = "pacs.example" };

    public void Dispose()
    {
        _proxy.Dispose();
        _east.Dispose();
        _west.Dispose();
    }

    [Fact]
    public async Task ShowsOneSeriesListForEachBackend()
    {
        await _proxy.GetAsync("/dicomweb/studies");
        await _proxy.GetAsync(Metadata);
        var asked = _east.Requests.Count + _west.Requests.Count;

        var study = (await _proxy.GetAsync("/store/studies/1.2.1")).Json;

        Assert.Equal("1.2.1", (string)study["StudyInstanceUID"]!);
        Assert.Equal(["east", "west"], study["seriesLists"]!.AsArray().Select(l => (string)l!["backend"]!));
        Assert.All(study["seriesLists"]!.AsArray(), l => Assert.False((bool)l!["madeInClient"]!));
        var east = study["seriesLists"]![0]!["series"]!.AsArray();
        Assert.Equal(["1.2.1.1", "1.2.1.2"], east.Select(s => (string)s!["SeriesInstanceUID"]!));
        Assert.Equal(["1.2.1.1.1", "1.2.1.1.2"], east[0]!["instances"]!.AsArray().Select(i => (string)i!["SOPInstanceUID"]!));
        Assert.Equal(["1.2.1"], (await _proxy.GetAsync("/store/studies")).Json.AsArray().Select(s => (string)s!["StudyInstanceUID"]!));
        Assert.Equal("east", (string)(await _proxy.GetAsync("/store/studies/1.2.1/series/1.2.1.1")).Json["backend"]!);
        Assert.Equal(asked, _east.Requests.Count + _west.Requests.Count);
    }

    [Theory]
    [InlineData("wadors:/dicomweb/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.2/frames/1")]
    [InlineData("wadors:http://anywhere.example/root/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.2/frames/7")]
    [InlineData("dicomweb:/dicomweb?requestType=WADO&studyUID=1.2.1&seriesUID=1.2.1.1&objectUID=1.2.1.1.2&contentType=application/dicom")]
    public async Task FindsAnInstanceByItsImageId(string imageId)
    {
        await _proxy.GetAsync(Metadata);

        var reply = await _proxy.GetAsync("/store/instance?imageId=" + Uri.EscapeDataString(imageId));

        Assert.Equal("east", reply["X-Backend"]);
        Assert.Equal("application/dicom+json", reply["Content-Type"]);
        Assert.Equal("1.2.1.1.2", (string)reply.Json["00080018"]!["Value"]![0]!);
        Assert.StartsWith(_proxy.Address + "/dicomweb/", (string)reply.Json["7FE00010"]!["BulkDataURI"]!);
        Assert.Equal(
            reply.Json.ToJsonString(),
            (await _proxy.GetAsync("/store/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.2")).Json.ToJsonString());
    }

    [Theory]
    [InlineData("/store/studies/1.2.9")]
    [InlineData("/store/studies/1.2.1/series/1.2.9")]
    [InlineData("/store/studies/1.2.1/series/1.2.1.1/instances/1.2.9")]
    [InlineData("/store/instance?imageId=wadors:/dicomweb/studies/1.2.1/series/1.2.1.1/instances/1.2.9/frames/1")]
    public async Task Returns404WithoutAsking_WhenTheStoreDoesNotHaveTheResource(string path)
    {
        await _proxy.GetAsync(Metadata);
        var asked = _east.Requests.Count;

        (await _proxy.GetAsync(path)).IsProblem(404);

        Assert.Equal(asked, _east.Requests.Count);
    }

    [Fact]
    public async Task ReportsEachBackend_InHealth()
    {
        Assert.Equal("live", (string)(await _proxy.GetAsync("/health/live")).Json["status"]!);
        Assert.Equal("unknown", (string)(await _proxy.GetAsync("/health/ready")).Json["backends"]!["east"]!["state"]!);
        _west.Fail(500);
        await _proxy.GetAsync("/dicomweb/studies");

        var ready = await _proxy.GetAsync("/health/ready");

        Assert.Equal(200, (int)ready.Status);
        Assert.Equal("up", (string)ready.Json["backends"]!["east"]!["state"]!);
        Assert.Equal("down", (string)ready.Json["backends"]!["west"]!["state"]!);
        Assert.Contains("500", (string)ready.Json["backends"]!["west"]!["lastFailure"]!);
        _west.Recover();
        await _proxy.GetAsync("/dicomweb/studies");
        Assert.Equal("up", (string)(await _proxy.GetAsync("/health/ready")).Json["backends"]!["west"]!["state"]!);
    }

    [Fact]
    public async Task KeepsTheBackendUp_WhenAClientDisconnects()
    {
        var gate = _east.Hang();
        using var disconnect = new CancellationTokenSource();
        var search = _proxy.GetAsync("/backends/east/dicomweb/studies", disconnect.Token);
        await Until.TrueAsync(() => gate.Arrived == 1, "the PACS is asked");
        await disconnect.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => search);
        _east.Recover();

        await _proxy.GetAsync("/backends/east/dicomweb/studies");

        var east = (await _proxy.GetAsync("/health/ready")).Json["backends"]!["east"]!;
        Assert.Equal("up", (string)east["state"]!);
        Assert.Equal(0, (int)east["failed"]!);
    }

    [Fact]
    public async Task ReturnsTheViewerConfiguration_ForTheRequestedAddress()
    {
        var script = await _proxy.GetAsync("/ohif/app-config.js", ("Host", "pacs.example:8080"));

        Assert.StartsWith("text/javascript", script["Content-Type"]);
        Assert.StartsWith("window.config = {", script.Text);
        Assert.Contains("\"wadoRoot\": \"http://pacs.example:8080/dicomweb\"", script.Text);
        Assert.Contains("\"qidoRoot\": \"http://pacs.example:8080/backends/west/dicomweb\"", script.Text);
        foreach (var root in (string[])["qidoRoot", "wadoRoot", "wadoUriRoot"])
            Assert.Contains($"\"{root}\": \"http://pacs.example:8080/dicomweb\"", script.Text);
        Assert.Contains("(\"http://pacs.example:8080\");", script.Text);
    }

    [Fact]
    public async Task ServesThePage_WithoutExternalResources()
    {
        var page = await _proxy.GetAsync("/");

        Assert.StartsWith("text/html", page["Content-Type"]);
        Assert.Contains("default-src 'none'", page["Content-Security-Policy"]);
        Assert.DoesNotContain("http", page.Text);
        Assert.StartsWith("text/javascript", (await _proxy.GetAsync("/page/any/app.js"))["Content-Type"]);
    }

    [Theory]
    [InlineData("/favicon.ico", "image/x-icon", new byte[] { 0, 0, 1, 0 })]
    [InlineData("/favicon.svg", "image/svg+xml", new[] { (byte)'<', (byte)'s', (byte)'v', (byte)'g' })]
    public async Task ServesTheIcon_WithACacheLifetime(string path, string type, byte[] start)
    {
        var icon = await _proxy.GetAsync(path);

        Assert.Equal(200, (int)icon.Status);
        Assert.Equal(type, icon["Content-Type"]);
        Assert.Contains("max-age=", icon["Cache-Control"]);
        Assert.Equal(start, icon.Body[..4]);
        Assert.Contains("href=\"favicon.svg\"", (await _proxy.GetAsync("/")).Text);
    }

    [Fact]
    public async Task CountsStudiesOfEachBackend_WithoutAskingAPacs()
    {
        await _proxy.GetAsync("/dicomweb/studies");
        _east.Archive.Hold(new HeldStudy("1.2.3").With("1.2.3.1"));
        await _proxy.GetAsync("/dicomweb/studies", ("Cache-Control", "no-cache"));
        var asked = _east.Requests.Count + _west.Requests.Count;

        var backends = (await _proxy.GetAsync("/cache")).Json["backends"]!;

        Assert.Equal((2, 1), ((int)backends["east"]!["studies"]!, (int)backends["west"]!["studies"]!));
        Assert.Equal(asked, _east.Requests.Count + _west.Requests.Count);
    }

    [Fact]
    public async Task ReportsTheDiskAsNotConfigured_WhenItHasNoPath()
    {
        foreach (var path in (string[])["/health/ready", "/cache"])
        {
            var disk = (await _proxy.GetAsync(path)).Json["disk"]!;
            Assert.Equal(("not configured", "Cache:Disk:Path is not set"), ((string)disk["state"]!, (string)disk["reason"]!));
        }
    }

    [Fact]
    public async Task KeepsTheStoreWithinItsBudget_AndFetchesEvictedStudiesAgain()
    {
        using var many = new WireMockPacs(Enumerable.Range(1, 60).Select(n => new HeldStudy($"1.3.{n}").With($"1.3.{n}.1", "CT", 200)));
        await using var proxy = new ProxyHost(("many", many.Address))
        { ["Cache:Memory:MaxBytes"] = $"{1 << 20}", Time = new FakeTimeProvider() };

        for (var n = 1; n <= 60; n++)
            Assert.Equal(200, (await proxy.GetAsync($"/dicomweb/studies/1.3.{n}/series/1.3.{n}.1/metadata")).Rows.Count);

        var ready = (await proxy.GetAsync("/health/ready")).Json;
        Assert.InRange((int)ready["store"]!["bytes"]!, 1, (1 << 20) / 8);
        Assert.InRange((int)ready["store"]!["studies"]!, 1, 59);
        Assert.Equal(200, (await proxy.GetAsync("/dicomweb/studies/1.3.1/series/1.3.1.1/metadata")).Rows.Count);
    }
}
