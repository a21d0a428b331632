using System.Text;
using Proxy.Tests.Pacs;
using Proxy.Tests.Wire;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>What only the end of a body or its container shows: frames that are too short, cut files, pages as bulk data.</summary>
public sealed class BodyContentWalks : IDisposable
{
    private const string Instance = "/dicomweb/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1";

    private const string Frame = Instance + "/frames/1";

    private const string Explicit = Part10File.Explicit;

    private static readonly (string, string) AsStored = (
        "Accept",
        "application/octet-stream; transfer-syntax=*, image/jpeg; transfer-syntax=*, "
            + "video/mp4; transfer-syntax=*, video/mpeg; transfer-syntax=*, image/jp2; transfer-syntax=*, "
            + "image/jls; transfer-syntax=*, image/dicom-rle; transfer-syntax=*");

    private static readonly (string, string) Dicom = ("Accept", "multipart/related; type=\"application/dicom\"; transfer-syntax=*");

    private static readonly HeldSeries Held = new("1.2.1.1", "CT", 1) { Image = (16, 16, 1, 16), AvailableTransferSyntax = Explicit };

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With(Held));

    private readonly ProxyHost _proxy;

    public BodyContentWalks() => _proxy = new(("east", _east.Address));

    public void Dispose()
    {
        _proxy.Dispose();
        _east.Dispose();
    }

    private static Dictionary<string, PacsAnswer> NoFrames { get; } = new()
    {
        ["an RLE header alone"] = Undeclared("image/dicom-rle", RleHeader(64)),
        ["an RLE header alone, declared"] = Archive.Multipart("image/dicom-rle", RleHeader(64)),
        ["an RLE segment behind the end"] = Undeclared("image/dicom-rle", [.. RleHeader(64, 9000), .. new byte[200]]),
        ["three bytes of JPEG"] = Undeclared("image/jpeg", [0xFF, 0xD8, 0xFF]),
        ["three bytes of JPEG, declared"] = Archive.Multipart("image/jpeg", [0xFF, 0xD8, 0xFF]),
        ["a JPEG without a header"] = Undeclared("image/jpeg", [0xFF, 0xD8, 0xFF, 0xE0, 0, 4, 0, 0]),
        ["a JPEG-LS without a header"] = Undeclared("image/jls", [0xFF, 0xD8, 0xFF, 0xF7, 0, 11]),
        ["a JPEG 2000 without a header"] = Undeclared("image/jp2", [0xFF, 0x4F, 0xFF, 0x51, 0, 41]),
        ["noise as MP4"] = Undeclared("video/mp4", Pixels.Create("v", 1000)),
        ["noise as MPEG"] = Undeclared("video/mpeg", Pixels.Create("v", 1000)),
        ["noise as MP4 in a native syntax"] = Archive.Multipart($"video/mp4; transfer-syntax={Explicit}", Pixels.Create("v", 512)),
        ["noise as JPEG in a native syntax"] = Archive.Multipart($"image/jpeg; transfer-syntax={Explicit}", Pixels.Create("v", 512)),
    };

    private static Dictionary<string, PacsAnswer> Frames { get; } = new()
    {
        ["RLE"] = Undeclared("image/dicom-rle", [.. RleHeader(64, 100), .. new byte[37]]),
        ["JPEG without its end"] = Undeclared("image/jpeg", Pixels.In("1.2.840.10008.1.2.4.70", "f", 200)),
        ["MP4"] = Undeclared("video/mp4", [0, 0, 0, 24, .. "ftypmp42"u8, .. new byte[500]]),
        ["a transport stream"] = Undeclared("video/mp4", [0x47, 0x40, 0, 0x10, .. new byte[500]]),
        ["MPEG"] = Undeclared("video/mpeg", [0, 0, 1, 0xB3, .. new byte[500]]),
    };

    public static TheoryData<string> NoFrameNames => [.. NoFrames.Keys];

    public static TheoryData<string> FrameNames => [.. Frames.Keys];

    [Theory]
    [MemberData(nameof(NoFrameNames))]
    public async Task AnUnsoundFrameIsRefused_AndNotCached(string name)
    {
        await _proxy.GetAsync(Instance + "/metadata");
        _east.Respond(NoFrames[name], "/frames/1");

        (await _proxy.GetAsync(Frame, AsStored)).IsProblem(502, names: "east");

        _east.Respond(Archive.Multipart($"application/octet-stream; transfer-syntax={Explicit}", Pixels.Create("f", 512)), "/frames/1");
        Assert.Equal("Proxy; fwd=miss; stored", (await _proxy.GetAsync(Frame, AsStored)).CacheStatus);
    }

    [Theory]
    [MemberData(nameof(FrameNames))]
    public async Task ASoundFrameIsDelivered(string name)
    {
        await _proxy.GetAsync(Instance + "/metadata");
        _east.Respond(Frames[name], "/frames/1");

        Assert.Equal(200, (int)(await _proxy.GetAsync(Frame, AsStored)).Status);
        Assert.Equal("Proxy; hit", (await _proxy.GetAsync(Frame, AsStored)).CacheStatus);
    }

    [Theory]
    [InlineData("pixel data")]
    [InlineData("meta group")]
    [InlineData("fragment")]
    [InlineData("delimiter")]
    public async Task ACutFileIsRefused_AndNotCached(string cutIn)
    {
        var whole = File(1000);
        var compressed = Identified(Part10File.Encapsulated(1, [], Pixels.In("1.2.840.10008.1.2.4.50", "f", 400)));
        var cut = cutIn switch
        {
            "pixel data" => whole[..^700],
            "meta group" => whole[..MetaLength(whole)],
            "fragment" => compressed[..^100],
            _ => compressed[..^8],
        };
        _east.Respond(Archive.Multipart("application/dicom", cut), "/instances/1.2.1.1.1");

        (await _proxy.GetAsync(Instance, Dicom)).IsProblem(502, names: "east");

        _east.Respond(Archive.Multipart("application/dicom", whole), "/instances/1.2.1.1.1");
        var again = await _proxy.GetAsync(Instance, Dicom);
        Assert.Equal("Proxy; fwd=miss; stored", again.CacheStatus);
        Assert.Equal(whole, Assert.Single(Parts.Read(again)).Body);
    }

    [Fact]
    public async Task ALargeCutFileBreaksTheConnection_AndIsNotCached()
    {
        _east.Respond(Archive.Multipart("application/dicom", File(400_000)[..^2]), "/instances/1.2.1.1.1");

        await Assert.ThrowsAnyAsync<Exception>(() => _proxy.GetAsync(Instance, Dicom));

        _east.Respond(Archive.Multipart("application/dicom", File(400_000)), "/instances/1.2.1.1.1");
        Assert.Equal("Proxy; fwd=miss; stored", (await _proxy.GetAsync(Instance, Dicom)).CacheStatus);
    }

    [Fact]
    public async Task AsksTheNextHolder_ForACutFile()
    {
        using var west = new WireMockPacs(new HeldStudy("1.2.1").With(Held));
        await using var proxy = new ProxyHost(("east", _east.Address), ("west", west.Address));
        _east.Respond(Archive.Multipart("application/dicom", File(1000)[..^10]), "/instances/1.2.1.1.1");
        west.Respond(Archive.Multipart("application/dicom", File(1000)), "/instances/1.2.1.1.1");

        Assert.Equal(File(1000), Assert.Single(Parts.Read(await proxy.GetAsync(Instance, Dicom))).Body);
    }

    [Theory]
    [InlineData("application/octet-stream", "<html><body>Log in</body></html>")]
    [InlineData("application/octet-stream", "\r\n \t<!DOCTYPE html><title>x</title>")]
    [InlineData("application/octet-stream", "\uFEFF<HTML>")]
    [InlineData("text/plain", "<!doctype HTML PUBLIC \"-//W3C//DTD XHTML 1.0 Strict//EN\"><html/>")]
    [InlineData("application/xml", "<?xml version=\"1.0\"?>\n<!-- a comment -->\n<Error><Code>AccessDenied</Code></Error>")]
    [InlineData("application/octet-stream", "<Error><Code>NoSuchKey</Code></Error>")]
    [InlineData("text/xml", "<s3:Error xmlns:s3='urn:x'/>")]
    [InlineData("text/html", "plain")]
    public async Task APageIsNoBulkData(string type, string text)
    {
        var place = await GetBulkDataAsync();
        _east.Respond(Undeclared(type, Encoding.UTF8.GetBytes(text)), "/bulk/7fe00010");

        (await _proxy.GetAsync(place)).IsProblem(502);

        _east.Recover();
        Assert.Equal(Archive.GetBulkData("1.2.1.1.1", "7fe00010"), (await _proxy.GetAsync(place)).Body);
    }

    [Theory]
    [InlineData("text/xml", "<?xml version=\"1.0\"?>\n<ClinicalDocument xmlns=\"urn:hl7-org:v3\"><title>Error</title></ClinicalDocument>")]
    [InlineData("application/xml", "<ErrorLog/>")]
    [InlineData("application/octet-stream", "<<<<")]
    [InlineData("application/octet-stream", "<")]
    [InlineData("text/plain", "html <html>")]
    public async Task ADocumentIsBulkData(string type, string text)
    {
        var place = await GetBulkDataAsync();
        _east.Respond(Undeclared(type, Encoding.UTF8.GetBytes(text)), "/bulk/7fe00010");

        Assert.Equal(text, (await _proxy.GetAsync(place)).Text);
    }

    private async Task<string> GetBulkDataAsync() =>
        new Uri((string)(await _proxy.GetAsync(Instance + "/metadata")).Rows[0]!["7FE00010"]!["BulkDataURI"]!).PathAndQuery;

    private static PacsAnswer Undeclared(string type, byte[] body) => new(
        200, "multipart/related; boundary=b",
        [.. Encoding.ASCII.GetBytes($"--b\r\nContent-Type: {type}\r\n\r\n"), .. body, .. "\r\n--b--\r\n"u8]);

    private static byte[] RleHeader(params uint[] offsets) =>
        [.. Part10File.UInt((uint)offsets.Length), .. offsets.SelectMany(Part10File.UInt), .. new byte[60 - 4 * offsets.Length]];

    private static byte[] Identified(Part10File file) => file.Set(0x00080018, "UI", Part10File.Even("1.2.1.1.1", '\0')).ToArray();

    private static byte[] File(int pixelBytes) => Identified(new Part10File().Set(0x7FE00010, "OW", Pixels.Create("p", pixelBytes)));

    /// <summary>Where the first element of the dataset begins, which is (0008,0018).</summary>
    private static int MetaLength(byte[] file) => file.AsSpan().IndexOf((ReadOnlySpan<byte>)[8, 0, 0x18, 0]);
}
