using System.Buffers.Binary;
using Proxy.Imaging;
using Proxy.Imaging.Codecs;
using Proxy.Imaging.Sandbox;
using Proxy.Wire;
using Xunit;

namespace Proxy.Tests.Imaging.Codecs;

/// <summary>What is encoded decodes to the same bytes; frames that viewers would decode differently are refused with a reason.</summary>
public sealed class FrameEncoderTests : IDisposable
{
    private readonly CodecPool _pool = StoredCodecs.CreatePool();

    private FrameEncoder Encoder => new(_pool, new(_pool));

    public static TheoryData<string> Syntaxes => [FrameEncoder.JpegLs, FrameEncoder.HtJpeg2000];

    public void Dispose() => _pool.Dispose();

    [Theory]
    [MemberData(nameof(Syntaxes))]
    public async Task DecodesToTheSameBytes_WhateverTheSizeAndTheSamples(string syntax)
    {
        var random = new Random(80);
        foreach (var (allocated, stored, isSigned) in ((int, int, bool)[])
            [(8, 8, false), (16, 8, false), (16, 10, false), (16, 12, false), (16, 12, true), (16, 16, false), (16, 16, true)])
        {
            foreach (var (rows, columns) in ((int, int)[])
                [(1, 1), (3, 1), (7, 5), (64, 65), (random.Next(1, 90), random.Next(1, 90))])
            {
                var layout = Describe(rows, columns, allocated, stored, isSigned);
                foreach (var noise in (int[])[6, 1 << stored])
                {
                    var frame = Draw(layout, noise, random);

                    var encoding = await EncodeAsync(syntax, layout, frame);

                    Assert.True(encoding.IsEncoded, $"{rows} × {columns}, {stored} of {allocated}, {isSigned}, {noise}: {encoding.Reason}");
                    var decoding = await new FrameDecoder(_pool).DecodeAsync(
                        syntax, layout, encoding.Codestream, TestContext.Current.CancellationToken);
                    Assert.Equal(frame, decoding.Frame!.Bytes.ToArray());
                }
            }
        }
    }

    [Theory]
    [InlineData(FrameEncoder.JpegLs, 12, false, 12, false)]
    [InlineData(FrameEncoder.JpegLs, 12, true, 16, false)]
    [InlineData(FrameEncoder.HtJpeg2000, 12, false, 16, false)]
    [InlineData(FrameEncoder.HtJpeg2000, 12, true, 16, true)]
    public async Task WritesThePrecisionThatViewersExpect(string syntax, int stored, bool isSigned, int precision, bool hasSign)
    {
        var layout = Describe(40, 50, 16, stored, isSigned);

        var encoding = await EncodeAsync(syntax, layout, Draw(layout, 6, new(1)));

        var coding = syntax == FrameEncoder.JpegLs ? PixelCoding.Jpeg : PixelCoding.Jpeg2000;
        var header = CodestreamHeader.Read(coding, encoding.Codestream)!;
        Assert.Equal((50, 40, precision, hasSign), (header.Columns, header.Rows, header.Precision, header.IsSigned));
    }

    [Theory]
    [MemberData(nameof(Syntaxes))]
    public async Task EncodesColours(string syntax)
    {
        var layout = Describe(31, 45, 8, 8, false) with { SamplesPerPixel = 3, PhotometricInterpretation = "RGB" };
        var frame = Draw(layout, 20, new(3));

        var encoding = await EncodeAsync(syntax, layout, frame);

        var decoding = await new FrameDecoder(_pool).DecodeAsync(
            syntax, layout, encoding.Codestream, TestContext.Current.CancellationToken);
        Assert.Equal(frame, decoding.Frame!.Bytes.ToArray());
        Assert.False(decoding.Frame.Layout.IsPlanar);
    }

    [Fact]
    public async Task RefusesOtherFrames()
    {
        var grey = Describe(8, 8, 16, 12, false);
        var colour = Describe(8, 8, 8, 8, false) with { SamplesPerPixel = 3, PhotometricInterpretation = "RGB" };

        foreach (var layout in (PixelLayout[])
            [
                grey with { BitsAllocated = 1, BitsStored = 1, HighBit = 0 }, grey with { BitsAllocated = 32 },
                grey with { HighBit = 15 }, grey with { PhotometricInterpretation = "PALETTE COLOR" },
                grey with { BitsAllocated = 8, BitsStored = 8, HighBit = 7, IsSigned = true }, colour with { IsPlanar = true },
                colour with { PhotometricInterpretation = "YBR_FULL_422" }, colour with { PhotometricInterpretation = "YBR_FULL" },
                colour with { BitsAllocated = 16 }, grey with { Rows = 65_535, Columns = 65_535 },
            ])
            Assert.NotNull((await EncodeAsync(FrameEncoder.JpegLs, layout, new byte[Math.Min(layout.FrameLength, 1024)])).Reason);
        Assert.Contains(".90", (await EncodeAsync("1.2.840.10008.1.2.4.90", grey, new byte[128])).Reason!, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Syntaxes))]
    public async Task RefusesAFrameThatItsMetadataDoesNotDescribe(string syntax)
    {
        var layout = Describe(8, 8, 16, 12, false);

        Assert.Contains("126 bytes", (await EncodeAsync(syntax, layout, new byte[126])).Reason!, StringComparison.Ordinal);
    }

    /// <summary>An overlay in the unused bits (PS3.5 §8.1.2, retired) would be lost.</summary>
    [Fact]
    public async Task RefusesSamplesWithBitsAboveTheStoredOnes()
    {
        var layout = Describe(8, 8, 16, 12, false);
        var frame = Draw(layout, 6, new(2));
        frame[1] |= 0x80;

        Assert.NotNull((await EncodeAsync(FrameEncoder.JpegLs, layout, frame)).Reason);
    }

    private ValueTask<FrameEncoding> EncodeAsync(string syntax, PixelLayout layout, byte[] frame) =>
        Encoder.EncodeAsync(syntax, layout, frame, TestContext.Current.CancellationToken);

    private static PixelLayout Describe(int rows, int columns, int allocated, int stored, bool isSigned) => new()
    {
        Rows = rows,
        Columns = columns,
        SamplesPerPixel = 1,
        PhotometricInterpretation = "MONOCHROME2",
        BitsAllocated = allocated,
        BitsStored = stored,
        HighBit = stored - 1,
        IsSigned = isSigned,
    };

    /// <summary>A gradient over all values of the layout, with noise.</summary>
    private static byte[] Draw(PixelLayout layout, int noise, Random random)
    {
        var (size, range) = (layout.BitsAllocated / 8, 1 << layout.BitsStored);
        var frame = new byte[layout.FrameLength];
        var count = frame.Length / size;
        for (var i = 0; i < count; i++)
        {
            var value = (int)((long)i * range / count + random.Next(noise + 1)) % range - (layout.IsSigned ? range / 2 : 0);
            if (size == 1) frame[i] = (byte)value;
            else BinaryPrimitives.WriteInt16LittleEndian(frame.AsSpan(2 * i), (short)value);
        }
        return frame;
    }
}
