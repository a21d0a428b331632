namespace Proxy.Dicom;

/// <summary>Transfer syntaxes by UID (PS3.6 Table A-1), and the media type of a single frame in each of them.</summary>
public static class TransferSyntax
{
    /// <summary>The default transfer syntax of DICOM; it writes no VR (PS3.5 §A.1).</summary>
    public const string ImplicitLittleEndian = "1.2.840.10008.1.2";

    /// <summary>Retired in 2004 (PS3.5 §A.3); never sent over DICOMweb (PS3.18 §8.7.3).</summary>
    public const string ExplicitBigEndian = "1.2.840.10008.1.2.2";

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
