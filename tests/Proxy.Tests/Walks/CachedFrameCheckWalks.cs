using System.Text;
using Proxy.Tests.Pacs;
using Proxy.Tests.Wire;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Frames out of the cache are held to what fetched frames are held to: cut ones, and ones cached before their metadata.</summary>
public sealed class CachedFrameCheckWalks : IDisposable
{
    private const string Instance = "/dicomweb/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1";

    private const string Frame = Instance + "/frames/1";

    private const string Explicit = Part10File.Explicit;

    private const string Lossless = "1.2.840.10008.1.2.4.70";

    private const string Rle = "1.2.840.10008.1.2.5";

    private static readonly (string, string) Dicom = ("Accept", "multipart/related; type=\"application/dicom\"; transfer-syntax=*");

    private static readonly (string, string) AsStored = ("Accept", "application/octet-stream; transfer-syntax=*");

    private static readonly (string, string) Single = ("Accept", "application/dicom; transfer-syntax=*");

    /// <summary>16 × 16 pixels of two bytes: 512.</summary>
    private static readonly HeldSeries Held = new("1.2.1.1", "CT", 1) { Image = (16, 16, 1, 16) };

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("proxy-cached-frames-");

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With(Held));

    private string Cache => Path.Join(_folder.FullName, "cache");

    private IEnumerable<string> Files => Directory.EnumerateFiles(Path.Join(Cache, "entries"), "*", SearchOption.AllDirectories);

    public void Dispose()
    {
        _east.Dispose();
        Until.DeletedAsync(_folder.FullName).GetAwaiter().GetResult();
    }

    private static Dictionary<string, byte[]> Unsound { get; } = new()
    {
        ["markup in a JPEG fragment"] = Encapsulated(Lossless, "<html><body>Please log in, or call the help desk.</body>"u8.ToArray()),
        ["markup after a short fragment"] = Encapsulated(Lossless, "<htm"u8.ToArray(), "l><body>Please log in</body></html> "u8.ToArray()),
        ["RLE with a segment behind its end"] = Encapsulated(Rle, [.. RleHeader(64, 9000), .. new byte[100]]),
        ["RLE without data"] = Encapsulated(Rle, RleHeader(64)),
        ["half a native frame"] = Identified(Part10File.Native(8, 16, bits: 16)),
    };

    public static TheoryData<string, bool> UnsoundNames
    {
        get
        {
            var all = new TheoryData<string, bool>();
            foreach (var name in Unsound.Keys)
            {
                all.Add(name, false);
                all.Add(name, true);
            }
            return all;
        }
    }

    [Theory]
    [MemberData(nameof(UnsoundNames))]
    public async Task AsksTheBackend_WhenTheFrameInACachedInstanceIsUnsound(string name, bool isOnDisk)
    {
        _east.Respond(Archive.Multipart("application/dicom", Unsound[name]), "/instances/1.2.1.1.1");
        var expected = Held.GetFrame("1.2.1.1.1", 1, Lossless);
        _east.Respond(Archive.Multipart($"image/jpeg; transfer-syntax={Lossless}", expected), "/frames/1");
        await using (var first = Start())
        {
            await first.GetAsync(Instance + "/metadata");
            Assert.Equal(Unsound[name], Assert.Single(Parts.Read(await first.GetAsync(Instance, Dicom))).Body);
            await Until.TrueAsync(() => Files.Any());
            if (!isOnDisk) await AssertAskedAsync(first);
        }
        if (!isOnDisk) return;
        await using var second = Start();
        await second.GetAsync(Instance + "/metadata");
        await AssertAskedAsync(second);

        async Task AssertAskedAsync(ProxyHost proxy)
        {
            var reply = await proxy.GetAsync(
                Frame, ("Accept", $"image/jpeg; transfer-syntax=*, image/dicom-rle, application/octet-stream; transfer-syntax=*"));
            Assert.Equal("Proxy; fwd=miss; stored", reply.CacheStatus);
            Assert.Equal(expected, reply.Body);
            Assert.Contains(proxy.Log.All, line => line.Contains("is invalid; the backend is asked", StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task AFrameThatWasCutBeforeItsMetadataWasKnown_IsCheckedAgain()
    {
        _east.Respond(Archive.Multipart("application/dicom", Unsound["half a native frame"]), "/instances/1.2.1.1.1");
        _east.Respond(Native(512), "/frames/1");
        await using var proxy = Start();
        await proxy.GetAsync(Instance, Dicom);
        Assert.Equal((256, "Proxy; hit"), await LengthAsync(proxy));

        await proxy.GetAsync(Instance + "/metadata");

        Assert.Equal((512, "Proxy; fwd=miss; stored"), await LengthAsync(proxy));
        Assert.Equal((512, "Proxy; hit"), await LengthAsync(proxy));
    }

    [Theory]
    [InlineData(300)]
    [InlineData(511)]
    [InlineData(513)]
    [InlineData(1024)]
    public async Task AFrameOfAWrongLength_IsFetchedAgain_OnceItsMetadataIsKnown(int length)
    {
        await using (var proxy = Start())
        {
            _east.Respond(Native(length), "/frames/1");
            Assert.Equal((length, "Proxy; fwd=miss; stored"), await LengthAsync(proxy));
            Assert.Equal((length, "Proxy; hit"), await LengthAsync(proxy));
            await Until.TrueAsync(() => Files.Any());
            _east.Respond(Native(512), "/frames/1");
            Assert.Equal((length, "Proxy; hit"), await LengthAsync(proxy));

            await proxy.GetAsync(Instance + "/metadata");

            Assert.Equal((512, "Proxy; fwd=miss; stored"), await LengthAsync(proxy));
            Assert.Equal((512, "Proxy; hit"), await LengthAsync(proxy));
            Assert.Equal(2, _east.Count("/frames/1"));
        }
        await using var second = Start();
        Assert.Equal((512, "Proxy; hit"), await LengthAsync(second));
    }

    [Fact]
    public async Task AFrameOfAWrongLengthOnDisk_IsFetchedAgain_OnceItsMetadataIsKnown()
    {
        _east.Respond(Native(300), "/frames/1");
        await using (var first = Start())
        {
            await LengthAsync(first);
            await Until.TrueAsync(() => Files.Any());
        }
        _east.Respond(Native(512), "/frames/1");
        await using var second = Start();
        await second.GetAsync(Instance + "/metadata");

        Assert.Equal((512, "Proxy; fwd=miss; stored"), await LengthAsync(second));
    }

    [Fact]
    public async Task OnlyTheWrongFrameIsRemoved()
    {
        _east.Hold(new HeldStudy("1.2.1").With(Held with { Frames = 2 }));
        _east.Respond(Native(300), "/frames/1");
        _east.Respond(Native(512), "/frames/2");
        await using var proxy = Start();
        await LengthAsync(proxy);
        await proxy.GetAsync(Instance + "/frames/2", AsStored);
        await proxy.GetAsync(Instance + "/metadata");
        await Until.TrueAsync(() => Files.Count() == 2);

        (await proxy.GetAsync(Frame, AsStored)).IsProblem(502);

        Assert.Equal("Proxy; hit", (await proxy.GetAsync(Instance + "/frames/2", AsStored)).CacheStatus);
        await Until.TrueAsync(() => Files.Count() == 1);
    }

    [Fact]
    public async Task BodiesOfDifferentLengthsHaveDifferentTags()
    {
        await using var proxy = Start();
        _east.Respond(Native(300), "/frames/1");
        var wrong = await proxy.GetAsync(Frame, AsStored);
        Assert.Equal(wrong["ETag"], (await proxy.GetAsync(Frame, AsStored))["ETag"]);
        _east.Respond(Native(512), "/frames/1");
        await proxy.GetAsync(Instance + "/metadata");

        var right = await proxy.GetAsync(Frame, AsStored, ("If-None-Match", wrong["ETag"]));

        Assert.Equal(200, (int)right.Status);
        Assert.NotEqual("", right["ETag"]);
        Assert.NotEqual(wrong["ETag"], right["ETag"]);
        Assert.Equal(304, (int)(await proxy.GetAsync(Frame, AsStored, ("If-None-Match", right["ETag"]))).Status);
    }

    [Fact]
    public async Task ABodyHasNoTag_UntilItsLengthIsKnown()
    {
        await using var proxy = Start();
        _east.Respond(Undeclared("application/octet-stream; transfer-syntax=" + Explicit, Pixels.Create("f", 512)), "/frames/1");
        _east.Respond(Undeclared("application/dicom", Archive.GetFile("1.2.1.1.1")), "/instances/1.2.1.1.1");

        foreach (var (path, accept) in ((string, (string, string))[])[(Frame, AsStored), (Instance, Single)])
        {
            Assert.Equal("", (await proxy.GetAsync(path, accept))["ETag"]);
            // The end of a body reaches the client before its entry is in the cache.
            await Until.TrueAsync(async () => (await proxy.GetAsync(path, accept))["ETag"].StartsWith('"'), "the cached body has a tag");
        }
    }

    private static PacsAnswer Native(int length) =>
        Archive.Multipart($"application/octet-stream; transfer-syntax={Explicit}", Pixels.Create("f", length));

    /// <summary>A part whose end only the delimiter shows.</summary>
    private static PacsAnswer Undeclared(string type, byte[] body) =>
        new(200, "multipart/related; boundary=b",
            [.. Encoding.ASCII.GetBytes($"--b\r\nContent-Type: {type}\r\n\r\n"), .. body, .. "\r\n--b--\r\n"u8]);

    private static byte[] Identified(Part10File file) => file.Set(0x00080018, "UI", Part10File.Even("1.2.1.1.1", '\0')).ToArray();

    private static byte[] Encapsulated(string transferSyntax, params byte[][] fragments) => Identified(
        Part10File.Encapsulated(1, [], fragments.Select(f => f.Length % 2 == 0 ? f : [.. f, 0]).ToArray())
            .SetRaw(0x00020010, Part10File.Element(0x00020010, "UI", Part10File.Even(transferSyntax, '\0'))));

    private static byte[] RleHeader(params uint[] offsets) =>
        [.. Part10File.UInt((uint)offsets.Length), .. offsets.SelectMany(Part10File.UInt), .. new byte[60 - 4 * offsets.Length]];

    private static async Task<(int, string)> LengthAsync(ProxyHost proxy)
    {
        var reply = await proxy.GetAsync(Frame, AsStored);
        return (reply.Body.Length, reply.CacheStatus);
    }

    private ProxyHost Start() => new(("east", _east.Address)) { ["Cache:Disk:Path"] = Cache };
}
