namespace Proxy.Imaging.Codecs;

/// <summary>Turns a decoded frame into the uncompressed frame that its dataset describes, for clients that read the metadata.</summary>
/// <remarks>
/// The metadata names the colours and the planar configuration of the stored form. A client of uncompressed frames believes it, so a
/// frame in other colours would be shown in wrong ones.
/// </remarks>
public static class DeclaredFrame
{
    /// <summary>The frame as the dataset describes it; null when the decoded colours cannot be described by it.</summary>
    /// <param name="declared">The Image Pixel module of the instance.</param>
    /// <param name="decoded">The frame that <see cref="FrameDecoder"/> returned.</param>
    public static ReadOnlyMemory<byte>? Find(PixelLayout declared, NativeFrame decoded)
    {
        var (from, bytes) = (decoded.Layout, decoded.Bytes);
        if (from.SamplesPerPixel == 1) return bytes;
        var isSame = declared.PhotometricInterpretation switch
        {
            // Viewers know that the codecs undo the transforms of JPEG 2000 (PS3.5 §8.2.4).
            "YBR_ICT" or "YBR_RCT" => from.PhotometricInterpretation == "RGB",
            "YBR_FULL_422" => from is { PhotometricInterpretation: "YBR_FULL", BitsAllocated: 8 } && from.Columns % 2 == 0,
            var other => from.PhotometricInterpretation == other,
        };
        if (!isSame) return null;
        var isPlanar = declared is { IsPlanar: true, IsHalfChroma: false };
        if (isPlanar != from.IsPlanar) bytes = Exchange(from, bytes.Span);
        return declared.IsHalfChroma ? Halve(bytes.Span) : bytes;
    }

    /// <summary>Interleaves planes, or separates interleaved samples.</summary>
    private static byte[] Exchange(PixelLayout from, ReadOnlySpan<byte> bytes)
    {
        var size = from.BitsAllocated / 8;
        var (samples, pixels) = (from.SamplesPerPixel, from.Rows * from.Columns);
        var exchanged = new byte[bytes.Length];
        for (var sample = 0; sample < samples; sample++)
        {
            for (var pixel = 0; pixel < pixels; pixel++)
            {
                var (plane, interleaved) = (sample * pixels + pixel, pixel * samples + sample);
                var (source, target) = from.IsPlanar ? (plane, interleaved) : (interleaved, plane);
                bytes.Slice(source * size, size).CopyTo(exchanged.AsSpan(target * size));
            }
        }
        return exchanged;
    }

    /// <summary>Y Y Cb Cr for two pixels: the chrominance is that of the first (PS3.3 §C.7.6.3.1.2).</summary>
    private static byte[] Halve(ReadOnlySpan<byte> bytes)
    {
        var halved = new byte[bytes.Length / 3 * 2];
        for (int source = 0, target = 0; target < halved.Length; source += 6, target += 4)
        {
            halved[target] = bytes[source];
            halved[target + 1] = bytes[source + 3];
            halved[target + 2] = bytes[source + 1];
            halved[target + 3] = bytes[source + 2];
        }
        return halved;
    }
}
