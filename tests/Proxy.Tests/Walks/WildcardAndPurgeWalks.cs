using System.Text.Json.Nodes;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Wildcard subtypes of frames, UIDs that are JSON numbers, and denials that end with a purge.</summary>
public sealed class WildcardAndPurgeWalks : IDisposable
{
    private const string Frame = "/dicomweb/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1/frames/1";

    private const string Lossless = "1.2.840.10008.1.2.4.70";

    private static readonly HeldStudy Study = new HeldStudy("1.2.1").With("1.2.1.1");

    private readonly WireMockPacs _east = new(Study);

    private readonly ProxyHost _proxy;

    public WildcardAndPurgeWalks() => _proxy = new(("east", _east.Address));

    public void Dispose()
    {
        _proxy.Dispose();
        _east.Dispose();
    }

    [Theory]
    [InlineData("image/*")]
    [InlineData("image/*;q=0.8")]
    [InlineData("multipart/related; type=\"image/*\"")]
    [InlineData("application/octet-stream;q=0, */*")]
    public async Task GivesAJpeg_ForAWildcard(string accept)
    {
        _east.On("/frames/1", request => request.Headers["Accept"].Contains("image/jpeg", StringComparison.Ordinal)
            ? Archive.Multipart($"image/jpeg; transfer-syntax={Lossless}", Study.Series[0].GetFrame("1.2.1.1.1", 1, Lossless))
            : PacsAnswer.Text(406, "text/plain", "no"));

        var reply = await _proxy.GetAsync(Frame, ("Accept", accept));

        Assert.Equal(200, (int)reply.Status);
        Assert.Contains("image/jpeg", reply["Content-Type"] + reply.Text[..Math.Min(200, reply.Text.Length)]);
        Assert.Equal("Proxy; hit", (await _proxy.GetAsync(Frame, ("Accept", accept))).CacheStatus);
    }

    [Fact]
    public async Task LeavesOutARow_WhoseStudyIsAJsonNumber()
    {
        _east.On("studies", _ => PacsAnswer.Json(new JsonArray(
            new JsonObject { ["0020000D"] = new JsonObject { ["vr"] = "UI", ["Value"] = new JsonArray(5) } },
            DicomJson.Dataset(("0020000D", "UI", "1.2.1"))).ToJsonString()));

        var reply = await _proxy.GetAsync("/dicomweb/studies");

        Assert.Equal(["1.2.1"], reply.Values("0020000D"));
        Assert.DoesNotContain("/studies/5", reply.Text);
        Assert.Contains("east: 1 results without a valid UID", Assert.Single(reply.Warnings));
    }

    [Theory]
    [InlineData("/cache", true)]
    [InlineData("/cache/studies/1.2.1", true)]
    [InlineData("/cache/studies/1.2.11", false)]
    public async Task AsksAgainForADeniedFrame_AfterAPurgeOfItsStudy(string purge, bool isAsked)
    {
        _east.Fail(406, "/frames/1");
        (await _proxy.GetAsync(Frame, ("Accept", "image/jp2"))).IsProblem(406);
        (await _proxy.GetAsync(Frame, ("Accept", "image/jp2"))).IsProblem(406);
        var before = _east.Count("/frames/1");
        (await _proxy.GetAsync(Frame, ("Accept", "image/jp2"))).IsProblem(406);
        Assert.Equal(before, _east.Count("/frames/1"));
        _east.Recover();

        Assert.Equal(204, (int)(await _proxy.SendAsync(HttpMethod.Delete, purge, [])).Status);

        Assert.Equal(isAsked ? 200 : 406, (int)(await _proxy.GetAsync(Frame, ("Accept", "image/jp2"))).Status);
    }
}
