using System.Text;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>A browser that opens the address of a body from a PACS runs nothing.</summary>
public sealed class ActiveContentWalks : IAsyncDisposable
{
    private const string Series = "/dicomweb/studies/1.2.1/series/1.2.1.1";

    private const string Instance = Series + "/instances/1.2.1.1.1";

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 2));

    private readonly ProxyHost _proxy;

    public ActiveContentWalks() => _proxy = new(("east", _east.Address));

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
    }

    [Theory]
    [InlineData(Instance + "/frames/1", "multipart/related; type=\"application/octet-stream\"; transfer-syntax=*")]
    [InlineData(Instance + "/frames/1", "application/octet-stream; transfer-syntax=*")]
    [InlineData(Instance, "application/dicom; transfer-syntax=*")]
    [InlineData(Instance, "multipart/related; type=\"application/dicom\"; transfer-syntax=*")]
    [InlineData(Series, "multipart/related; type=\"application/dicom\"; transfer-syntax=*")]
    [InlineData("/dicomweb?requestType=WADO&studyUID=1.2.1&seriesUID=1.2.1.1&objectUID=1.2.1.1.1&contentType=application/dicom", "*/*")]
    public async Task ServesBodiesAsDownloads_WhenABrowserOpensTheirAddress(string path, string accept)
    {
        for (var i = 0; i < 2; i++)
        {
            var reply = await _proxy.GetAsync(path, ("Accept", accept));

            Assert.True((int)reply.Status == 200, reply.Text);
            IsInert(reply);
        }
    }

    [Theory]
    [InlineData("image/svg+xml")]
    [InlineData("text/javascript")]
    [InlineData("application/x-vendor")]
    public async Task ServesBulkDataAsBytes_WhenItsTypeIsActiveContent(string type)
    {
        const string Script = "<svg xmlns='http://www.w3.org/2000/svg'><script>fetch('/dicomweb/studies')</script></svg>";
        var metadata = await _proxy.GetAsync(Series + "/metadata");
        var address = new Uri((string)metadata.Rows[0]!["7FE00010"]!["BulkDataURI"]!).PathAndQuery;
        var body = Encoding.ASCII.GetBytes($"--b\r\nContent-Type: {type}\r\n\r\n{Script}\r\n--b--\r\n");
        _east.Respond(new(200, $"multipart/related; type=\"{type}\"; boundary=b", body), "bulk/7fe00010");

        var single = await _proxy.GetAsync(address, ("Accept", "*/*"));
        var multipart = await _proxy.GetAsync(address, ("Accept", "multipart/related; type=\"application/octet-stream\""));

        Assert.Equal(Script, single.Text);
        Assert.Equal("application/octet-stream", single["Content-Type"]);
        Assert.StartsWith("multipart/related; type=\"application/octet-stream\"", multipart["Content-Type"]);
        Assert.Contains("Content-Type: application/octet-stream", Assert.Single(Parts.Read(multipart)).Head);
        IsInert(single);
        IsInert(multipart);
    }

    private static void IsInert(Reply reply)
    {
        Assert.Equal("sandbox", reply["Content-Security-Policy"]);
        Assert.Equal("attachment", reply["Content-Disposition"]);
        Assert.Equal("nosniff", reply["X-Content-Type-Options"]);
    }
}
