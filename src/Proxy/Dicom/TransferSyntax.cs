using System.Collections.Frozen;
using System.Collections.Immutable;

namespace Proxy.Dicom;

/// <summary>Transfer syntaxes by UID (PS3.6 Table A-1), and the media type of a single frame in each of them.</summary>
public static class TransferSyntax
{
    /// <summary>The default transfer syntax of DICOM; it writes no VR (PS3.5 §A.1).</summary>
    public const string ImplicitLittleEndian = "1.2.840.10008.1.2";

    /// <summary>Retired in 2004 (PS3.5 §A.3); never sent over DICOMweb (PS3.18 §8.7.3).</summary>
    public const string ExplicitBigEndian = "1.2.840.10008.1.2.2";

    private static readonly FrozenDictionary<string, ImmutableArray<string>> ByFrameType = ImmutableArray.Create(
        "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.80",
        "1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.92", "1.2.840.10008.1.2.4.93",
        "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203", "1.2.840.10008.1.2.5")
        .GroupBy(syntax => FindFrameType(Uid.Parse(syntax))!).ToFrozenDictionary(g => g.Key, g => g.ToImmutableArray());

    /// <summary>The names of PS3.6 Table A-1, shortened, for people.</summary>
    private static readonly FrozenDictionary<string, string> Names = new Dictionary<string, string>
    {
        [ImplicitLittleEndian] = "Implicit VR Little Endian",
        [BodyFormat.ExplicitLittleEndian] = "Explicit VR Little Endian (uncompressed)",
        ["1.2.840.10008.1.2.1.99"] = "Deflated Explicit VR Little Endian",
        [ExplicitBigEndian] = "Explicit VR Big Endian",
        ["1.2.840.10008.1.2.4.50"] = "JPEG Baseline",
        ["1.2.840.10008.1.2.4.51"] = "JPEG Extended",
        ["1.2.840.10008.1.2.4.57"] = "JPEG Lossless",
        ["1.2.840.10008.1.2.4.70"] = "JPEG Lossless SV1",
        ["1.2.840.10008.1.2.4.80"] = "JPEG-LS Lossless",
        ["1.2.840.10008.1.2.4.81"] = "JPEG-LS Near-lossless",
        ["1.2.840.10008.1.2.4.90"] = "JPEG 2000 Lossless",
        ["1.2.840.10008.1.2.4.91"] = "JPEG 2000",
        ["1.2.840.10008.1.2.4.201"] = "HTJ2K Lossless",
        ["1.2.840.10008.1.2.4.202"] = "HTJ2K Lossless RPCL",
        ["1.2.840.10008.1.2.4.203"] = "HTJ2K",
        ["1.2.840.10008.1.2.5"] = "RLE Lossless",
    }.ToFrozenDictionary();

    /// <summary>The name of a transfer syntax for people; null for one that is not known.</summary>
    public static string? FindName(Uid transferSyntax) => Names.GetValueOrDefault(transferSyntax.ToString());

    /// <summary>The compressed transfer syntaxes whose frames have this media type; none for a type of other data.</summary>
    public static ImmutableArray<string> FindOfFrameType(string mediaType) => ByFrameType.GetValueOrDefault(mediaType, []);

    /// <summary>The media type of a video stored in <paramref name="transferSyntax"/> (PS3.18 Table 8.7.3-5); null for no video.</summary>
    /// <remarks>HEVC is stored in an MP4 file or as a transport stream (PS3.5 §8.2.8).</remarks>
    public static string? FindVideoType(Uid transferSyntax)
    {
        const string mark = "1.2.840.10008.1.2.4.";
        var text = transferSyntax.ToString();
        // The fragmentable variants have one more component.
        return text.StartsWith(mark, StringComparison.Ordinal) ? text[mark.Length..].Split('.')[0] switch
        {
            "100" or "101" => "video/mpeg",
            "102" or "103" or "104" or "105" or "106" or "107" or "108" => "video/mp4",
            _ => null,
        } : null;
    }

    /// <summary>
    /// The media type of one frame on the wire when it is stored in <paramref name="transferSyntax"/> (PS3.18 Table 8.7.3-5);
    /// null when frames cannot be cut out of it: deflated, big endian, video and unknown transfer syntaxes.
    /// </summary>
    public static string? FindFrameType(Uid transferSyntax) => transferSyntax.ToString() switch
    {
        ImplicitLittleEndian or BodyFormat.ExplicitLittleEndian => MediaType.OctetStream,
        "1.2.840.10008.1.2.4.50" or "1.2.840.10008.1.2.4.51" or "1.2.840.10008.1.2.4.57" or "1.2.840.10008.1.2.4.70" => "image/jpeg",
        "1.2.840.10008.1.2.4.80" or "1.2.840.10008.1.2.4.81" => "image/jls",
        "1.2.840.10008.1.2.4.90" or "1.2.840.10008.1.2.4.91" => "image/jp2",
        "1.2.840.10008.1.2.4.92" or "1.2.840.10008.1.2.4.93" => "image/jpx",
        "1.2.840.10008.1.2.4.201" or "1.2.840.10008.1.2.4.202" or "1.2.840.10008.1.2.4.203" => "image/jphc",
        "1.2.840.10008.1.2.5" => "image/dicom-rle",
        _ => null,
    };
}
