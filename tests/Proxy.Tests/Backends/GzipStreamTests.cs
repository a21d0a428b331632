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
    private static readonly byte[] Packed = Pack(Text);

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(100_000)]
    public async Task AWholeBodyIsUnpacked_HoweverItArrives(int most) =>
        Assert.Equal(Text, await UnpackAsync(PieceStream.Random(Packed, 1, most)));

    [Fact]
    public async Task AnEmptyTextIsWhole() =>
        Assert.Empty(await UnpackAsync(new MemoryStream(Convert.FromHexString("1f8b08000000000000030300" + "0000000000000000"))));

    [Fact]
    public async Task ABodyThatIsCutAnywhereIsMalformed()
    {
        for (var length = 0; length < Packed.Length; length++)
            await Assert.ThrowsAsync<MalformedAnswerException>(() => UnpackAsync(new MemoryStream(Packed, 0, length)));
    }

    [Fact]
    public async Task ABodyThatIsCutAndArrivesByteByByteIsMalformed()
    {
        for (var length = Packed.Length - 20; length < Packed.Length; length++)
            await Assert.ThrowsAsync<MalformedAnswerException>(() => UnpackAsync(new PieceStream(Packed.AsMemory(0, length), _ => 1)));
    }

    /// <summary>Zeros shrink to a thousandth: a small answer that would fill memory and disk.</summary>
    [Fact]
    public async Task WhatGrowsToMoreThanAHundredTimesItsSizeIsRefused()
    {
        Assert.Equal(16 << 20, (await UnpackAsync(new MemoryStream(Pack(new byte[16 << 20])))).Length);
        var e = await Assert.ThrowsAsync<MalformedAnswerException>(() => UnpackAsync(new MemoryStream(Pack(new byte[64 << 20]))));
        Assert.Contains("hundred times", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AWrongChecksumOrLengthIsMalformed()
    {
        for (var bit = 0; bit < 64; bit++)
        {
            var damaged = (byte[])Packed.Clone();
            damaged[^(1 + bit / 8)] ^= (byte)(1 << bit % 8);
            await Assert.ThrowsAsync<MalformedAnswerException>(() => UnpackAsync(new MemoryStream(damaged)));
        }
    }

    [Fact]
    public async Task WhatIsNotGzipIsMalformed() =>
        await Assert.ThrowsAsync<MalformedAnswerException>(() => UnpackAsync(new MemoryStream(Text)));

    [Fact]
    public async Task ADamagedBodyIsMalformed()
    {
        var random = new Random(1);
        for (var i = 0; i < 300; i++)
        {
            var damaged = (byte[])Packed.Clone();
            // Behind the header, whose time and name nothing vouches for.
            damaged[random.Next(10, damaged.Length)] ^= (byte)random.Next(1, 256);
            await Assert.ThrowsAsync<MalformedAnswerException>(() => UnpackAsync(new MemoryStream(damaged)));
        }
    }

    private static async Task<byte[]> UnpackAsync(Stream packed)
    {
        await using var stream = new GzipStream(packed);
        var text = new MemoryStream();
        await stream.CopyToAsync(text);
        return text.ToArray();
    }

    private static byte[] Pack(byte[] text)
    {
        var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true)) gzip.Write(text);
        return packed.ToArray();
    }
}
