using Microsoft.Extensions.DependencyInjection;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Imaging;
using Proxy.Imaging.Codecs;
using Proxy.Retrieve;
using Proxy.Tests.Imaging.Codecs;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Uncompressed frames that are requested again: encoded without loss, for clients that accept it.</summary>
public sealed class TranscodedFrameWalks : IDisposable
{
    private const string Native = "1.2.840.10008.1.2.1";
    private const string Series = "/dicomweb/studies/1.2.1/series/1.2.1.1";
    private const string Frame = Series + "/instances/1.2.1.1.1/frames/1";
    private const string AsStored = "multipart/related; type=\"application/octet-stream\"; transfer-syntax=*";
    private const string Single = "application/octet-stream; transfer-syntax=*";
    private const string Uncompressed = "application/octet-stream; transfer-syntax=" + Native;
    private const string Jls = "image/jls; transfer-syntax=1.2.840.10008.1.2.4.80";
    private const string Htj2k = "image/jphc; transfer-syntax=1.2.840.10008.1.2.4.201";

    private static readonly BodyFormat Form = new("image/jls", FrameEncoder.JpegLs);

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1"));

    private readonly ProxyHost _proxy;

    public TranscodedFrameWalks()
    {
        StoredCodecs.Load();
        _proxy = new(("east", _east.Address)) { ["Retrieve:Transcode"] = "JpegLs", ["Cache:Metadata:Freshness"] = "01:00:00" };
    }

    public void Dispose()
    {
        _proxy.Dispose();
        _east.Dispose();
    }

    [Theory]
    [InlineData("JpegLs", "jls80-u12", "u12", Jls)]
    [InlineData("Htj2k", "jls80-s12", "s12", Htj2k)]
    [InlineData("Htj2k", "jls80-rgb-is", "rgb", Htj2k)]
    public async Task ServesTheSamePixelsInFewerBytes_WhenTheyAreRequestedAgain(string setting, string like, string samples, string type)
    {
        var (layout, raw) = (CodedFrame.Get(like).Layout, CodedFrame.ReadRaw(samples));
        using var proxy = new ProxyHost(("east", _east.Address)) { ["Retrieve:Transcode"] = setting };
        await HoldAsync(proxy, layout, raw);

        var first = await proxy.GetAsync(Frame, ("Accept", Single));
        var coded = await GetCodedAsync(proxy, type);

        Assert.Equal((Uncompressed, "Proxy; fwd=miss; stored"), (first["Content-Type"], first.CacheStatus));
        Assert.Equal(raw, first.Body);
        Assert.Equal((type, "Proxy; hit", "Accept, Accept-Encoding"), (coded["Content-Type"], coded.CacheStatus, coded["Vary"]));
        Assert.NotEqual(first["ETag"], coded["ETag"]);
        Assert.InRange(coded.Body.Length, 1, raw.Length - 1);
        Assert.Equal(raw, await DecodeAsync(type, layout, coded.Body));
        Assert.Equal(1, _east.Count("/frames/1"));
        Assert.Equal(304, (int)(await proxy.GetAsync(Frame, ("Accept", Single), ("If-None-Match", coded["ETag"]))).Status);
    }

    [Fact]
    public async Task NamesTheTransferSyntaxInThePart_AndSendsItWithoutAContentCoding()
    {
        var raw = await HoldAsync();
        await _proxy.GetAsync(Frame, ("Accept", AsStored));
        await GetCodedAsync(_proxy, Jls);

        var coded = await _proxy.GetAsync(Frame, ("Accept", AsStored), ("Accept-Encoding", "gzip, br"));

        var part = Assert.Single(Parts.Read(coded));
        Assert.Contains("Content-Type: " + Jls, part.Head, StringComparison.Ordinal);
        Assert.Contains("type=\"image/jls\"", coded["Content-Type"], StringComparison.Ordinal);
        Assert.Equal("", coded["Content-Encoding"]);
        Assert.Equal(raw, await DecodeAsync(Jls, CodedFrame.Get("jls80-u12").Layout, part.Body));
    }

    [Fact]
    public async Task ServesTheFormOnly_WhenTheClientAcceptsAndDoesNotPreferAnother()
    {
        var raw = await HoldAsync();
        await _proxy.GetAsync(Frame, ("Accept", Single));
        await GetCodedAsync(_proxy, Jls);
        const string named = "image/jls; transfer-syntax=1.2.840.10008.1.2.4.80";

        foreach (var accept in (string[])
            [
                Uncompressed, "*/*", "application/octet-stream", Uncompressed + ", image/jls;q=0.5", "image/jphc, " + Uncompressed,
                Single + ", image/jls;q=0",
            ])
        {
            var reply = await _proxy.GetAsync(Frame, ("Accept", accept));
            Assert.Equal(raw, reply["Content-Type"] == Uncompressed ? reply.Body : Assert.Single(Parts.Read(reply)).Body);
        }
        foreach (var accept in (string[])[named, "image/jls, " + Uncompressed, named + ", application/octet-stream;q=0.5"])
            Assert.Equal(Jls, (await _proxy.GetAsync(Frame, ("Accept", accept)))["Content-Type"]);
    }

    [Fact]
    public async Task ServesRangesAndListsUncompressed()
    {
        var raw = await HoldAsync();
        await _proxy.GetAsync(Frame, ("Accept", Single));
        await GetCodedAsync(_proxy, Jls);

        var range = await _proxy.GetAsync(Frame, ("Accept", Single), ("Range", "bytes=0-99"));
        var list = await _proxy.GetAsync(Frame + ",1", ("Accept", AsStored));

        Assert.Equal((206, Uncompressed), ((int)range.Status, range["Content-Type"]));
        Assert.Equal(raw[..100], range.Body);
        Assert.All(Parts.Read(list), part => Assert.Equal(raw, part.Body));
    }

    [Fact]
    public async Task KeepsFramesUncompressed_WhenTheyAreNotGreyOrRgb_OrSaveNothing()
    {
        var (grey, raw) = (CodedFrame.Get("jls80-u12").Layout, CodedFrame.ReadRaw("u12"));
        foreach (var other in ((string, string, string)[])
            [
                ("00080060", "CS", "RTDOSE"), ("00080016", "UI", "1.2.840.10008.5.1.4.1.1.481.2"), ("00280004", "CS", "PALETTE COLOR"),
                ("00280102", "US", "15"),
            ])
        {
            await HoldAsync(_proxy, grey, raw, other);
            await AssertStaysAsync(raw);
        }
        var noise = Pixels.Create("noise", raw.Length);
        await HoldAsync(_proxy, grey with { BitsStored = 16, HighBit = 15 }, noise);
        await AssertStaysAsync(noise);
    }

    [Fact]
    public async Task ServesUncompressedFrames_WhenTheClientIsInNoneOfTheNetworks()
    {
        using var proxy = new ProxyHost(("east", _east.Address))
        {
            ["Retrieve:Transcode"] = "JpegLs",
            ["Retrieve:TranscodeNetworks:0"] = "10.0.0.0/8",
        };
        var raw = CodedFrame.ReadRaw("u12");
        await HoldAsync(proxy, CodedFrame.Get("jls80-u12").Layout, raw);
        for (var i = 0; i < 3; i++) Assert.Equal(raw, (await proxy.GetAsync(Frame, ("Accept", Single))).Body);
    }

    [Fact]
    public async Task APurgeRemovesTheTranscodedFrame()
    {
        await HoldAsync();
        await _proxy.GetAsync(Frame, ("Accept", Single));
        await GetCodedAsync(_proxy, Jls);
        byte[] other = [.. CodedFrame.ReadRaw("u12").Reverse().Select(b => (byte)(b & 0x0F))];
        Give(other);

        await _proxy.SendAsync(HttpMethod.Delete, "/cache/studies/1.2.1", []);

        await _proxy.GetAsync(Series + "/metadata");
        Assert.Equal(other, (await _proxy.GetAsync(Frame, ("Accept", Single))).Body);
        var coded = await GetCodedAsync(_proxy, Jls);
        Assert.Equal(other, await DecodeAsync(Jls, CodedFrame.Get("jls80-u12").Layout, coded.Body));
    }

    [Fact]
    public async Task TranscodesPrefetchedFramesBeforeAClientAsks()
    {
        var raw = await HoldAsync();
        var key = new EntryKey("east", Frame["/dicomweb/".Length..], new Representation(Form) { Parameters = "transcoded" });

        await _proxy.SendAsync(
            HttpMethod.Post, "/prefetch", [("Content-Type", "application/json")], """{"studies":["1.2.1"]}""");
        var cache = _proxy.Services.GetRequiredService<EntryCache>();
        await Until.TrueAsync(async () => await cache.HasAsync([new(key)], TestContext.Current.CancellationToken));
        var first = await _proxy.GetAsync(Frame, ("Accept", Single));

        Assert.Equal((Jls, "Proxy; hit; detail=prefetched"), (first["Content-Type"], first.CacheStatus));
        Assert.Equal(raw, await DecodeAsync(Jls, CodedFrame.Get("jls80-u12").Layout, first.Body));
    }

    [Fact]
    public async Task NeedsNoUncompressedFrame_OnceItIsTranscoded()
    {
        await HoldAsync();
        await _proxy.GetAsync(Frame, ("Accept", Single));
        var coded = await GetCodedAsync(_proxy, Jls);
        var cache = _proxy.Services.GetRequiredService<EntryCache>();
        cache.RemoveFromMemory(new("east", Frame["/dicomweb/".Length..], BodyFormat.AsStored));

        var again = await _proxy.GetAsync(Frame, ("Accept", Single));

        Assert.Equal(coded.Body, again.Body);
        Assert.Equal(1, _east.Count("/frames/1"));
    }

    private async Task<byte[]> HoldAsync()
    {
        var raw = CodedFrame.ReadRaw("u12");
        await HoldAsync(_proxy, CodedFrame.Get("jls80-u12").Layout, raw);
        return raw;
    }

    /// <summary>The frame stays as it is, however often it is requested.</summary>
    private async Task AssertStaysAsync(byte[] raw)
    {
        var answers = _proxy.Services.GetRequiredService<AnswerCache>().For<TranscodedFrames.Key, TranscodedFrames.Key>();
        await _proxy.GetAsync(Frame, ("Accept", Single));
        await Until.TrueAsync(() => answers.ReadAll().Any());
        for (var i = 0; i < 2; i++)
        {
            var reply = await _proxy.GetAsync(Frame, ("Accept", Single));
            Assert.Equal(Uncompressed, reply["Content-Type"]);
            Assert.Equal(raw, reply.Body);
        }
    }

    /// <summary>Requests the frame until the answer has this type.</summary>
    private static async Task<Reply> GetCodedAsync(ProxyHost proxy, string type, string accept = Single)
    {
        Reply? reply = null;
        await Until.TrueAsync(async () => (reply = await proxy.GetAsync(Frame, ("Accept", accept)))["Content-Type"] == type);
        return reply!;
    }

    private static async Task<byte[]> DecodeAsync(string type, PixelLayout layout, byte[] codestream)
    {
        using var pool = StoredCodecs.CreatePool();
        var decoding = await new FrameDecoder(pool).DecodeAsync(
            type.Split('=')[1], layout, codestream, TestContext.Current.CancellationToken);
        return decoding.Frame!.Bytes.ToArray();
    }

    private async Task HoldAsync(ProxyHost proxy, PixelLayout layout, byte[] raw, (string Tag, string Vr, string Value) other = default)
    {
        await proxy.SendAsync(HttpMethod.Delete, "/cache/studies/1.2.1", []);
        _east.On("/metadata", _ => PacsAnswer.Text(200, "application/dicom+json", Describe(layout, other)));
        Give(raw);
        await proxy.GetAsync(Series + "/metadata");
    }

    private void Give(byte[] raw) => _east.On("/frames/1", _ => Archive.Multipart(Uncompressed, raw));

    private static string Describe(PixelLayout layout, (string Tag, string Vr, string Value) other)
    {
        var elements = new SortedDictionary<string, (string Vr, string Value)>(StringComparer.Ordinal)
        {
            ["00080016"] = ("UI", "1.2.840.10008.5.1.4.1.1.7"),
            ["00080018"] = ("UI", "1.2.1.1.1"),
            ["00080060"] = ("CS", "OT"),
            ["0020000D"] = ("UI", "1.2.1"),
            ["0020000E"] = ("UI", "1.2.1.1"),
            ["00280002"] = ("US", $"{layout.SamplesPerPixel}"),
            ["00280004"] = ("CS", layout.PhotometricInterpretation),
            ["00280006"] = ("US", layout.IsPlanar ? "1" : "0"),
            ["00280010"] = ("US", $"{layout.Rows}"),
            ["00280011"] = ("US", $"{layout.Columns}"),
            ["00280100"] = ("US", $"{layout.BitsAllocated}"),
            ["00280101"] = ("US", $"{layout.BitsStored}"),
            ["00280102"] = ("US", $"{layout.HighBit}"),
            ["00280103"] = ("US", layout.IsSigned ? "1" : "0"),
        };
        if (other.Tag is not null) elements[other.Tag] = (other.Vr, other.Value);
        return $"[{{{string.Join(',', elements.Select(e => $"\"{e.Key}\":{{\"vr\":\"{e.Value.Vr}\",\"Value\":[{Value(e.Value)}]}}"))}}}]";

        static string Value((string Vr, string Text) value) => value.Vr == "US" ? value.Text : $"\"{value.Text}\"";
    }
}
