namespace Proxy.Dicom;

/// <summary>The form that pixel data is asked for in: a media type and a transfer syntax (PS3.18 §8.7.3.5.2).</summary>
/// <param name="MediaType">Such as <c>application/octet-stream</c>; that of the frame itself, not of what wraps it.</param>
/// <param name="TransferSyntax">The UID, or <see cref="Any"/> for "as it is stored".</param>
public sealed record FrameFormat(string MediaType, string TransferSyntax)
{
    public const string Any = "*";

    /// <summary>Explicit VR Little Endian, what is meant when a request names no transfer syntax (PS3.18 §8.7.3.5.2).</summary>
    public const string ExplicitLittleEndian = "1.2.840.10008.1.2.1";

    /// <summary>As stored: what viewers ask for, and the only form that needs no work of the backend.</summary>
    public static readonly FrameFormat AsStored = new(Dicom.MediaType.OctetStream, Any);

    /// <summary>Whether a frame of <paramref name="mediaType"/> in <paramref name="transferSyntax"/> answers a request for this form.</summary>
    public bool IsMetBy(string mediaType, string? transferSyntax) =>
        TransferSyntax == Any
            ? MediaType == Dicom.MediaType.OctetStream || MediaType == mediaType
            : TransferSyntax == transferSyntax;

    /// <summary>
    /// The form that one accepted media type asks for; null when it is no form of pixel data. The default transfer
    /// syntax of a compressed media type is that of PS3.18 Table 8.7.3-5.
    /// </summary>
    public static FrameFormat? Of(MediaType accepted)
    {
        var type = accepted.Is(Dicom.MediaType.MultipartRelated) ? accepted.Find("type")?.ToLowerInvariant() ?? Dicom.MediaType.OctetStream : accepted.Type;
        if (type is "*/*" or "application/*" or "multipart/*") type = Dicom.MediaType.OctetStream;
        var byDefault = type switch
        {
            Dicom.MediaType.OctetStream => ExplicitLittleEndian,
            "image/jpeg" => "1.2.840.10008.1.2.4.70",
            "image/dicom-rle" or "image/x-dicom-rle" => "1.2.840.10008.1.2.5",
            "image/jls" or "image/x-jls" => "1.2.840.10008.1.2.4.80",
            "image/jp2" => "1.2.840.10008.1.2.4.90",
            "image/jpx" => "1.2.840.10008.1.2.4.92",
            "image/jphc" => "1.2.840.10008.1.2.4.201",
            "video/mpeg" => "1.2.840.10008.1.2.4.100",
            "video/mp4" => "1.2.840.10008.1.2.4.102",
            _ => null,
        };
        if (byDefault is null) return null;
        var transferSyntax = accepted.Find("transfer-syntax") ?? byDefault;
        return transferSyntax == Any || Uid.TryParse(transferSyntax, out _) ? new(type, transferSyntax) : null;
    }
}
