namespace Proxy.Dicom;

/// <summary>A requested form of a frame or of a whole instance: a media type and a transfer syntax (PS3.18 §8.7.3.5.2).</summary>
/// <param name="MediaType">Such as <c>application/octet-stream</c>: the type of the body itself, not of the multipart around it.</param>
/// <param name="TransferSyntax">The UID, or <see cref="Any"/> for "as stored".</param>
public sealed record BodyFormat(string MediaType, string TransferSyntax)
{
    /// <summary>The transfer syntax parameter <c>*</c>: the body as the backend stores it (PS3.18 §8.7.3.5.2).</summary>
    public const string Any = "*";

    /// <summary>The media type of a whole instance, a Part 10 file.</summary>
    public const string Dicom = "application/dicom";

    /// <summary>Explicit VR Little Endian, the default when a request names no transfer syntax (PS3.18 §8.7.3.5.2).</summary>
    public const string ExplicitLittleEndian = "1.2.840.10008.1.2.1";

    /// <summary>A frame as stored: viewers ask for it, and it is the only form that needs no conversion by the backend.</summary>
    public static readonly BodyFormat AsStored = new(Proxy.Dicom.MediaType.OctetStream, Any);

    /// <summary>
    /// The form in the cache key: a frame in a named transfer syntax has one media type, however the request spells it.
    /// </summary>
    public BodyFormat Canonical =>
        MediaType != Dicom && TransferSyntax != Any && Uid.TryParse(TransferSyntax, out var syntax)
            ? this with { MediaType = Proxy.Dicom.TransferSyntax.FindFrameType(syntax) ?? MediaType }
            : this;

    /// <summary>
    /// True when a body of <paramref name="mediaType"/> in <paramref name="transferSyntax"/> satisfies a request for this form.
    /// </summary>
    /// <remarks>
    /// A whole instance in Implicit VR Little Endian or Explicit VR Big Endian satisfies no request (PS3.18 §8.7.3). A frame has
    /// no VR, so a frame of an implicit instance counts as Explicit VR Little Endian.
    /// </remarks>
    public bool IsSatisfiedBy(string mediaType, string? transferSyntax)
    {
        if (MediaType == Dicom)
        {
            if (mediaType != Dicom
                || transferSyntax is Proxy.Dicom.TransferSyntax.ImplicitLittleEndian or Proxy.Dicom.TransferSyntax.ExplicitBigEndian)
                return false;
        }
        else if (transferSyntax == Proxy.Dicom.TransferSyntax.ImplicitLittleEndian)
        {
            transferSyntax = ExplicitLittleEndian;
        }
        return TransferSyntax == Any
            ? MediaType == Proxy.Dicom.MediaType.OctetStream || MediaType == mediaType
            : TransferSyntax == transferSyntax;
    }

    /// <summary>
    /// The form that one accepted media type requests; null for a type that is not pixel data, or that PS3.18 §8.7.3
    /// forbids. The default transfer syntax of a compressed media type comes from PS3.18 Table 8.7.3-5.
    /// </summary>
    public static BodyFormat? FromMediaType(MediaType accepted)
    {
        var type = accepted.Is(Proxy.Dicom.MediaType.MultipartRelated)
            ? accepted.Find("type")?.ToLowerInvariant() ?? Proxy.Dicom.MediaType.OctetStream
            : accepted.Type;
        // PS3.18 Table 8.7.3-5 replaced these older names (PS3.18 §8.7.3.3.2).
        type = type switch
        {
            "*/*" or "application/*" or "multipart/*" => Proxy.Dicom.MediaType.OctetStream,
            "image/x-jls" => "image/jls",
            "image/x-dicom-rle" => "image/dicom-rle",
            _ => type,
        };
        var byDefault = type switch
        {
            Proxy.Dicom.MediaType.OctetStream => ExplicitLittleEndian,
            Dicom => ExplicitLittleEndian,
            "image/jpeg" => "1.2.840.10008.1.2.4.70",
            "image/dicom-rle" => "1.2.840.10008.1.2.5",
            "image/jls" => "1.2.840.10008.1.2.4.80",
            "image/jp2" => "1.2.840.10008.1.2.4.90",
            "image/jpx" => "1.2.840.10008.1.2.4.92",
            "image/jphc" => "1.2.840.10008.1.2.4.201",
            "video/mpeg" => "1.2.840.10008.1.2.4.100",
            "video/mp4" => "1.2.840.10008.1.2.4.102",
            _ => null,
        };
        if (byDefault is null) return null;
        var named = accepted.Find("transfer-syntax");
        if (named is Proxy.Dicom.TransferSyntax.ImplicitLittleEndian or Proxy.Dicom.TransferSyntax.ExplicitBigEndian) return null;
        return named is null or Any || Uid.TryParse(named, out _) ? new(type, named ?? byDefault) : null;
    }
}
