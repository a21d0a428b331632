using System.IO.Compression;
using System.Text;
using Proxy.Backends.Transport;
using Proxy.Tests.Wire;
using Proxy.Wire;
using Xunit;

namespace Proxy.Tests.Backends;

public class GzipStreamTests
{
    private static readonly byte[] Text = Encoding.ASCII.GetBytes(
        string.Concat(Enumerable.Range(0, 2000).Select(i => $"slice {i * 7919 % 10_007},")));
    private static readonly byte[] Compressed = Compress(Text);

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(100_000)]
    public async Task DecompressesABody_InPiecesOfAnySize(int max) =>
        Assert.Equal(Text, await DecompressAsync(PieceStream.Random(Compressed, 1, max)));

    [Fact]
    public async Task AcceptsAnEmptyText() =>
        Assert.Empty(await DecompressAsync(new MemoryStream(Convert.FromHexString("1f8b08000000000000030300" + "0000000000000000"))));

    [Fact]
    public async Task RejectsATruncatedBody_AtEveryLength()
    {
        for (var length = 0; length < Compressed.Length; length++)
            await Assert.ThrowsAsync<MalformedAnswerException>(() => DecompressAsync(new MemoryStream(Compressed, 0, length)));
    }

    [Fact]
    public async Task RejectsATruncatedBody_WhenItArrivesByteByByte()
    {
        for (var length = Compressed.Length - 20; length < Compressed.Length; length++)
        {
            var stream = new PieceStream(Compressed.AsMemory(0, length), _ => 1);
            await Assert.ThrowsAsync<MalformedAnswerException>(() => DecompressAsync(stream));
        }
    }

    /// <summary>Zeros compress to a thousandth: a small answer could fill memory and disk.</summary>
    [Fact]
    public async Task RejectsARatioOverOneHundred_WhenTheBodyIsLarge()
    {
        Assert.Equal(16 << 20, (await DecompressAsync(new MemoryStream(Compress(new byte[16 << 20])))).Length);
        var e = await Assert.ThrowsAsync<MalformedAnswerException>(() => DecompressAsync(new MemoryStream(Compress(new byte[64 << 20]))));
        Assert.Contains("ratio of more than 100", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task RejectsAWrongChecksumOrLength()
    {
        for (var bit = 0; bit < 64; bit++)
        {
            var damaged = (byte[])Compressed.Clone();
            damaged[^(1 + bit / 8)] ^= (byte)(1 << bit % 8);
            await Assert.ThrowsAsync<MalformedAnswerException>(() => DecompressAsync(new MemoryStream(damaged)));
        }
    }

    [Fact]
    public async Task RejectsABodyThatIsNotGzip() =>
        await Assert.ThrowsAsync<MalformedAnswerException>(() => DecompressAsync(new MemoryStream(Text)));

    [Fact]
    public async Task RejectsADamagedBody()
    {
        var random = new Random(1);
        for (var i = 0; i < 300; i++)
        {
            var damaged = (byte[])Compressed.Clone();
            // Skip the header: no checksum covers its time and name.
            damaged[random.Next(10, damaged.Length)] ^= (byte)random.Next(1, 256);
            await Assert.ThrowsAsync<MalformedAnswerException>(() => DecompressAsync(new MemoryStream(damaged)));
        }
    }

    private static async Task<byte[]> DecompressAsync(Stream compressed)
    {
        await using var stream = new GzipStream(compressed);
        var text = new MemoryStream();
        await stream.CopyToAsync(text);
        return text.ToArray();
    }

    private static byte[] Compress(byte[] text)
    {
        var compressed = new MemoryStream();
        using (var gzip = new GZipStream(compressed, CompressionLevel.Fastest, leaveOpen: true)) gzip.Write(text);
        return compressed.ToArray();
    }
}
