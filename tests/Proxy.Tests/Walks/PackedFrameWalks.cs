using System.Globalization;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Proxy.Cache;
using Proxy.Retrieve;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Uncompressed frames that are requested again: compressed after an answer, for clients that accept the coding.</summary>
public sealed class PackedFrameWalks : IAsyncDisposable
{
    private const string ExplicitLittleEndian = "1.2.840.10008.1.2.1";

    private const string Multipart = "multipart/related; type=\"application/octet-stream\"; transfer-syntax=*";

    private const string Single = "application/octet-stream; transfer-syntax=*";

    private const string Browser = "gzip, deflate, br, zstd";

    private const string Path = "/dicomweb/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1/frames/1";

    /// <summary>Compresses to much less than half.</summary>
    private static readonly byte[] Smooth = [.. Enumerable.Range(0, 300_000).Select(i => (byte)(i / 500))];

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1"));

    private readonly ProxyHost _proxy;

    public PackedFrameWalks() => _proxy = new(("east", _east.Address)) { ["Cache:Metadata:Freshness"] = "01:00:00" };

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
    }

    [Theory]
    [InlineData(Multipart, Browser, "br")]
    [InlineData(Single, Browser, "br")]
    [InlineData(Multipart, "gzip, deflate", "gzip")]
    [InlineData(Single, "br;q=0.5, gzip", "gzip")]
    public async Task ServesACompressedFrame_WhenItIsRequestedAgain(string accept, string encodings, string coding)
    {
        Hold(Smooth);

        var miss = await GetAsync(accept, encodings);
        var hit = await GetAsync(accept, encodings);
        var packed = await GetPackedAsync(accept, encodings);

        Assert.Equal(["Proxy; fwd=miss; stored", "Proxy; hit", "Proxy; hit"], [miss.CacheStatus, hit.CacheStatus, packed.CacheStatus]);
        Assert.Equal(["", "", coding], [miss["Content-Encoding"], hit["Content-Encoding"], packed["Content-Encoding"]]);
        Assert.Equal(miss.Comparable.Body, hit.Comparable.Body);
        Assert.Equal(miss.Comparable.Body, packed.Comparable.Body);
        Assert.InRange(packed.Body.Length, 1, miss.Body.Length / 2);
        Assert.Equal(packed.Body.Length.ToString(CultureInfo.InvariantCulture), packed["Content-Length"]);
        Assert.Equal(miss.Comparable["Content-Type"], packed.Comparable["Content-Type"]);
        Assert.Equal(miss["ETag"].Insert(miss["ETag"].Length - 1, "-" + coding), packed["ETag"]);
        Assert.All((Reply[])[miss, hit, packed], r => Assert.Equal("Accept, Accept-Encoding", r["Vary"]));
        Assert.Equal("private, no-cache", packed["Cache-Control"]);
        Assert.Equal("0", packed["Age"]);
        Assert.Equal(1, _east.Count("/frames/1"));
    }

    [Fact]
    public async Task SendsADifferentETag_ForEachFormAndCoding()
    {
        Hold(Smooth);
        var plain = new Dictionary<string,
        byte[]>
        { [Multipart] = (await GetAsync(Multipart)).Comparable.Body, [Single] = (await GetAsync(Single)).Body };
        Assert.Equal(Smooth, plain[Single]);
        var tags = new HashSet<string>();
        foreach (var accept in (string[])[Multipart, Single])
        {
            foreach (var coding in (string[])["gzip", "br"])
            {
                var packed = await GetPackedAsync(accept, coding);
                Assert.Equal(coding, packed["Content-Encoding"]);
                Assert.Equal(plain[accept], packed.Comparable.Body);
                Assert.True(tags.Add(packed["ETag"]));
            }
            var refused = await GetAsync(accept, "br;q=0, gzip;q=0");
            Assert.Equal("", refused["Content-Encoding"]);
            Assert.Equal(plain[accept], refused.Comparable.Body);
            Assert.True(tags.Add(refused["ETag"]));
        }
    }

    [Fact]
    public async Task AnswersHeadLikeGet()
    {
        Hold(Smooth);
        await GetAsync(Multipart, Browser);
        var packed = await GetPackedAsync(Multipart, Browser);

        var head = await _proxy.SendAsync(HttpMethod.Head, Path, [("Accept", Multipart), ("Accept-Encoding", Browser)]);

        Assert.Empty(head.Body);
        foreach (var header in (string[])["Content-Encoding", "Content-Length", "Content-Type", "ETag", "Vary"])
            Assert.Equal(packed[header], head[header]);
    }

    [Fact]
    public async Task ServesTheWholeFrame_WhenARangeIsRequested()
    {
        Hold(Smooth);
        await GetAsync(Multipart, Browser);
        var packed = await GetPackedAsync(Multipart, Browser);

        var reply = await _proxy.GetAsync(
            Path, ("Accept", Multipart), ("Accept-Encoding", Browser), ("Range", "bytes=0-99"), ("If-Range", packed["ETag"]));

        Assert.Equal(HttpStatusCode.OK, reply.Status);
        Assert.Equal(packed.Body, reply.Body);
    }

    [Fact]
    public async Task Returns304_WhenTheClientHasAnyForm()
    {
        Hold(Smooth);
        var plain = await GetAsync(Multipart, Browser);
        var before = await IfNoneAsync(plain["ETag"], Browser);
        var packed = await GetPackedAsync(Multipart, Browser);

        foreach (var tag in (string[])[plain["ETag"], packed["ETag"]])
        {
            var reply = await IfNoneAsync($"\"other\", {tag}", Browser);
            Assert.Equal((304, tag), ((int)reply.Status, reply["ETag"]));
            Assert.Empty(reply.Body);
            Assert.Equal("", reply["Content-Encoding"]);
        }
        Assert.Equal(304, (int)before.Status);
        // A client that does not accept Brotli cannot use its Brotli copy.
        Assert.Equal(200, (int)(await IfNoneAsync(packed["ETag"], "identity")).Status);
        Assert.Equal(200, (int)(await IfNoneAsync(packed["ETag"], "gzip")).Status);
        Assert.Equal(200, (int)(await IfNoneAsync("\"other\"", Browser)).Status);
        Assert.Equal(packed["ETag"], (await IfNoneAsync("*", Browser))["ETag"]);

        Task<Reply> IfNoneAsync(
            string tags, string encodings) => _proxy.GetAsync(Path, ("Accept", Multipart), ("Accept-Encoding", encodings),
            ("If-None-Match", tags));
    }

    [Fact]
    public async Task ServesUncompressedFrames_WhenCompressionIsOff()
    {
        Hold(Smooth);
        await using var proxy = new ProxyHost(("east", _east.Address)) { ["Cache:Memory:PackFrames"] = "false" };
        for (var i = 0; i < 5; i++)
        {
            var reply = await proxy.GetAsync(Path, ("Accept", Single), ("Accept-Encoding", Browser));
            Assert.Equal("", reply["Content-Encoding"]);
            Assert.Equal(Smooth, reply.Body);
        }
        Assert.Empty(proxy.Services.GetRequiredService<AnswerCache>().For<PackedFrames.Key, PackedFrames.Packed>().ReadAll());
    }

    [Fact]
    public async Task QueuesNoCompression_WhenTheClientAcceptsNoCoding()
    {
        Hold(Smooth);
        for (var i = 0; i < 5; i++) Assert.Equal("", (await GetAsync(Multipart))["Content-Encoding"]);

        Assert.Empty(Stored);
    }

    [Theory]
    [InlineData("application/octet-stream; transfer-syntax=1.2.840.10008.1.2.4.80", 300_000)]
    [InlineData("image/jls; transfer-syntax=1.2.840.10008.1.2.4.80", 300_000)]
    [InlineData("application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1", 4095)]
    public async Task QueuesNoCompression_WhenTheFrameIsCompressedOrSmall(string type, int bytes)
    {
        byte[] start = type.EndsWith(".80", StringComparison.Ordinal) ? [0xFF, 0xD8, 0xFF, 0xF7] : [];
        Hold([.. start, .. Smooth[start.Length..bytes]], type);
        for (var i = 0; i < 5; i++) Assert.Equal("", (await GetAsync(Multipart, Browser))["Content-Encoding"]);

        Assert.Empty(Stored);
    }

    [Fact]
    public async Task MarksAFrameAndDoesNotRetry_WhenCompressionSavesTooLittle()
    {
        var noise = Pixels.Create("noise", 300_000);
        Hold(noise);
        await GetAsync(Single, Browser);
        await GetAsync(Single, Browser);
        await Until.TrueAsync(() => Stored.Count == 1);
        var mark = Assert.Single(Stored);

        for (var i = 0; i < 3; i++)
        {
            var reply = await GetAsync(Single, Browser);
            Assert.Equal("", reply["Content-Encoding"]);
            Assert.Equal(noise, reply.Body);
        }
        Assert.Null(mark.Body);
        Assert.Same(mark, Assert.Single(Stored));
    }

    [Fact]
    public async Task DoesNotCompressAnswersWithSeveralFrames()
    {
        _east.Archive.Hold(new HeldStudy("1.2.1").With(new HeldSeries("1.2.1.1", "CT", 1) { Frames = 2, FrameBytes = 10_000 }));
        foreach (var frame in (string[])["1", "2"])
            _east.Respond(
                Archive.Multipart($"application/octet-stream; transfer-syntax={ExplicitLittleEndian}", Smooth), "/frames/" + frame);
        for (var i = 0; i < 5; i++)
        {
            var reply = await _proxy.GetAsync(Path + ",2", ("Accept", Multipart), ("Accept-Encoding", Browser));
            Assert.Equal("", reply["Content-Encoding"]);
            Assert.Equal("Accept, Accept-Encoding", reply["Vary"]);
            Assert.Equal(2, Parts.Read(reply).Count);
        }
        Assert.Empty(Stored);
    }

    [Fact]
    public async Task PurgesEveryForm()
    {
        Hold(Smooth);
        await GetAsync(Single, Browser);
        await GetPackedAsync(Single, Browser);
        byte[] other = [.. Smooth.Reverse()];
        Hold(other);

        await _proxy.SendAsync(HttpMethod.Delete, "/cache/studies/1.2.1", []);

        Assert.Empty(Stored);
        Assert.Equal(other, (await GetAsync(Single, Browser)).Body);
        Assert.Equal(other, (await GetPackedAsync(Single, Browser)).Unpacked);
    }

    [Fact]
    public async Task DoesNotServeACompressedFrame_WhenItsEntryIsNotCached()
    {
        Hold(Smooth);
        await GetAsync(Single, Browser);
        await GetPackedAsync(Single, Browser);
        byte[] other = [.. Smooth.Reverse()];
        Hold(other);

        // As if the series was removed or changed: the compressed frame remains but belongs to an outdated body.
        await _proxy.Services.GetRequiredService<EntryCache>().RemoveAsync(new Removal("east"));

        Assert.Single(Stored);
        var miss = await GetAsync(Single, Browser);
        Assert.Equal(("Proxy; fwd=miss; stored", ""), (miss.CacheStatus, miss["Content-Encoding"]));
        Assert.Equal(other, miss.Body);
        Assert.Equal(other, (await GetAsync(Single, Browser)).Unpacked);
        Assert.Equal(other, (await GetPackedAsync(Single, Browser)).Unpacked);
    }

    [Fact]
    public async Task QueuesOneCompression_WhenManyClientsAskAtOnce()
    {
        Hold(Smooth);
        await GetAsync(Single, Browser);

        var replies = await Task.WhenAll(Enumerable.Range(0, 30).Select(_ => GetAsync(Single, Browser)));

        Assert.All(replies, r => Assert.Equal(Smooth, r.Unpacked));
        await GetPackedAsync(Single, Browser);
        Assert.Single(Stored);
    }

    private List<PackedFrames.Packed> Stored =>
        [.. _proxy.Services.GetRequiredService<AnswerCache>().For<PackedFrames.Key, PackedFrames.Packed>().ReadAll().Select(p => p.Value)];

    private void Hold(byte[] pixels, string type = $"application/octet-stream; transfer-syntax={ExplicitLittleEndian}")
    {
        _east.Recover();
        _east.Respond(Archive.Multipart(type, pixels), "/frames/1");
    }

    /// <summary>Requests the frame until the answer is compressed.</summary>
    private async Task<Reply> GetPackedAsync(string accept, string encodings)
    {
        Reply? reply = null;
        await Until.TrueAsync(async () => (reply = await GetAsync(accept, encodings))["Content-Encoding"].Length > 0);
        return reply!;
    }

    private Task<Reply> GetAsync(string accept, string? encodings = null) =>
        _proxy.GetAsync(Path, encodings is null ? [("Accept", accept)] : [("Accept", accept), ("Accept-Encoding", encodings)]);
}
