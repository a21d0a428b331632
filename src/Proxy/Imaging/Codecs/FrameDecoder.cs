using System.Buffers.Binary;
using Proxy.Imaging.Sandbox;
using Proxy.Wire;

namespace Proxy.Imaging.Codecs;

/// <summary>Decodes one frame of any transfer syntax that <see cref="CanDecode"/> names.</summary>
/// <remarks>
/// <code>
/// 1 uncompressed frames and RLE are decoded in managed code
/// 2 the header of the codestream is read here and compared with the dataset: a decoder believes either without a check
/// 3 the codec runs in the sandbox (CodecPool), without a conversion of colours
/// 4 the length of its result is checked
/// 5 the samples are moved into the container of the dataset, and signed ones are extended to its width
/// </code>
/// Any bytes give a frame or a reason, within the deadline and the memory of <see cref="CodecPool"/>.
/// </remarks>
public sealed class FrameDecoder
{
    /// <summary>
    /// The largest frame that is decoded: 24 Mi samples, such as a mammogram of 4,096 × 6,144 pixels. JPEG 2000 needs ten bytes for each.
    /// </summary>
    public const int MaxSamples = 24 * 1024 * 1024;

    private readonly CodecPool _pool;

    internal FrameDecoder(CodecPool pool) => _pool = pool;

    /// <summary>True for a transfer syntax whose frames can be decoded, if the sandbox runs on this platform.</summary>
    /// <param name="transferSyntax">The UID.</param>
    public static bool CanDecode(string transferSyntax) => CodecOf.Find(transferSyntax) != Codec.None;

    /// <summary>Decodes a frame.</summary>
    /// <param name="transferSyntax">The UID of the transfer syntax of <paramref name="codestream"/>.</param>
    /// <param name="layout">The Image Pixel module of its instance.</param>
    /// <param name="codestream">The whole frame, with or without the padding to an even length.</param>
    /// <param name="cancellation">Ends the wait; a decoder that runs already ends by itself.</param>
    public async ValueTask<FrameDecoding> DecodeAsync(
        string transferSyntax, PixelLayout layout, ReadOnlyMemory<byte> codestream, CancellationToken cancellation)
    {
        // 1
        var codec = CodecOf.Find(transferSyntax);
        if (codec == Codec.None) return FrameDecoding.CannotDecode($"its transfer syntax {transferSyntax} is not supported");
        if (codec == Codec.Native) return DecodeNative(layout, codestream);
        if (layout.BitsAllocated is not (8 or 16) && codec != Codec.Rle)
            return FrameDecoding.CannotDecode($"it has {layout.BitsAllocated} bits per sample");
        if ((long)layout.Rows * layout.Columns * layout.SamplesPerPixel > MaxSamples)
            return FrameDecoding.CannotDecode($"it has more than {MaxSamples} samples");
        if (codec == Codec.Rle) return DecodeRle(layout, codestream.Span);
        // 2
        var coding = codec is Codec.Jpeg or Codec.JpegLs ? PixelCoding.Jpeg : PixelCoding.Jpeg2000;
        if (CodestreamHeader.Read(coding, codestream.Span) is not { } header)
            return FrameDecoding.CannotDecode("its codestream has no valid header");
        if (header.FindDisagreement(layout) is { } disagreement) return FrameDecoding.CannotDecode(disagreement);
        if (codec == Codec.Jpeg2000 && header is { Components: 3, Precision: > 8 })
            return FrameDecoding.CannotDecode($"its colours have {header.Precision} bits in JPEG 2000");
        if (FindPhotometricInterpretation(header, layout) is not { } photometric)
            return FrameDecoding.CannotDecode($"its photometric interpretation {layout.PhotometricInterpretation} is not supported");
        // 3
        var seen = GetSeenLayout(codec, header);
        var task = new CodecTask($"Decode{codec}", seen, codestream[header.Start..]);
        var outcome = await _pool.RunAsync(task, cancellation);
        if (outcome.Bytes is not { } bytes) return FrameDecoding.CannotDecode(outcome.Reason!);
        // 4
        if (bytes.Length != seen.FrameLength) return FrameDecoding.CannotDecode("the codec returned a frame of another length");
        // 5
        if (codec == Codec.HtJpeg2000 && header is { Components: 3, IsRgb: null }) bytes = OrderPlanes(seen, bytes);
        var decoded = layout with { PhotometricInterpretation = photometric, IsPlanar = header.IsPlanar };
        return FrameDecoding.Decoded(new(decoded, Fit(decoded, header, seen, bytes)));
    }

    private static FrameDecoding DecodeNative(PixelLayout layout, ReadOnlyMemory<byte> frame)
    {
        var length = layout.FrameLength;
        // A value of odd length is padded (PS3.5 §7.1.1).
        return frame.Length == length || (frame.Length == length + 1 && length % 2 == 1)
            ? FrameDecoding.Decoded(new(layout, frame[..(int)length]))
            : FrameDecoding.CannotDecode($"it has {frame.Length} bytes instead of {length}");
    }

    private static FrameDecoding DecodeRle(PixelLayout layout, ReadOnlySpan<byte> frame)
    {
        // RLE codes whole planes: its chrominance is not subsampled (PS3.5 §8.2.2).
        var decoded = layout.IsHalfChroma ? layout with { PhotometricInterpretation = "YBR_FULL" } : layout;
        return RleDecoder.Decode(decoded, frame) is { } bytes
            ? FrameDecoding.Decoded(new(decoded, bytes))
            : FrameDecoding.CannotDecode("its RLE segments are not one frame of the dataset");
    }

    /// <summary>The colours of the decoded samples: the codestream decides, then the dataset. Null when they are not supported.</summary>
    private static string? FindPhotometricInterpretation(CodestreamHeader header, PixelLayout layout)
    {
        if (header.Components == 1) return layout.PhotometricInterpretation;
        return header.IsRgb switch
        {
            true => "RGB",
            false => "YBR_FULL",
            // The decoder doubles subsampled chrominance, and undoes the colour transforms of JPEG 2000.
            null => layout.PhotometricInterpretation switch
            {
                "RGB" or "YBR_ICT" or "YBR_RCT" => "RGB",
                "YBR_FULL" or "YBR_FULL_422" => "YBR_FULL",
                _ => null,
            },
        };
    }

    /// <summary>The layout that makes the codec return each sample as it is in the codestream, in the smallest container.</summary>
    /// <remarks>
    /// The decoder of HTJ2K limits samples to the container by their sign, and knows no signed container of 8 bits: it gets 16.
    /// </remarks>
    private static PixelLayout GetSeenLayout(Codec codec, CodestreamHeader header)
    {
        var isByte = header.Precision <= 8 && !(codec == Codec.HtJpeg2000 && header.IsSigned);
        return new()
        {
            Rows = header.Rows,
            Columns = header.Columns,
            SamplesPerPixel = header.Components,
            PhotometricInterpretation = header.Components == 1 ? "MONOCHROME2" : "RGB",
            BitsAllocated = isByte ? 8 : 16,
            BitsStored = header.Precision,
            HighBit = header.Precision - 1,
            IsSigned = header.IsSigned,
            IsPlanar = header.IsPlanar,
        };
    }

    /// <summary>
    /// Orders a frame of HTJ2K without colour transform: its decoder yields all rows of the first component, then those of the others,
    /// and the module places them as if they were interleaved.
    /// </summary>
    private static byte[] OrderPlanes(PixelLayout seen, byte[] bytes)
    {
        var ordered = new byte[bytes.Length];
        var (size, samples) = (seen.BitsAllocated / 8, seen.SamplesPerPixel);
        var row = seen.Columns * samples * size;
        for (var i = 0; i < seen.Rows * samples; i++)
        {
            var source = i / samples * row + i % samples * size;
            var target = i % seen.Rows * row + i / seen.Rows * size;
            for (var x = 0; x < seen.Columns; x++, source += samples * size, target += samples * size)
                bytes.AsSpan(source, size).CopyTo(ordered.AsSpan(target));
        }
        return ordered;
    }

    /// <summary>Moves samples into the container of the dataset.</summary>
    /// <remarks>
    /// The sign of JPEG 2000 is the codestream's; other codings have none. Where the dataset disagrees, the bits are reinterpreted: they
    /// are what the encoder was given. Signed samples are extended to the container, as uncompressed frames have them.
    /// </remarks>
    private static byte[] Fit(PixelLayout layout, CodestreamHeader header, PixelLayout seen, byte[] bytes)
    {
        var isWide = layout.BitsAllocated == 16;
        var extends = layout.IsSigned && layout.HighBit == layout.BitsStored - 1 ? layout.BitsAllocated - layout.BitsStored : 0;
        var drops = header.IsSigned && !layout.IsSigned ? 16 - header.Precision : 0;
        if (seen.BitsAllocated == layout.BitsAllocated && extends == 0 && drops == 0) return bytes;
        var count = bytes.Length / (seen.BitsAllocated / 8);
        var fitted = new byte[count * (isWide ? 2 : 1)];
        for (var i = 0; i < count; i++)
        {
            int value = seen.BitsAllocated == 16 ? BinaryPrimitives.ReadInt16LittleEndian(bytes.AsSpan(2 * i))
                : header.IsSigned ? (sbyte)bytes[i]
                : bytes[i];
            value = (ushort)(value << drops) >> drops;
            if (isWide) BinaryPrimitives.WriteInt16LittleEndian(fitted.AsSpan(2 * i), (short)((short)(value << extends) >> extends));
            else fitted[i] = (byte)((sbyte)(value << extends) >> extends);
        }
        return fitted;
    }
}
