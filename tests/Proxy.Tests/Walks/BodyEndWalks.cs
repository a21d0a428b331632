using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>A body of one part is complete if its length, its chunks or the pixel count of its metadata prove it.</summary>
public sealed class BodyEndWalks : IDisposable
{
    private const string Series = "/dicomweb/studies/1.2.1/series/1.2.1.1";

    private const string Frame = Series + "/instances/1.2.1.1.1/frames/1";

    private static readonly (string, string) AsStored = ("Accept", "application/octet-stream; transfer-syntax=*");

    /// <summary>As many bytes as the metadata says, and more than the proxy buffers before it answers.</summary>
    private static readonly byte[] Native = Pixels.Create("native", 200 * 300 * 2);

    private readonly RawPacs _east = new(new HeldStudy("1.2.1").With(new HeldSeries("1.2.1.1", "CT", 1) { Image = (200, 300, 1, 16) }));

    private readonly ProxyHost _proxy;

    public BodyEndWalks() => _proxy = new(("east", _east.Address));

    public void Dispose()
    {
        _proxy.Dispose();
        _east.Dispose();
    }

    [Theory]
    [InlineData("application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1")]
    [InlineData("image/jls; transfer-syntax=1.2.840.10008.1.2.4.80")]
    public async Task AcceptsChunks_WhenTheLastChunkArrives(string type)
    {
        var bytes = type.StartsWith("image/jls", StringComparison.Ordinal)
            ? Pixels.In(HeldSeries.StoredTransferSyntax, "chunks", 3000)
            : Native;
        Answer(type, "Transfer-Encoding: chunked", async c =>
        {
            await SendChunkAsync(c, bytes[..1000]);
            await SendChunkAsync(c, bytes[1000..]);
            await c.SendAsync("0\r\n\r\n");
        });

        Assert.Equal(bytes, (await _proxy.GetAsync(Frame, AsStored)).Body);
        Assert.Equal("Proxy; hit", (await _proxy.GetAsync(Frame, AsStored)).CacheStatus);
    }

    [Theory]
    [InlineData(3000)]
    [InlineData(100_000)]
    public async Task RejectsChunks_WhenTheLastChunkIsMissing(int bytes)
    {
        Answer("image/jls; transfer-syntax=1.2.840.10008.1.2.4.80", "Transfer-Encoding: chunked", async c =>
        {
            await SendChunkAsync(c, Pixels.In(HeldSeries.StoredTransferSyntax, "chunks", bytes));
            c.Close();
        });

        await AssertIncompleteAsync();
    }

    [Fact]
    public async Task AcceptsABodyThatTheConnectionEnds_WhenItHasTheBytesThatTheMetadataSays()
    {
        await _proxy.GetAsync(Series + "/metadata");
        Answer("application/octet-stream", "Connection: close", async c =>
        {
            await c.SendAsync(Native);
            c.Close();
        });

        Assert.Equal(Native, (await _proxy.GetAsync(Frame, AsStored)).Body);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1000)]
    [InlineData(100_000)]
    public async Task RejectsABodyThatTheConnectionEnds_WhenItHasFewerBytesThanTheMetadataSays(int bytes)
    {
        await _proxy.GetAsync(Series + "/metadata");
        Answer("application/octet-stream", "Connection: close", async c =>
        {
            await c.SendAsync(Native[..bytes]);
            c.Close();
        });

        await AssertIncompleteAsync();
    }

    [Fact]
    public async Task RejectsACompressedFrame_WhenOnlyTheConnectionEndsIt()
    {
        Answer("image/jls; transfer-syntax=1.2.840.10008.1.2.4.80", "Connection: close", async c =>
        {
            await c.SendAsync(Pixels.In(HeldSeries.StoredTransferSyntax, "close", 3000));
            c.Close();
        });

        (await _proxy.GetAsync(Frame, AsStored)).IsProblem(502);
    }

    [Theory]
    [InlineData(1000)]
    [InlineData(100_000)]
    public async Task RejectsAPartWithoutALength_WhenItIsTooShort(int bytes)
    {
        await _proxy.GetAsync(Series + "/metadata");
        Answer("multipart/related; type=\"application/octet-stream\"; boundary=b", "Connection: close", async c =>
        {
            await c.SendAsync("--b\r\nContent-Type: application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1\r\n\r\n");
            await c.SendAsync(Native[..bytes]);
            await c.SendAsync("\r\n--b--\r\n");
            c.Close();
        });

        await AssertIncompleteAsync();
    }

    /// <summary>The client gets a 502 or a broken connection, and the next request asks the PACS again.</summary>
    private async Task AssertIncompleteAsync()
    {
        try
        {
            (await _proxy.GetAsync(Frame, AsStored)).IsProblem(502);
        }
        catch (HttpRequestException)
        {
            // The proxy had already sent the first bytes.
        }
        _east.Recover();
        Assert.Equal("Proxy; fwd=miss; stored", (await _proxy.GetAsync(Frame, AsStored)).CacheStatus);
    }

    private void Answer(string type, string header, Func<RawConnection, Task> body) => _east.On("/frames/1", async c =>
    {
        await c.SendAsync($"HTTP/1.1 200 OK\r\nContent-Type: {type}\r\n{header}\r\n\r\n");
        await body(c);
    });

    private static async Task SendChunkAsync(RawConnection connection, byte[] bytes)
    {
        await connection.SendAsync($"{bytes.Length:x}\r\n");
        await connection.SendAsync(bytes);
        await connection.SendAsync("\r\n");
    }
}
