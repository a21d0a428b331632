using System.Text;
using Proxy.Tests.Pacs;
using Proxy.Tests.Wire;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>A 200 with the wrong body is a bad answer: the proxy asks the next holder or returns 502, and caches nothing.</summary>
public sealed class BodyCheckWalks : IDisposable
{
    private const string Instance = "/dicomweb/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1";

    private const string Frame = Instance + "/frames/1";

    private const string Explicit = "1.2.840.10008.1.2.1";

    private const string JpegLs = HeldSeries.StoredTransferSyntax;

    private const string Page = "<!DOCTYPE html><html><body>Please log in</body></html>";

    private static readonly (string, string) AsStored = (
        "Accept", "multipart/related; type=\"application/octet-stream\"; transfer-syntax=*");

    private static readonly (string, string) Dicom = ("Accept", "multipart/related; type=\"application/dicom\"; transfer-syntax=*");

    private static readonly HeldSeries Held = new("1.2.1.1", "CT", 2) { Image = (20, 30, 1, 16) };

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With(Held));

    private readonly ProxyHost _proxy;

    public BodyCheckWalks() => _proxy = new(("east", _east.Address));

    public void Dispose()
    {
        _proxy.Dispose();
        _east.Dispose();
    }

    private static Dictionary<string, PacsAnswer> InvalidFrames { get; } = new()
    {
        ["an empty single part"] = PacsAnswer.Text(200, "application/octet-stream", ""),
        ["an empty part"] = Archive.Multipart($"application/octet-stream; transfer-syntax={JpegLs}", []),
        ["a page as pixels"] = PacsAnswer.Text(200, "application/octet-stream", Page),
        ["an error document as pixels"] = PacsAnswer.Text(200, "application/octet-stream", "<Error><Code>AccessDenied</Code></Error>"),
        ["an error document in a part"] = Archive.Multipart(
            "application/octet-stream", "<Error><Code>AccessDenied</Code></Error>"u8.ToArray()),
        ["XML"] = PacsAnswer.Text(200, "application/xml", "<Error/>"),
        ["XHTML"] = PacsAnswer.Text(200, "application/xhtml+xml", Page),
        ["XHTML in a part"] = Archive.Multipart("application/xhtml+xml", Encoding.ASCII.GetBytes(Page)),
        ["SVG"] = Archive.Multipart("image/svg+xml", "<svg/>"u8.ToArray()),
        ["a thumbnail"] = PacsAnswer.Text(200, "image/png", "\u0089PNG"),
        ["JSON"] = PacsAnswer.Text(200, "application/json", "{}"),
        ["a type with a line break"] = OfPartType("application/octet-stream\nX-Injected: 1"),
        ["a type that is not ASCII"] = OfPartType("application/octet-stréam"),
        ["a transfer syntax that is not a UID"] = Archive.Multipart(
            "application/octet-stream; transfer-syntax=JPEG", Pixels.Create("f", 1200)),
        ["JPEG-LS without its marker"] = Archive.Multipart($"application/octet-stream; transfer-syntax={JpegLs}", new byte[1200]),
        ["JPEG by type without its marker"] = Archive.Multipart("image/jpeg", new byte[1200]),
        ["JPEG 2000 that is JPEG"] = Archive.Multipart(
            "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.4.90", Pixels.In(JpegLs, "f", 1200)),
        ["RLE without its header"] = Archive.Multipart("application/octet-stream; transfer-syntax=1.2.840.10008.1.2.5", new byte[1200]),
        ["too few native pixels"] = Archive.Multipart(
            $"application/octet-stream; transfer-syntax={Explicit}", Pixels.Create("f", 1199)),
        ["too many native pixels"] = Archive.Multipart(
            $"application/octet-stream; transfer-syntax={Explicit}", Pixels.Create("f", 1201)),
        ["too few pixels without a transfer syntax"] = PacsAnswer.Text(200, "application/octet-stream", new string('x', 600)),
    };

    private static Dictionary<string, PacsAnswer> InvalidInstances { get; } = new()
    {
        ["empty"] = PacsAnswer.Text(200, "application/dicom", ""),
        ["an empty part"] = Archive.Multipart("application/dicom", []),
        ["a page"] = PacsAnswer.Text(200, "application/dicom", Page),
        ["a page in a part"] = Archive.Multipart("application/dicom", Encoding.ASCII.GetBytes(Page)),
        ["no meta group"] = Archive.Multipart("application/dicom", [.. new byte[128], .. "DICM"u8, .. new byte[2000]]),
        ["JSON"] = PacsAnswer.Text(200, "application/json", "{}"),
        ["another type"] = Archive.Multipart("application/pdf", Archive.GetFile("1.2.1.1.1")),
        ["another instance"] = Archive.Multipart("application/dicom", Archive.GetFile("1.2.1.1.2")),
        ["another instance by its meta group"] = Archive.Multipart("application/dicom", File(stored: "1.2.1.1.2", dataset: "1.2.1.1.1")),
        ["another instance by its dataset"] = Archive.Multipart("application/dicom", File(stored: "1.2.1.1.1", dataset: "1.2.1.1.2")),
    };

    public static TheoryData<string> InvalidFrameNames => [.. InvalidFrames.Keys];

    public static TheoryData<string> InvalidInstanceNames => [.. InvalidInstances.Keys];

    [Theory]
    [MemberData(nameof(InvalidFrameNames))]
    public async Task Returns502AndCachesNothing_WhenTheBodyIsNoFrame(string answer)
    {
        await _proxy.GetAsync(Instance[..Instance.IndexOf("/instances", StringComparison.Ordinal)] + "/metadata");
        _east.Respond(InvalidFrames[answer], "/frames/1");

        (await _proxy.GetAsync(Frame, AsStored)).IsProblem(502, names: "east");

        _east.Recover();
        var again = await _proxy.GetAsync(Frame, AsStored);
        Assert.Equal("Proxy; fwd=miss; stored", again.CacheStatus);
        Assert.Equal(Held.GetFrame("1.2.1.1.1", 1), Assert.Single(Parts.Read(again)).Body);
    }

    [Theory]
    [MemberData(nameof(InvalidInstanceNames))]
    public async Task Returns502AndCachesNothing_WhenTheBodyIsNoInstance(string answer)
    {
        _east.Respond(InvalidInstances[answer], "/instances/1.2.1.1.1");

        (await _proxy.GetAsync(Instance, Dicom)).IsProblem(502, names: "east");

        _east.Recover();
        var again = await _proxy.GetAsync(Instance, Dicom);
        Assert.Equal("Proxy; fwd=miss; stored", again.CacheStatus);
        Assert.Equal(Archive.GetFile("1.2.1.1.1"), Assert.Single(Parts.Read(again)).Body);
    }

    [Fact]
    public async Task AsksAnotherHolder_WhenTheFirstSendsAnErrorPage()
    {
        using var west = new WireMockPacs(new HeldStudy("1.2.1").With(Held));
        await using var proxy = new ProxyHost(("east", _east.Address), ("west", west.Address));
        _east.Respond(InvalidFrames["an error document as pixels"], "/frames/1");

        Assert.Equal(Held.GetFrame("1.2.1.1.1", 1), Assert.Single(Parts.Read(await proxy.GetAsync(Frame, AsStored))).Body);
        Assert.Equal(1, west.Count("/frames/1"));
    }

    [Fact]
    public async Task Returns502AndCachesNothing_WhenBulkDataIsEmpty()
    {
        var metadata = await _proxy.GetAsync(Instance + "/metadata");
        var address = new Uri((string)metadata.Rows[0]!["7FE00010"]!["BulkDataURI"]!).PathAndQuery;
        _east.Respond(PacsAnswer.Text(200, "application/octet-stream", ""), "/bulk/7fe00010");

        (await _proxy.GetAsync(address)).IsProblem(502);

        _east.Recover();
        Assert.Equal(Archive.GetBulkData("1.2.1.1.1", "7fe00010"), (await _proxy.GetAsync(address)).Body);
    }

    [Fact]
    public async Task ReadsAnyMultipartType()
    {
        var answer = Archive.Multipart($"application/octet-stream; transfer-syntax={JpegLs}", Held.GetFrame("1.2.1.1.1", 1));
        _east.Respond(
            answer with { ContentType = answer.ContentType.Replace("multipart/related", "multipart/mixed", StringComparison.Ordinal) },
            "/frames/1");

        Assert.Equal(Held.GetFrame("1.2.1.1.1", 1), Assert.Single(Parts.Read(await _proxy.GetAsync(Frame, AsStored))).Body);
    }

    [Theory]
    [InlineData("application/octet-stream; transfer-syntax=*")]
    [InlineData("application/octet-stream")]
    public async Task AssumesTheDefaultTransferSyntax_WhenTheAnswerNamesNone(string type)
    {
        var pixels = Pixels.Create("unnamed", 1200);
        _east.Respond(Archive.Multipart(type, pixels), "/frames/1");
        await _proxy.GetAsync(Instance + "/metadata");

        var (head, body) = Assert.Single(Parts.Read(await _proxy.GetAsync(Frame, AsStored)));
        Assert.Contains($"Content-Type: application/octet-stream; transfer-syntax={Explicit}\r\n", head + "\r\n");
        Assert.Equal(pixels, body);
        (await _proxy.GetAsync(
            Frame,
            ("Accept", $"multipart/related; type=\"application/octet-stream\"; transfer-syntax=1.2.840.10008.1.2.4.90"))).IsProblem(406);
    }

    [Fact]
    public async Task AssumesTheTransferSyntaxOfTheMetadata_WhenThePixelsMatchIt()
    {
        _east.Hold(new HeldStudy("1.2.1").With(Held with { AvailableTransferSyntax = JpegLs }));
        await _proxy.GetAsync(Instance + "/metadata");
        _east.Respond(Archive.Multipart("application/octet-stream", Held.GetFrame("1.2.1.1.1", 1)), "1.2.1.1.1/frames/1");
        _east.Respond(Archive.Multipart("application/octet-stream", Pixels.Create("native", 1200)), "1.2.1.1.2/frames/1");

        Assert.Contains($"transfer-syntax={JpegLs}", Assert.Single(Parts.Read(await _proxy.GetAsync(Frame, AsStored))).Head);
        var other = Frame.Replace("/1.2.1.1.1/", "/1.2.1.1.2/", StringComparison.Ordinal);
        Assert.Contains($"transfer-syntax={Explicit}", Assert.Single(Parts.Read(await _proxy.GetAsync(other, AsStored))).Head);
    }

    [Fact]
    public async Task TakesTheTransferSyntaxFromTheFileMetaInformation()
    {
        _east.Respond(
            Archive.Multipart($"application/dicom; transfer-syntax={Explicit}", Archive.GetFile("1.2.1.1.1")), "/instances/1.2.1.1.1");
        Assert.Contains(
            $"application/dicom; transfer-syntax={JpegLs}", Assert.Single(Parts.Read(await _proxy.GetAsync(Instance, Dicom))).Head);

        _east.Respond(Archive.Multipart("application/dicom", Archive.GetFile("1.2.1.1.2")), "/instances/1.2.1.1.2");
        var other = Instance.Replace("/1.2.1.1.1", "/1.2.1.1.2", StringComparison.Ordinal);
        Assert.Contains(
            $"application/dicom; transfer-syntax={JpegLs}", Assert.Single(Parts.Read(await _proxy.GetAsync(other, Dicom))).Head);
    }

    [Theory]
    [InlineData("1,2")]
    [InlineData("2")]
    [InlineData("1,1,7")]
    public async Task Returns404WithoutAsking_WhenTheMetadataHasNoSuchFrame(string frames)
    {
        await _proxy.GetAsync(Instance + "/metadata");

        (await _proxy.GetAsync($"{Instance}/frames/{frames}", AsStored)).IsProblem(404);

        Assert.DoesNotContain(_east.Requests, r => r.Path.Contains("/frames/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Returns404_WhenTheInstanceHasNoPixels()
    {
        _east.Hold(new HeldStudy("1.2.1").With(new HeldSeries("1.2.1.1", "SR", 1) { HasPixels = false }));
        await _proxy.GetAsync(Instance + "/metadata");
        _east.Fail(500, "/frames/1");

        (await _proxy.GetAsync(Frame, AsStored)).IsProblem(404);
    }

    /// <summary>Only the part names its type, in raw bytes.</summary>
    private static PacsAnswer OfPartType(string type)
    {
        var head = Encoding.Latin1.GetBytes($"--b\r\nContent-Type: {type}\r\n\r\n");
        return new(200, "multipart/related; boundary=b", [.. head, .. Pixels.Create("f", 1200), .. "\r\n--b--\r\n"u8]);
    }

    private static byte[] File(string stored, string dataset) => new Part10File()
        .SetRaw(0x00020003, Part10File.Element(0x00020003, "UI", Part10File.Even(stored, '\0')))
        .Set(0x00080018, "UI", Part10File.Even(dataset, '\0')).ToArray();
}
