using System.Buffers.Binary;

namespace Proxy.Imaging.Codecs;

/// <summary>Reads the main header of a JPEG 2000 or HTJ2K codestream, also within a JP2 file (ISO/IEC 15444-1 Annexes A and I).</summary>
/// <remarks>
/// <code>
/// FF4F                                             SOC
/// FF51 Lsiz Rsiz Xsiz Ysiz XOsiz YOsiz XTsiz YTsiz XTOsiz YTOsiz Csiz (Ssiz XRsiz YRsiz)*Csiz     SIZ
/// FF52 Lcod Scod progression layers(2) transform   COD: with a colour transform, the decoder returns RGB
/// FF90                                             SOT: the end of the main header
/// </code>
/// </remarks>
internal static class Jpeg2000Header
{
    private const ushort StartOfCodestream = 0xFF4F, Size = 0xFF51, CodingStyle = 0xFF52, StartOfTile = 0xFF90;
    private const int SizeBytes = 36;

    public static CodestreamHeader? Read(ReadOnlySpan<byte> frame)
    {
        var start = FindCodestream(frame);
        if (start < 0) return null;
        CodestreamHeader? header = null;
        for (var at = start + 2; at + 4 <= frame.Length;)
        {
            var marker = BinaryPrimitives.ReadUInt16BigEndian(frame[at..]);
            if (marker == StartOfTile) return header;
            var length = BinaryPrimitives.ReadUInt16BigEndian(frame[(at + 2)..]);
            if (marker < 0xFF00 || length < 2 || at + 2 + length > frame.Length) return null;
            var segment = frame.Slice(at + 4, length - 2);
            at += 2 + length;
            if (header is null)
            {
                // SIZ follows SOC at once (ISO/IEC 15444-1 §A.5.1).
                if (marker != Size || ReadSize(segment) is not { } read) return null;
                header = read with { Start = start };
            }
            else if (marker == Size)
            {
                return null;
            }
            else if (marker == CodingStyle && segment.Length >= 5 && header.Components == 3 && segment[4] == 1)
            {
                header = header with { IsRgb = true };
            }
        }
        return null;
    }

    /// <summary>
    /// The offset of SOC: of the bytes, or of the box jp2c within a JP2 file (ISO/IEC 15444-1 §I.5.4); −1 without a SOC.
    /// </summary>
    private static int FindCodestream(ReadOnlySpan<byte> frame)
    {
        if (IsStart(frame)) return 0;
        for (long at = 0; at + 8 <= frame.Length;)
        {
            long length = BinaryPrimitives.ReadUInt32BigEndian(frame[(int)at..]);
            var type = frame.Slice((int)at + 4, 4);
            var head = 8;
            if (length == 1)
            {
                if (at + 16 > frame.Length) return -1;
                length = BinaryPrimitives.ReadInt64BigEndian(frame[((int)at + 8)..]);
                head = 16;
            }
            if (at == 0 && !type.SequenceEqual("jP  "u8)) return -1;
            if (type.SequenceEqual("jp2c"u8)) return IsStart(frame[((int)at + head)..]) ? (int)at + head : -1;
            // A box of length 0 ends with the file; only the codestream may.
            if (length < head || length > frame.Length) return -1;
            at += length;
        }
        return -1;
    }

    private static bool IsStart(ReadOnlySpan<byte> bytes) =>
        bytes.Length >= 4 && BinaryPrimitives.ReadUInt16BigEndian(bytes) == StartOfCodestream
            && BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]) == Size;

    private static CodestreamHeader? ReadSize(ReadOnlySpan<byte> segment)
    {
        if (segment.Length < SizeBytes) return null;
        var components = BinaryPrimitives.ReadUInt16BigEndian(segment[34..]);
        if (components is 0 or > 4 || segment.Length < SizeBytes + 3 * components) return null;
        var columns = (long)Read(segment, 2) - Read(segment, 10);
        var rows = (long)Read(segment, 6) - Read(segment, 14);
        if (columns is <= 0 or > ushort.MaxValue || rows is <= 0 or > ushort.MaxValue) return null;
        // Every component must have the same bits, and a sample for every pixel: DICOM has no other frames (PS3.5 §A.4.4).
        var bits = segment[SizeBytes];
        for (var i = 0; i < components; i++)
        {
            var component = segment[(SizeBytes + 3 * i)..];
            if (component[0] != bits || component[1] != 1 || component[2] != 1) return null;
        }
        var precision = (bits & 0x7F) + 1;
        return precision > 16 ? null : new()
        {
            Columns = (int)columns,
            Rows = (int)rows,
            Components = components,
            Precision = precision,
            IsSigned = (bits & 0x80) != 0,
        };
    }

    private static uint Read(ReadOnlySpan<byte> segment, int offset) => BinaryPrimitives.ReadUInt32BigEndian(segment[offset..]);
}
