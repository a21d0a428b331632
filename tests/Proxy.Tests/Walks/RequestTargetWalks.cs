using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Unusual request targets: with an extra slash, in absolute form, without a host.</summary>
public sealed class RequestTargetWalks : IAsyncDisposable
{
    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1"));

    private readonly ProxyHost _proxy;

    public RequestTargetWalks() => _proxy = new(("east", _east.Address));

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
    }

    [Theory]
    [InlineData("/dicomweb//studies")]
    [InlineData("/backends/east/dicomweb//studies")]
    [InlineData("/dicomweb/studies/")]
    [InlineData("/dicomweb//studies/")]
    [InlineData("/dicomweb/series/")]
    [InlineData("/dicomweb//instances?limit=5")]
    [InlineData("/dicomweb/studies/1.2.1/series/")]
    [InlineData("/dicomweb//studies/1.2.1/series/1.2.1.1/instances/")]
    [InlineData("/dicomweb//studies/1.2.1/series/1.2.1.1/metadata")]
    [InlineData("/store/studies/")]
    [InlineData("/prefetch/")]
    public async Task AcceptsAnExtraSlash(string path)
    {
        var reply = await _proxy.GetAsync(path);

        Assert.True((int)reply.Status == 200, reply.Text);
        if (!path.Contains("//", StringComparison.Ordinal)) return;
        var plain = await _proxy.GetAsync(path.Replace("//", "/", StringComparison.Ordinal));
        Assert.Equal(plain.Text, reply.Text);
    }

    [Fact]
    public async Task AnswersWadoUri_AtARootWithASlash()
    {
        const string Query = "?requestType=WADO&studyUID=1.2.1&seriesUID=1.2.1.1&objectUID=1.2.1.1.1&contentType=application/dicom";

        Assert.Equal((await _proxy.GetAsync("/dicomweb" + Query)).Status, (await _proxy.GetAsync("/dicomweb/" + Query)).Status);
    }

    [Fact]
    public async Task AnswersAnAbsoluteTarget()
    {
        var authority = new Uri(_proxy.Address).Authority;

        var answer = await _proxy.SendRawAsync(
            $"GET http://{authority}/dicomweb//studies HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 200 ", answer);
        Assert.Contains($"\"{_proxy.Address}/dicomweb/studies/1.2.1\"", answer);
    }

    [Theory]
    [InlineData("http://127.0.0.1/dicomweb/studies//1.2.1")]
    [InlineData("http://127.0.0.1//dicomweb/studies")]
    [InlineData("http://127.0.0.1/dicomweb/%2e%2e/studies")]
    public async Task Refuses_WhenAnAbsoluteTargetIsAmbiguous(string target)
    {
        var answer = await _proxy.SendRawAsync($"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 400 ", answer);
        Assert.Empty(_east.Requests);
    }

    [Fact]
    public async Task ReturnsRelativeUrls_WhenTheRequestHasNoHost()
    {
        var search = await _proxy.SendRawAsync("GET /dicomweb/studies HTTP/1.0\r\n\r\n");
        var metadata = await _proxy.SendRawAsync("GET /dicomweb/studies/1.2.1/series/1.2.1.1/metadata HTTP/1.0\r\n\r\n");
        var script = await _proxy.SendRawAsync("GET /ohif/app-config.js HTTP/1.0\r\n\r\n");

        Assert.Contains("\"/dicomweb/studies/1.2.1\"", search);
        Assert.Contains("\"/dicomweb/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1/bulkdata/", metadata);
        Assert.Contains("\"qidoRoot\": \"/dicomweb\"", script);
        foreach (var answer in (string[])[search, metadata, script])
        {
            Assert.StartsWith("HTTP/1.1 200 ", answer);
            Assert.DoesNotContain("http://", answer);
        }
    }
}
