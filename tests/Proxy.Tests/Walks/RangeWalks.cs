using System.Globalization;
using System.Text;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Requests for a part of a body: bulk data, an instance, a frame, a video.</summary>
public sealed class RangeWalks : IDisposable
{
    private const string Series = "/dicomweb/studies/1.2.1/series/1.2.1.1";
    private const string Instance = Series + "/instances/1.2.1.1.1";
    private const string Frame = Instance + "/frames/1";
    private const string Mp4 = "1.2.840.10008.1.2.4.102";

    private static readonly (string, string) Octets = ("Accept", "application/octet-stream");
    private static readonly (string, string) File = ("Accept", "application/dicom; transfer-syntax=*");
    private static readonly byte[] Bulk = Archive.GetBulkData("1.2.1.1.1", "7fe00010");

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1"));

    private readonly ProxyHost _proxy;

    public RangeWalks() => _proxy = new(("east", _east.Address));

    public void Dispose()
    {
        _proxy.Dispose();
        _east.Dispose();
    }

    [Fact]
    public async Task ServesARangeOfBulkData_ColdAndWarm_WithOneWholeRequestToThePacs()
    {
        var address = await GetAddressAsync();

        var cold = await _proxy.GetAsync(address, ("Range", "bytes=0-5"));
        await Until.TrueAsync(async () => (await _proxy.GetAsync(address, ("Range", "bytes=-6"))).CacheStatus == "Proxy; hit");
        var warm = await _proxy.GetAsync(address, ("Range", "bytes=2994-"));
        var whole = await _proxy.GetAsync(address);

        AssertRange(cold, Bulk, 0, 5);
        Assert.Equal("Proxy; fwd=miss; stored", cold.CacheStatus);
        AssertRange(warm, Bulk, 2994, 2999);
        Assert.Equal((200, "bytes", Bulk.Length), ((int)whole.Status, whole["Accept-Ranges"], whole.Body.Length));
        Assert.Equal(whole["ETag"], cold["ETag"]);
        var asked = Assert.Single(_east.Requests, r => r.Path.EndsWith("/bulk/7fe00010", StringComparison.Ordinal));
        Assert.DoesNotContain("Range", asked.Headers.Keys);
    }

    [Theory]
    [InlineData("bytes=3000-")]
    [InlineData("bytes=-0")]
    [InlineData("bytes=5000-6000, 7000-")]
    public async Task Returns416_WhenNoRangeOverlapsTheBody(string range)
    {
        var address = await GetAddressAsync();

        var cold = await _proxy.GetAsync(address, ("Range", range));
        await _proxy.GetAsync(address);
        var warm = await _proxy.GetAsync(address, ("Range", range));

        Assert.All((Reply[])[cold, warm], reply =>
        {
            reply.IsProblem(416, "3000 bytes");
            Assert.Equal("bytes */3000", reply["Content-Range"]);
        });
    }

    [Theory]
    [InlineData("items=0-5")]
    [InlineData("bytes=5-0")]
    [InlineData("bytes=x")]
    public async Task ServesTheWholeBody_WhenTheRangeIsInvalid(string range)
    {
        var reply = await _proxy.GetAsync(await GetAddressAsync(), ("Range", range));

        Assert.Equal((200, ""), ((int)reply.Status, reply["Content-Range"]));
        Assert.Equal(Bulk, reply.Body);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ServesSeveralRanges_AsMultipartByteRanges(bool isWarm)
    {
        var address = await GetAddressAsync();
        if (isWarm) await _proxy.GetAsync(address);

        var reply = await _proxy.GetAsync(address, ("Range", "bytes=2000-2009, 0-4, 2005-2019, 9000-"));

        Assert.Equal(206, (int)reply.Status);
        Assert.Equal("", reply["Content-Range"]);
        Assert.Equal(reply["Content-Length"], reply.Body.Length.ToString(CultureInfo.InvariantCulture));
        var parts = ReadRanges(reply);
        Assert.Equal(["bytes 0-4/3000", "bytes 2000-2019/3000"], parts.Select(p => p.Range));
        Assert.Equal([Bulk[..5], Bulk[2000..2020]], parts.Select(p => p.Bytes));
        Assert.All(parts, p => Assert.Contains("Content-Type: application/octet-stream\r\n", p.Head + "\r\n"));
    }

    [Fact]
    public async Task ServesTheRange_OnlyIfTheClientHasThisVersion()
    {
        var address = await GetAddressAsync();
        var tag = (await _proxy.GetAsync(address))["ETag"];

        Assert.Equal(206, await GetStatusAsync(tag));
        foreach (var other in (string[])["\"other\"", $"W/{tag}", "*", "Wed, 21 Oct 2026 07:28:00 GMT", "x"])
            Assert.Equal(200, await GetStatusAsync(other));
        // The client has the whole body: its range needs no answer (RFC 9110 §13.2.2).
        Assert.Equal(304, (int)(await _proxy.GetAsync(address, ("Range", "bytes=0-5"), ("If-None-Match", tag))).Status);

        async Task<int> GetStatusAsync(string version) =>
            (int)(await _proxy.GetAsync(address, ("Range", "bytes=0-5"), ("If-Range", version))).Status;
    }

    [Fact]
    public async Task ServesNoRange_ToHeadOrOfAMultipartAnswer()
    {
        var address = await GetAddressAsync();

        var head = await _proxy.SendAsync(HttpMethod.Head, address, [("Range", "bytes=0-5")]);
        var multipart = await _proxy.GetAsync(
            address, ("Range", "bytes=0-5"), ("Accept", "multipart/related; type=\"application/octet-stream\""));

        Assert.Equal((200, "bytes", "3000"), ((int)head.Status, head["Accept-Ranges"], head["Content-Length"]));
        Assert.Equal((200, ""), ((int)multipart.Status, multipart["Accept-Ranges"]));
        Assert.Equal(Bulk, Assert.Single(Parts.Read(multipart)).Body);
    }

    [Theory]
    [InlineData(Instance)]
    [InlineData("/dicomweb?requestType=WADO&studyUID=1.2.1&seriesUID=1.2.1.1&objectUID=1.2.1.1.1&transferSyntax=*")]
    public async Task ServesARangeOfAnInstance(string address)
    {
        var file = Archive.GetFile("1.2.1.1.1");

        AssertRange(await _proxy.GetAsync(address, File, ("Range", "bytes=128-131")), file, 128, 131);
        AssertRange(await _proxy.GetAsync(address, File, ("Range", "bytes=-100")), file, file.Length - 100, file.Length - 1);
        await Until.TrueAsync(async () => (await _proxy.GetAsync(address, File)).CacheStatus == "Proxy; hit");
        AssertRange(await _proxy.GetAsync(address, File, ("Range", "bytes=128-131")), file, 128, 131);
    }

    [Fact]
    public async Task ServesARangeOfTheUncompressedBytes_WhenAFrameIsAlsoStoredCompressed()
    {
        const string Explicit = "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1";
        _east.Respond(Archive.Multipart(Explicit, new byte[64 * 64 * 2]), "/frames/1");
        await Until.TrueAsync(
            async () => (await _proxy.GetAsync(Frame, Octets, ("Accept-Encoding", "gzip")))["Content-Encoding"] == "gzip");

        var reply = await _proxy.GetAsync(Frame, Octets, ("Accept-Encoding", "gzip"), ("Range", "bytes=10-19"));

        Assert.Equal("", reply["Content-Encoding"]);
        AssertRange(reply, new byte[64 * 64 * 2], 10, 19);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task PlaysAVideo_WithTheRequestsOfABrowser(bool isSeekable)
    {
        var video = (byte[])[0, 0, 0, 32, .. "ftypisom"u8, .. Pixels.Create("video", 3_000_000)];
        _east.Respond(Archive.Multipart($"video/mp4; transfer-syntax={Mp4}", video), "/frames/1");
        var address = Frame + "?accept=video/mp4";
        (string, string)[] play = [("Accept", "*/*"), ("Accept-Encoding", "identity;q=1, *;q=0"), ("Range", "bytes=0-")];

        // Chromium opens the video from its start, closes that request, and looks for the index at the end.
        using (var opened = await _proxy.OpenAsync(address, play))
        {
            Assert.Equal(206, (int)opened.StatusCode);
            Assert.Equal($"bytes 0-{video.Length - 1}/{video.Length}", opened.Content.Headers.ContentRange!.ToString());
            Assert.Equal("video/mp4", opened.Content.Headers.ContentType!.MediaType);
            if (isSeekable) await opened.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken);
        }
        AssertRange(
            await _proxy.GetAsync(address, ("Range", $"bytes={video.Length - 1000}-")), video, video.Length - 1000, video.Length - 1);
        AssertRange(await _proxy.GetAsync(address, ("Range", "bytes=1500000-2499999")), video, 1_500_000, 2_499_999);
    }

    [Fact]
    public async Task StoresNothing_WhenThePacsAnswersWithAPart()
    {
        var address = await GetAddressAsync();
        var part = new PacsAnswer(206, "application/octet-stream", Bulk[..6]) { Headers = [("Content-Range", "bytes 0-5/3000")] };
        _east.Respond(part, "/bulk/7fe00010");

        Assert.Equal(502, (int)(await _proxy.GetAsync(address, ("Range", "bytes=0-5"))).Status);
        Assert.Equal(502, (int)(await _proxy.GetAsync(address)).Status);

        _east.Recover();
        Assert.Equal(Bulk, (await _proxy.GetAsync(address)).Body);
    }

    private static void AssertRange(Reply reply, byte[] whole, int first, int last)
    {
        Assert.True(206 == (int)reply.Status, $"{(int)reply.Status}: {Encoding.Latin1.GetString(reply.Body)}");
        Assert.Equal($"bytes {first}-{last}/{whole.Length}", reply["Content-Range"]);
        Assert.Equal("bytes", reply["Accept-Ranges"]);
        Assert.Equal(whole[first..(last + 1)], reply.Body);
    }

    private static List<(string Range, string Head, byte[] Bytes)> ReadRanges(Reply reply)
    {
        Assert.StartsWith("multipart/byteranges; boundary=", reply["Content-Type"]);
        var delimiter = "--" + reply["Content-Type"].Split("boundary=")[1];
        var text = Encoding.Latin1.GetString(reply.Body);
        Assert.StartsWith(delimiter + "\r\n", text);
        Assert.EndsWith($"\r\n{delimiter}--\r\n", text);
        return [.. text[(delimiter.Length + 2)..^(delimiter.Length + 6)].Split($"\r\n{delimiter}\r\n").Select(part =>
        {
            var (head, body) = part.Split("\r\n\r\n", 2) is [var h, var b] ? (h, b) : ("", "");
            return (head.Split("Content-Range: ")[1].Split("\r\n")[0], head, Encoding.Latin1.GetBytes(body));
        })];
    }

    private async Task<string> GetAddressAsync()
    {
        var metadata = await _proxy.GetAsync(Series + "/metadata");
        return ((string)metadata.Rows[0]!["7FE00010"]!["BulkDataURI"]!)[_proxy.Address.Length..];
    }
}
