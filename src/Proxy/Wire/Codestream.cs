using System.Buffers.Binary;

namespace Proxy.Wire;

/// <summary>The coding of one frame, as far as it determines the first bytes or the length.</summary>
public enum PixelCoding
{
    /// <summary>The coding is not known.</summary>
    Unknown,

    /// <summary>Uncompressed: the length follows from the Image Pixel module (PS3.5 §8.1.1).</summary>
    Native,

    /// <summary>JPEG and JPEG-LS.</summary>
    Jpeg,

    /// <summary>JPEG 2000 and HTJ2K, as a codestream or in a JP2 file.</summary>
    Jpeg2000,

    /// <summary>JPEG XL, as a codestream or in a container.</summary>
    JpegXl,

    /// <summary>RLE Lossless (PS3.5 Annex G).</summary>
    Rle,

    /// <summary>MPEG-2, MPEG-4 and HEVC, in any container.</summary>
    Video,
}

/// <summary>Checks by its first bytes whether a frame can have the coding that its media type or transfer syntax declares.</summary>
public static class Codestream
{
    /// <summary>The number of bytes that the check needs, if the frame has as many: the size of an RLE header (PS3.5 §G.5).</summary>
    public const int StartBytes = 64;

    private const string Mark = "1.2.840.10008.1.2.";

    private const string CompressedMark = Mark + "4.";

    private const int MaxRleSegments = 15;

    /// <summary>SOI, a frame header and a scan header of one component (ISO/IEC 10918-1 §B.2, ISO/IEC 14495-1 §C.2).</summary>
    private const int LeastJpegBytes = 2 + 13 + 10;

    /// <summary>SOC, SIZ of one component, COD and QCD (ISO/IEC 15444-1 §A.3).</summary>
    private const int LeastJpeg2000Bytes = 2 + 43 + 14 + 6;

    /// <summary>The coding of a transfer syntax (PS3.6 Table A-1); of the media type when the transfer syntax determines none.</summary>
    /// <param name="mediaType">In lower case, without parameters.</param>
    /// <param name="transferSyntax">The UID; null when it is not known.</param>
    public static PixelCoding FindCoding(string mediaType, string? transferSyntax)
    {
        var coding = FindCoding(transferSyntax);
        var isPrivate = !string.IsNullOrEmpty(transferSyntax) && mediaType == Dicom.MediaType.OctetStream;
        return coding != PixelCoding.Unknown || isPrivate ? coding : FindCodingOfType(mediaType);
    }

    /// <summary>True when these bytes can be the beginning of a frame; always true for a coding without a fixed beginning.</summary>
    /// <param name="coding">The coding of the frame.</param>
    /// <param name="start">The first <see cref="StartBytes"/> of the frame, or all bytes of a shorter frame.</param>
    /// <param name="length">The length of the frame in bytes; null when it is not known yet.</param>
    public static bool CanBegin(PixelCoding coding, ReadOnlySpan<byte> start, long? length) => coding switch
    {
        // SOI and the first byte of another marker (ISO/IEC 10918-1 §B.1.1.3, ISO/IEC 14495-1 §C.1).
        PixelCoding.Jpeg => start.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xD8, 0xFF]),
        // SOC and SIZ (ISO/IEC 15444-1 §A.4.1), or the signature box of a JP2 file (§I.5.1).
        PixelCoding.Jpeg2000 => start.StartsWith((ReadOnlySpan<byte>)[0xFF, 0x4F, 0xFF, 0x51]) || start.StartsWith("\0\0\0\u000CjP  "u8),
        // ISO/IEC 18181-1, or the signature box of ISO/IEC 18181-2 §9.1.
        PixelCoding.JpegXl => start.StartsWith((ReadOnlySpan<byte>)[0xFF, 0x0A]) || start.StartsWith("\0\0\0\u000CJXL "u8),
        PixelCoding.Rle => CanBeginRle(start, length),
        _ => !IsMarkup(start),
    };

    /// <summary>The fewest bytes that a frame with this beginning can have.</summary>
    /// <param name="coding">How the frame is coded; its beginning is <see cref="CanBegin"/>.</param>
    /// <param name="start">Its first <see cref="StartBytes"/>, or all of a shorter one.</param>
    public static long GetLeastLength(PixelCoding coding, ReadOnlySpan<byte> start) => coding switch
    {
        PixelCoding.Jpeg => LeastJpegBytes,
        PixelCoding.Jpeg2000 => LeastJpeg2000Bytes,
        // Every segment has at least one byte (PS3.5 §G.5), the last one too.
        PixelCoding.Rle => GetRleOffset(start, (int)BinaryPrimitives.ReadUInt32LittleEndian(start)) + 1L,
        _ => 1,
    };

    /// <summary>Whether these bytes can begin a body of a media type. The transfer syntax is not considered.</summary>
    /// <param name="mediaType">In lower case, without parameters.</param>
    /// <param name="start">The first <see cref="StartBytes"/>, or all of a shorter body.</param>
    /// <param name="length">Of the body, in bytes; null when it is not known yet.</param>
    public static bool CanBeginType(string mediaType, ReadOnlySpan<byte> start, long? length) => mediaType switch
    {
        Dicom.MediaType.OctetStream => true,
        "video/mp4" => IsMp4(start) || IsTransportStream(start),
        _ when mediaType.StartsWith("video/", StringComparison.Ordinal) => HasStartCode(start) || IsTransportStream(start) || IsMp4(start),
        _ => CanBegin(FindCodingOfType(mediaType), start, length),
    };

    /// <summary>The type of a document, a video or an image that begins unmistakably; null for anything else.</summary>
    /// <param name="start">The first <see cref="StartBytes"/>, or all of a shorter body.</param>
    public static string? FindType(ReadOnlySpan<byte> start) =>
        // ISO 32000-1 §7.5.2, and the boxes and markers of the checks above.
        start.StartsWith("%PDF-"u8) ? "application/pdf"
        : IsMp4(start) ? "video/mp4"
        : start.StartsWith((ReadOnlySpan<byte>)[0xFF, 0x4F, 0xFF, 0x51]) ? "image/jp2"
        : null;

    /// <summary>True when the bytes begin like an HTML or XML document, such as a log-in page or an error document.</summary>
    public static bool IsMarkup(ReadOnlySpan<byte> start)
    {
        // A byte order mark.
        if (start.StartsWith((ReadOnlySpan<byte>)[0xEF, 0xBB, 0xBF])) start = start[3..];
        start = start.TrimStart(" \t\r\n"u8);
        foreach (var opening in (ReadOnlySpan<string>)["<!doctype", "<html", "<?xml", "<error", "<head", "<body"])
        {
            if (start.Length >= opening.Length && System.Text.Ascii.EqualsIgnoreCase(start[..opening.Length], opening)) return true;
        }
        return false;
    }

    private static PixelCoding FindCoding(string? transferSyntax)
    {
        if (transferSyntax is null || !transferSyntax.StartsWith(Mark[..^1], StringComparison.Ordinal)) return PixelCoding.Unknown;
        // Deflated and big endian: a single frame is not deflated, and has the same length.
        if (transferSyntax is "1.2.840.10008.1.2" or Mark + "1" or Mark + "1.98" or Mark + "1.99" or Mark + "2") return PixelCoding.Native;
        if (transferSyntax == Mark + "5") return PixelCoding.Rle;
        if (!transferSyntax.StartsWith(CompressedMark, StringComparison.Ordinal)) return PixelCoding.Unknown;
        // The video syntaxes have fragmentable variants, with one more component.
        var number = transferSyntax[CompressedMark.Length..].Split('.')[0];
        if (!int.TryParse(number, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var last))
            return PixelCoding.Unknown;
        return last switch
        {
            >= 50 and <= 70 or 80 or 81 => PixelCoding.Jpeg,
            >= 90 and <= 93 or >= 201 and <= 203 => PixelCoding.Jpeg2000,
            >= 100 and <= 108 => PixelCoding.Video,
            >= 110 and <= 112 => PixelCoding.JpegXl,
            _ => PixelCoding.Unknown,
        };
    }

    private static PixelCoding FindCodingOfType(string mediaType) => mediaType switch
    {
        Dicom.MediaType.OctetStream => PixelCoding.Native,
        "image/jpeg" or "image/jls" or "image/x-jls" or "image/dicom+jpeg" or "image/dicom+jpeg-ls" => PixelCoding.Jpeg,
        "image/jp2" or "image/jpx" or "image/jphc" or "image/dicom+jpeg-jp2" or "image/dicom+jpeg-jpx" => PixelCoding.Jpeg2000,
        "image/jxl" => PixelCoding.JpegXl,
        "image/dicom-rle" or "image/x-dicom-rle" or "image/dicom+rle" => PixelCoding.Rle,
        _ => mediaType.StartsWith("video/", StringComparison.Ordinal) ? PixelCoding.Video : PixelCoding.Unknown,
    };

    /// <summary>Sixteen numbers: the count of segments and the offset of each; the first follows the header (PS3.5 §G.5).</summary>
    private static bool CanBeginRle(ReadOnlySpan<byte> start, long? length)
    {
        if (start.Length < StartBytes) return false;
        var count = BinaryPrimitives.ReadUInt32LittleEndian(start);
        if (count is 0 or > MaxRleSegments || BinaryPrimitives.ReadUInt32LittleEndian(start[4..]) != StartBytes) return false;
        var last = 0u;
        for (var i = 1; i <= count; i++)
        {
            var offset = GetRleOffset(start, i);
            if (offset <= last || offset >= length) return false;
            last = offset;
        }
        return true;
    }

    private static uint GetRleOffset(ReadOnlySpan<byte> start, int segment) =>
        BinaryPrimitives.ReadUInt32LittleEndian(start[(4 * segment)..]);

    /// <summary>The file type box (ISO/IEC 14496-12 §4.3).</summary>
    private static bool IsMp4(ReadOnlySpan<byte> start) => start.Length >= 8 && start[4..8].SequenceEqual("ftyp"u8);

    /// <summary>A start code (ISO/IEC 13818-2 §5.2.1), with the zero byte that H.264 and H.265 may put before it.</summary>
    private static bool HasStartCode(ReadOnlySpan<byte> start) =>
        start.StartsWith((ReadOnlySpan<byte>)[0, 0, 1]) || start.StartsWith((ReadOnlySpan<byte>)[0, 0, 0, 1]);

    /// <summary>
    /// The first packet of a transport stream, without error and with adaptation field or payload (ISO/IEC 13818-1 §2.4.3.2): DICOM
    /// allows it as a container of every video (PS3.5 §8.2.5, §8.2.7).
    /// </summary>
    private static bool IsTransportStream(ReadOnlySpan<byte> start) =>
        start.Length >= 4 && start[0] == 0x47 && (start[1] & 0x80) == 0 && (start[3] & 0xC0) == 0 && (start[3] & 0x30) != 0;
}
