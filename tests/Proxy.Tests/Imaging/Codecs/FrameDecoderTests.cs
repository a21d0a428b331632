using System.Buffers.Binary;
using Proxy.Imaging;
using Proxy.Imaging.Codecs;
using Proxy.Imaging.Sandbox;
using Xunit;

namespace Proxy.Tests.Imaging.Codecs;

/// <summary>Frames of independent encoders decode to what independent decoders return, and all other bytes to a reason.</summary>
public sealed class FrameDecoderTests : IDisposable
{
    private readonly CodecPool _pool = StoredCodecs.CreatePool();

    private FrameDecoder Decoder => new(_pool);

    public static TheoryData<string> Names => [.. CodedFrame.Names];

    public void Dispose() => _pool.Dispose();

    [Theory]
    [MemberData(nameof(Names))]
    public async Task DecodesTheFrameOfAnIndependentEncoder(string name)
    {
        var frame = CodedFrame.Get(name);

        var decoding = await DecodeAsync(frame, frame.Codestream);

        Assert.Null(decoding.Reason);
        Assert.Equal(frame.Photometric, decoding.Frame!.Layout.PhotometricInterpretation);
        Assert.Equal(frame.IsPlanar, decoding.Frame.Layout.IsPlanar);
        Assert.Equal(decoding.Frame.Layout.FrameLength, decoding.Frame.Bytes.Length);
        Assert.InRange(GetLargestDifference(frame, decoding.Frame.Bytes.ToArray()), 0, frame.Tolerance);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task RefusesAFrame_WhenTheDatasetDescribesAnother(string name)
    {
        var frame = CodedFrame.Get(name);

        Assert.NotNull((await DecodeAsync(frame with { Layout = frame.Layout with { Rows = 32 } }, frame.Codestream)).Reason);
        Assert.NotNull((await DecodeAsync(frame with { Layout = frame.Layout with { Columns = 1024 } }, frame.Codestream)).Reason);
        var other = frame.Layout with { SamplesPerPixel = frame.Layout.SamplesPerPixel == 1 ? 3 : 1 };
        Assert.NotNull((await DecodeAsync(frame with { Layout = other }, frame.Codestream)).Reason);
    }

    [Theory]
    [InlineData("1.2.840.10008.1.2")]
    [InlineData("1.2.840.10008.1.2.1")]
    public async Task ANativeFrameIsItself_WithoutItsPadding(string syntax)
    {
        var layout = CodedFrame.Get("rle-u8").Layout with { Rows = 3, Columns = 5 };
        var bytes = Enumerable.Range(0, 16).Select(i => (byte)i).ToArray();

        var decoding = await Decoder.DecodeAsync(syntax, layout, bytes, TestContext.Current.CancellationToken);

        Assert.Equal(bytes[..15], decoding.Frame!.Bytes.ToArray());
        Assert.NotNull((await Decoder.DecodeAsync(syntax, layout, bytes.AsMemory(2), TestContext.Current.CancellationToken)).Reason);
    }

    [Theory]
    [InlineData("1.2.840.10008.1.2.4.102")]
    [InlineData("1.2.840.10008.1.2.2")]
    [InlineData("1.2.840.10008.1.2.4.92")]
    public async Task NamesTheTransferSyntax_WhenItIsNotSupported(string syntax)
    {
        var frame = CodedFrame.Get("j2k90-u8");

        var decoding = await DecodeAsync(frame with { TransferSyntax = syntax }, frame.Codestream);

        Assert.Contains(syntax, decoding.Reason!, StringComparison.Ordinal);
        Assert.False(FrameDecoder.CanDecode(syntax));
    }

    [Fact]
    public async Task RefusesAFrameOfMoreSamplesThanMemoryAllows_BeforeItIsDecoded()
    {
        var frame = CodedFrame.Get("rle-u8");
        var layout = frame.Layout with { Rows = ushort.MaxValue, Columns = ushort.MaxValue };

        Assert.NotNull((await DecodeAsync(frame with { Layout = layout }, frame.Codestream)).Reason);
    }

    [Fact]
    public async Task ACallerThatLeaves_GetsNoFrame()
    {
        using var cancellation = new CancellationTokenSource();
        await cancellation.CancelAsync();
        var frame = CodedFrame.Get("jls80-u8");

        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => Decoder.DecodeAsync(frame.TransferSyntax, frame.Layout, frame.Codestream, cancellation.Token).AsTask());
    }

    /// <summary>A damaged frame costs its instance only: the next frame is decoded.</summary>
    [Theory]
    [InlineData("rle-rgb", 40)]
    [InlineData("jpeg50-ybr422", 12)]
    [InlineData("jpeg70-u12", 12)]
    [InlineData("jls80-u12", 8)]
    [InlineData("j2k90-u12", 8)]
    [InlineData("htj2k201-u12", 8)]
    public async Task AnyBytesGiveAFrameOrAReason(string name, int count)
    {
        var frame = CodedFrame.Get(name);
        var random = new Random(14);
        // DECODER_MUTATIONS=250 makes some 20,000 of them.
        var factor = int.TryParse(Environment.GetEnvironmentVariable("DECODER_MUTATIONS"), out var many) ? many : 1;
        for (var i = 0; i < count * factor; i++)
        {
            var decoding = await DecodeAsync(frame, Mutation.Of(frame.Codestream, random));
            Assert.True(decoding.IsDecoded ? decoding.Frame.Bytes.Length == decoding.Frame.Layout.FrameLength : decoding.Reason.Length > 0);
        }
        Assert.Null((await DecodeAsync(frame, frame.Codestream)).Reason);
    }

    private ValueTask<FrameDecoding> DecodeAsync(CodedFrame frame, ReadOnlyMemory<byte> codestream) =>
        Decoder.DecodeAsync(frame.TransferSyntax, frame.Layout, codestream, TestContext.Current.CancellationToken);

    private static int GetLargestDifference(CodedFrame frame, byte[] decoded)
    {
        Assert.Equal(frame.Oracle.Length, decoded.Length);
        if (frame.Layout.BitsAllocated == 8) return decoded.Zip(frame.Oracle, (a, b) => Math.Abs(a - b)).Max();
        return Enumerable.Range(0, decoded.Length / 2).Max(i => Math.Abs(Sample(decoded, i) - Sample(frame.Oracle, i)));

        int Sample(byte[] bytes, int i) => frame.Layout.IsSigned
            ? BinaryPrimitives.ReadInt16LittleEndian(bytes.AsSpan(2 * i))
            : BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(2 * i));
    }
}
