namespace Proxy.Dicom;

/// <summary>The form that a frame or a whole instance is asked for in: a media type and a transfer syntax (PS3.18 §8.7.3.5.2).</summary>
/// <param name="MediaType">Such as <c>application/octet-stream</c>; that of the body itself, not of what wraps it.</param>
/// <param name="TransferSyntax">The UID, <see cref="Any"/> for "as it is stored", or <see cref="Unnamed"/>.</param>
public sealed record BodyFormat(string MediaType, string TransferSyntax)
{
    public const string Any = "*";

    /// <summary>The backend chooses: what a request for a whole instance means that names no transfer syntax.</summary>
    public const string Unnamed = "";

    public const string Dicom = "application/dicom";

    /// <summary>Explicit VR Little Endian, what is meant when a request names no transfer syntax (PS3.18 §8.7.3.5.2).</summary>
    public const string ExplicitLittleEndian = "1.2.840.10008.1.2.1";

    /// <summary>As stored: what viewers ask for, and the only form that needs no work of the backend.</summary>
    public static readonly BodyFormat AsStored = new(Proxy.Dicom.MediaType.OctetStream, Any);

    /// <summary>Whether a frame of <paramref name="mediaType"/> in <paramref name="transferSyntax"/> answers a request for this form.</summary>
    public bool IsMetBy(string mediaType, string? transferSyntax) =>
        TransferSyntax == Any
            ? MediaType == Proxy.Dicom.MediaType.OctetStream || MediaType == mediaType
            : TransferSyntax.Length > 0 && TransferSyntax == transferSyntax;

    /// <summary>
    /// The form that one accepted media type asks for; null when it is no form of pixel data. The default transfer
    /// syntax of a compressed media type is that of PS3.18 Table 8.7.3-5.
    /// </summary>
    public static BodyFormat? Of(MediaType accepted)
    {
        var type = accepted.Is(Proxy.Dicom.MediaType.MultipartRelated) ? accepted.Find("type")?.ToLowerInvariant() ?? Proxy.Dicom.MediaType.OctetStream : accepted.Type;
        if (type is "*/*" or "application/*" or "multipart/*") type = Proxy.Dicom.MediaType.OctetStream;
        var byDefault = type switch
        {
            Proxy.Dicom.MediaType.OctetStream => ExplicitLittleEndian,
            Dicom => Unnamed,
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
        return transferSyntax is Any or Unnamed || Uid.TryParse(transferSyntax, out _) ? new(type, transferSyntax) : null;
    }

    /// <summary>The Accept header that asks a backend for this form.</summary>
    public string ToAccept() => $"multipart/related; type=\"{MediaType}\"{(TransferSyntax.Length == 0 ? "" : "; transfer-syntax=" + TransferSyntax)}";
}
