using Proxy.Tests.Pacs;
using Proxy.Tests.Wire;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>A video is one stream for all its pictures. PACS such as Orthanc fail to give it as a frame, and give its instance.</summary>
public sealed class VideoWalks : IDisposable
{
    private const string Frame = "/dicomweb/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1/frames/1";
    private const string Mp4 = "1.2.840.10008.1.2.4.102";

    private static readonly byte[] Stream = [0, 0, 0, 24, .. "ftypmp42"u8, .. Pixels.Create("video", 4000)];

    private readonly WireMockPacs _east = new(
        new HeldStudy("1.2.1").With(new HeldSeries("1.2.1.1", "XC", 1) { Frames = 30, AvailableTransferSyntax = Mp4 }));

    public void Dispose() => _east.Dispose();

    [Theory]
    [InlineData("video/mp4")]
    [InlineData("application/octet-stream; transfer-syntax=*")]
    public async Task CutsTheVideoOutOfItsInstance_WhenThePacsGivesNoFrame(string accept)
    {
        _east.Fail(500, "/frames/1");
        Hold(Stream[..1000], Stream[1000..]);
        await using var proxy = new ProxyHost(("east", _east.Address));
        await proxy.GetAsync(Frame[..^"/instances/1.2.1.1.1/frames/1".Length] + "/metadata");

        var part = await proxy.GetAsync(Frame, ("Accept", accept), ("Range", "bytes=4-11"));
        var asked = _east.Requests.Count;
        var whole = await proxy.GetAsync(Frame, ("Accept", accept));

        Assert.Equal((206, "ftypmp42", $"bytes 4-11/{Stream.Length}"), ((int)part.Status, part.Text, part["Content-Range"]));
        Assert.Equal(("Proxy; fwd=miss; stored", "Proxy; hit"), (part.CacheStatus, whole.CacheStatus));
        Assert.StartsWith("video/mp4", whole["Content-Type"]);
        Assert.Equal(Stream, whole.Body);
        Assert.Equal(asked, _east.Requests.Count);
    }

    [Fact]
    public async Task ReportsTheFailure_WhenTheInstanceIsNoVideoEither()
    {
        _east.Fail(500, "/frames/1");
        Hold("no video, but some text without the mark of a file"u8.ToArray());
        await using var proxy = new ProxyHost(("east", _east.Address));
        await proxy.GetAsync(Frame[..^"/instances/1.2.1.1.1/frames/1".Length] + "/metadata");

        (await proxy.GetAsync(Frame, ("Accept", "video/mp4"))).IsProblem(406, names: "east");
    }

    private void Hold(params byte[][] fragments) => _east.Respond(
        Archive.Multipart(
            "application/dicom",
            Part10File.Encapsulated(30, [], fragments)
                .Set(0x00020010, "UI", Part10File.Even(Mp4, '\0')).Set(0x00080018, "UI", Part10File.Even("1.2.1.1.1", '\0'))
                .Set(0x0020000D, "UI", Part10File.Even("1.2.1", '\0')).Set(0x0020000E, "UI", Part10File.Even("1.2.1.1", '\0'))
                .ToArray()),
        "/instances/1.2.1.1.1");
}
