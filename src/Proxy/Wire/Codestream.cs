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
            var offset = BinaryPrimitives.ReadUInt32LittleEndian(start[(4 * i)..]);
            if (offset <= last || offset >= length) return false;
            last = offset;
        }
        return true;
    }
}
