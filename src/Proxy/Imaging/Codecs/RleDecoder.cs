using System.Buffers.Binary;

namespace Proxy.Imaging.Codecs;

/// <summary>Decodes RLE Lossless (PS3.5 Annex G) in managed code: it also works where the sandbox cannot run.</summary>
/// <remarks>
/// <code>
/// count(4) offset(4)*15          the header: 64 bytes, little endian
/// segment*count                  one per byte of a sample, the most significant byte first; samples in order
///   0 ≤ n ≤ 127                  n + 1 literal bytes follow
///   −127 ≤ n ≤ −1                the next byte, 1 − n times
///   n = −128                     nothing
/// </code>
/// The result has one plane per sample or interleaved samples, as Planar Configuration says.
/// </remarks>
internal static class RleDecoder
{
    private const int HeaderBytes = 64, MaxSegments = 15;

    /// <summary>Segments are padded to an even length, and some encoders write more; a larger rest belongs to a larger frame.</summary>
    private const int MaxPadding = 16;

    /// <summary>Decodes a frame; null when it is not exactly one frame of this layout.</summary>
    public static byte[]? Decode(PixelLayout layout, ReadOnlySpan<byte> frame)
    {
        var bytesPerSample = layout.BitsAllocated / 8;
        var segments = layout.SamplesPerPixel * bytesPerSample;
        if (segments is < 1 or > MaxSegments || frame.Length <= HeaderBytes || Read(frame, 0) != segments) return null;
        var pixels = layout.Rows * layout.Columns;
        var decoded = new byte[pixels * segments];
        for (var i = 0; i < segments; i++)
        {
            long start = Read(frame, 1 + i), end = i + 1 < segments ? Read(frame, 2 + i) : frame.Length;
            if (start < HeaderBytes || end <= start || end > frame.Length) return null;
            var (sample, octet) = (i / bytesPerSample, i % bytesPerSample);
            var first = (layout.IsPlanar ? sample * pixels : sample) * bytesPerSample + bytesPerSample - 1 - octet;
            var stride = layout.IsPlanar ? bytesPerSample : segments;
            if (!DecodeSegment(frame[(int)start..(int)end], decoded, first, stride, pixels)) return null;
        }
        return decoded;
    }

    /// <summary>
    /// Writes <paramref name="count"/> bytes at a distance of <paramref name="stride"/>; false when the segment has others.
    /// </summary>
    private static bool DecodeSegment(ReadOnlySpan<byte> segment, byte[] decoded, int first, int stride, int count)
    {
        var target = first;
        var at = 0;
        while (count > 0 && at < segment.Length)
        {
            var n = (sbyte)segment[at++];
            if (n == sbyte.MinValue) continue;
            if (n >= 0)
            {
                var length = Math.Min(n + 1, count);
                if (at + length > segment.Length) return false;
                for (var i = 0; i < length; i++, target += stride) decoded[target] = segment[at + i];
                at += n + 1;
                count -= length;
            }
            else
            {
                if (at >= segment.Length) return false;
                var (value, length) = (segment[at++], Math.Min(1 - n, count));
                for (var i = 0; i < length; i++, target += stride) decoded[target] = value;
                count -= length;
            }
        }
        return count == 0 && segment.Length - at <= MaxPadding;
    }

    private static uint Read(ReadOnlySpan<byte> frame, int index) => BinaryPrimitives.ReadUInt32LittleEndian(frame[(4 * index)..]);
}
