using System.Buffers.Binary;

namespace Proxy.Imaging.Codecs;

/// <summary>
/// Reads the markers before the first scan of a JPEG or JPEG-LS codestream (ISO/IEC 10918-1 Annex B, ISO/IEC 14495-1 Annex C).
/// </summary>
/// <remarks>
/// <code>
/// FFD8                                       SOI
/// FFE0 length "JFIF" 00 …                    APP0: luminance and chrominance
/// FFE8 length "mrfx" transform               APP8: HP's colour transform of JPEG-LS, undone by the decoder
/// FFEE length "Adobe" … transform            APP14: 0 = RGB, 1 = luminance and chrominance
/// FFC0 … FFC3, FFF7 length P Y(2) X(2) Nf …  SOF: precision, lines, columns, components
/// FFDA length Ns (id table)*Ns near ilv …    SOS: with JPEG-LS, how the components are interleaved
/// </code>
/// </remarks>
internal static class JpegHeader
{
    private const byte StartOfImage = 0xD8, EndOfImage = 0xD9, StartOfScan = 0xDA, JpegLsFrame = 0xF7, LosslessFrame = 0xC3;
    private const byte App0 = 0xE0, App8 = 0xE8, App14 = 0xEE;

    public static CodestreamHeader? Read(ReadOnlySpan<byte> frame)
    {
        if (frame.Length < 4 || frame[0] != 0xFF || frame[1] != StartOfImage) return null;
        CodestreamHeader? header = null;
        bool? isRgb = null;
        byte frameType = 0;
        for (var at = 2; at + 4 <= frame.Length;)
        {
            if (frame[at] != 0xFF) return null;
            var marker = frame[at + 1];
            if (marker == 0xFF)
            {
                // Fill bytes may precede a marker (ISO/IEC 10918-1 §B.1.1.2).
                at++;
                continue;
            }
            if (marker is 0x00 or 0x01 or >= 0xD0 and <= EndOfImage) return null;
            var length = BinaryPrimitives.ReadUInt16BigEndian(frame[(at + 2)..]);
            if (length < 2 || at + 2 + length > frame.Length) return null;
            var segment = frame.Slice(at + 4, length - 2);
            at += 2 + length;
            switch (marker)
            {
                case StartOfScan:
                    return header is null || segment.Length < 1 ? null : Complete(header, frameType, isRgb, segment);
                case 0xC0 or 0xC1 or 0xC2 or LosslessFrame or JpegLsFrame:
                    // A second frame header is an error of the codestream: a decoder might use either.
                    if (header is not null || ReadFrame(segment) is not { } read) return null;
                    (header, frameType) = (read, marker);
                    break;
                case 0xC5 or 0xC6 or 0xC7 or (>= 0xC9 and <= 0xCB) or (>= 0xCD and <= 0xCF):
                    // Hierarchical and arithmetic coding: not part of DICOM.
                    return null;
                case App0 when segment.StartsWith("JFIF\0"u8):
                    isRgb ??= false;
                    break;
                case App8 when segment.Length >= 5 && segment.StartsWith("mrfx"u8) && segment[4] != 0:
                    isRgb = true;
                    break;
                case App14 when segment.Length >= 12 && segment.StartsWith("Adobe"u8) && segment[11] is 0 or 1:
                    isRgb = segment[11] == 0;
                    break;
                default:
                    break;
            }
        }
        return null;
    }

    private static CodestreamHeader? ReadFrame(ReadOnlySpan<byte> segment)
    {
        if (segment.Length < 6 || segment.Length < 6 + 3 * segment[5]) return null;
        var header = new CodestreamHeader
        {
            Precision = segment[0],
            Rows = BinaryPrimitives.ReadUInt16BigEndian(segment[1..]),
            Columns = BinaryPrimitives.ReadUInt16BigEndian(segment[3..]),
            Components = segment[5],
        };
        return header is { Precision: >= 2 and <= 16, Rows: > 0, Columns: > 0, Components: > 0 } ? header : null;
    }

    private static CodestreamHeader Complete(CodestreamHeader header, byte frameType, bool? isRgb, ReadOnlySpan<byte> scan)
    {
        // JFIF describes the colours of a lossy codestream; a lossless one keeps the colours of the dataset.
        if (frameType is LosslessFrame or JpegLsFrame && isRgb == false) isRgb = null;
        var interleaving = 2 + 2 * scan[0];
        return header with
        {
            IsRgb = isRgb,
            IsPlanar = frameType == JpegLsFrame && header.Components > 1 && scan.Length > interleaving && scan[interleaving] == 0,
        };
    }
}
