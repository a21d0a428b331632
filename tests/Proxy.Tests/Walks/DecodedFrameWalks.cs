using Proxy.Tests.Imaging.Codecs;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>A client that accepts only uncompressed frames gets them although the PACS cannot decode: the proxy does.</summary>
public sealed class DecodedFrameWalks : IDisposable
{
    private const string Native = "1.2.840.10008.1.2.1";
    private const string Series = "/dicomweb/studies/1.2.1/series/1.2.1.1";
    private const string Frame = Series + "/instances/1.2.1.1.1/frames/1";
    private const string Uncompressed = "application/octet-stream; transfer-syntax=" + Native;
    private const string AsStored = "application/octet-stream; transfer-syntax=*";

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1"));

    private readonly ProxyHost _proxy;

    public DecodedFrameWalks()
    {
        StoredCodecs.Load();
        _proxy = new(("east", _east.Address));
    }

    private int FrameRequests => _east.Requests.Count(r => r.Path.EndsWith("/frames/1", StringComparison.Ordinal));

    public void Dispose()
    {
        _proxy.Dispose();
        _east.Dispose();
    }

    [Theory]
    [InlineData("j2k90-u12", "u12")]
    [InlineData("jls80-s12", "s12")]
    [InlineData("htj2k201-rgb", "rgb")]
    [InlineData("rle-s16", "s16")]
    public async Task DecodesTheStoredFrame_WhenThePacsCannot(string frame, string samples)
    {
        Hold(CodedFrame.Get(frame));

        var cold = await _proxy.GetAsync(Frame, ("Accept", Uncompressed));

        Assert.Equal(200, (int)cold.Status);
        Assert.Equal(Uncompressed, cold["Content-Type"]);
        Assert.Equal(CodedFrame.ReadRaw(samples), cold.Body);
        var asked = FrameRequests;
        var warm = await _proxy.GetAsync(Frame, ("Accept", Uncompressed));
        Assert.Equal(("Proxy; hit", cold["ETag"]), (warm.CacheStatus, warm["ETag"]));
        Assert.Equal(cold.Body, warm.Body);
        Assert.Equal(asked, FrameRequests);
    }

    [Fact]
    public async Task DecodesACachedFrame_WithoutAskingThePacs()
    {
        Hold(CodedFrame.Get("j2k90-u12"));
        await _proxy.GetAsync(Series + "/metadata");
        Assert.Equal(200, (int)(await _proxy.GetAsync(Frame, ("Accept", AsStored))).Status);

        var decoded = await _proxy.GetAsync(Frame, ("Accept", Uncompressed));

        Assert.Equal(CodedFrame.ReadRaw("u12"), decoded.Body);
        Assert.Equal(1, FrameRequests);
        // The stored form stays what it is.
        Assert.Equal(CodedFrame.Get("j2k90-u12").Codestream, (await _proxy.GetAsync(Frame, ("Accept", AsStored))).Body);
    }

    [Fact]
    public async Task Returns406WithTheReason_WhenTheMetadataDescribesAnotherFrame()
    {
        var frame = CodedFrame.Get("j2k90-u12");
        Hold(frame with { Layout = frame.Layout with { Rows = 64 } });

        (await _proxy.GetAsync(Frame, ("Accept", Uncompressed))).IsProblem(406, "72 × 60");
    }

    [Fact]
    public async Task SharesTheChrominance_WhenTheMetadataSaysSo()
    {
        var frame = CodedFrame.Get("jpeg50-ybr422");
        Hold(frame);

        var decoded = await _proxy.GetAsync(Frame, ("Accept", Uncompressed));

        Assert.Equal(frame.Oracle.Length / 3 * 2, decoded.Body.Length);
        Assert.Equal([frame.Oracle[0], frame.Oracle[3], frame.Oracle[1], frame.Oracle[2]], decoded.Body[..4]);
    }

    /// <summary>Like Orthanc with JPEG 2000: gives the stored form, and answers 500 for any other.</summary>
    private void Hold(CodedFrame frame)
    {
        _east.On("/metadata", _ => PacsAnswer.Text(200, "application/dicom+json", Describe(frame)));
        _east.On("/frames/1", request => request.Headers["Accept"].Contains("transfer-syntax=*", StringComparison.Ordinal)
            ? Archive.Multipart($"application/octet-stream; transfer-syntax={frame.TransferSyntax}", frame.Codestream)
            : PacsAnswer.Text(500, "text/plain", "Error encountered within the plugin engine"));
    }

    private static string Describe(CodedFrame frame)
    {
        var layout = frame.Layout;
        return $$"""
            [{"00020010":{"vr":"UI","Value":["{{frame.TransferSyntax}}"]},"00080016":{"vr":"UI","Value":["1.2.840.10008.5.1.4.1.1.7"]},
            "00080018":{"vr":"UI","Value":["1.2.1.1.1"]},"0020000D":{"vr":"UI","Value":["1.2.1"]},
            "0020000E":{"vr":"UI","Value":["1.2.1.1"]},
            "00280002":{{Number(layout.SamplesPerPixel)}},"00280004":{"vr":"CS","Value":["{{layout.PhotometricInterpretation}}"]},
            "00280006":{{Number(layout.IsPlanar ? 1 : 0)}},"00280010":{{Number(layout.Rows)}},"00280011":{{Number(layout.Columns)}},
            "00280100":{{Number(layout.BitsAllocated)}},"00280101":{{Number(layout.BitsStored)}},"00280102":{{Number(layout.HighBit)}},
            "00280103":{{Number(layout.IsSigned ? 1 : 0)}}}]
            """;

        static string Number(int value) => $"{{\"vr\":\"US\",\"Value\":[{value}]}}";
    }
}
