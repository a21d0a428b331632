using Proxy.Imaging.Sandbox;
using Proxy.Wire;

namespace Proxy.Imaging.Codecs;

/// <summary>Encodes one uncompressed frame without loss, in JPEG-LS or HTJ2K.</summary>
/// <remarks>
/// <code>
/// 1 frames that viewers would decode differently are refused: single bits, palettes, planes, floats, 32 bits
/// 2 the codec runs in the sandbox (CodecPool)
/// 3 the header of the codestream is read here and compared with the dataset
/// 4 the codestream is decoded, and must be the frame byte for byte: bits above Bits Stored, such as overlays, would be lost
/// </code>
/// </remarks>
public sealed class FrameEncoder
{
    /// <summary>JPEG-LS Lossless (PS3.5 §A.4.3).</summary>
    public const string JpegLs = "1.2.840.10008.1.2.4.80";

    /// <summary>High-Throughput JPEG 2000, lossless only (PS3.5 §A.4.12).</summary>
    public const string HtJpeg2000 = "1.2.840.10008.1.2.4.201";

    private readonly CodecPool _pool;
    private readonly FrameDecoder _decoder;

    internal FrameEncoder(CodecPool pool, FrameDecoder decoder) => (_pool, _decoder) = (pool, decoder);

    /// <summary>Why frames of this layout are not encoded; null when they are.</summary>
    /// <param name="layout">The Image Pixel module of the instance.</param>
    public static string? FindRefusal(PixelLayout layout) =>
        layout.BitsAllocated is not (8 or 16) ? $"it has {layout.BitsAllocated} bits per sample"
        : layout.HighBit != layout.BitsStored - 1 ? $"its high bit is {layout.HighBit}"
        : layout is { IsSigned: true, BitsAllocated: 8 } ? "it has signed samples of 8 bits"
        : (long)layout.Rows * layout.Columns * layout.SamplesPerPixel > FrameDecoder.MaxSamples
            ? $"it has more than {FrameDecoder.MaxSamples} samples"
        : layout switch
        {
            { SamplesPerPixel: 1, PhotometricInterpretation: "MONOCHROME1" or "MONOCHROME2" } => null,
            { SamplesPerPixel: 3, PhotometricInterpretation: "RGB", BitsAllocated: 8, BitsStored: 8, IsPlanar: false } => null,
            _ => $"its photometric interpretation {layout.PhotometricInterpretation} is not encoded in this form",
        };

    /// <summary>Encodes a frame.</summary>
    /// <param name="transferSyntax"><see cref="JpegLs"/> or <see cref="HtJpeg2000"/>.</param>
    /// <param name="layout">The Image Pixel module of its instance.</param>
    /// <param name="frame">The whole frame, little endian, with or without the padding to an even length.</param>
    /// <param name="cancellation">Ends the wait; an encoder that runs already ends by itself.</param>
    public async ValueTask<FrameEncoding> EncodeAsync(
        string transferSyntax, PixelLayout layout, ReadOnlyMemory<byte> frame, CancellationToken cancellation)
    {
        // 1
        if (transferSyntax is not (JpegLs or HtJpeg2000))
            return FrameEncoding.NotEncoded($"transfer syntax {transferSyntax} is not written");
        if (FindRefusal(layout) is { } refusal) return FrameEncoding.NotEncoded(refusal);
        var native = await _decoder.DecodeAsync(Dicom.BodyFormat.ExplicitLittleEndian, layout, frame, cancellation);
        if (!native.IsDecoded) return FrameEncoding.NotEncoded(native.Reason);
        var samples = native.Frame.Bytes;
        // 2
        var seen = GetSeenLayout(transferSyntax, layout);
        var outcome = await _pool.RunAsync(new($"Encode{CodecOf.Find(transferSyntax)}", seen, samples), cancellation);
        if (outcome.Bytes is not { } codestream) return FrameEncoding.NotEncoded(outcome.Reason!);
        // 3
        var coding = transferSyntax == JpegLs ? PixelCoding.Jpeg : PixelCoding.Jpeg2000;
        if (CodestreamHeader.Read(coding, codestream) is not { } header || header.FindDisagreement(layout) is not null
            || header.Precision != seen.BitsAllocated || header.IsPlanar
            || header.IsSigned != (layout.IsSigned && transferSyntax == HtJpeg2000))
            return FrameEncoding.NotEncoded("the codec described another frame");
        // 4
        var decoding = await _decoder.DecodeAsync(transferSyntax, layout, codestream, cancellation);
        return decoding.IsDecoded && decoding.Frame.Bytes.Span.SequenceEqual(samples.Span)
            ? FrameEncoding.Encoded(codestream)
            : FrameEncoding.NotEncoded("its codestream would not be the same frame");
    }

    /// <summary>The layout that makes the codec code each sample as viewers expect it.</summary>
    /// <remarks>
    /// JPEG-LS has no signed samples: viewers take its bits as they are, so signed samples are coded in their whole container, and
    /// unsigned ones in the stored bits. HTJ2K is coded in the whole container, with its sign.
    /// </remarks>
    private static PixelLayout GetSeenLayout(string transferSyntax, PixelLayout layout)
    {
        var isNarrow = transferSyntax == JpegLs && layout is { IsSigned: false, BitsStored: > 8 };
        var bits = isNarrow ? layout.BitsStored : layout.BitsAllocated;
        return layout with { BitsAllocated = bits, BitsStored = bits, HighBit = bits - 1 };
    }
}
