using Proxy.Dicom;

namespace Proxy.Imaging.Codecs;

/// <summary>How the frames of a transfer syntax are coded, as far as the decoders differ.</summary>
internal enum Codec
{
    /// <summary>Not decoded: video, deflated, big endian, multi-component JPEG 2000, JPEG XL, and unknown transfer syntaxes.</summary>
    None,

    /// <summary>Uncompressed, little endian.</summary>
    Native,

    /// <summary>RLE Lossless (PS3.5 Annex G).</summary>
    Rle,

    /// <summary>JPEG of 8 and 12 bits, sequential and progressive, and lossless JPEG (ISO/IEC 10918-1).</summary>
    Jpeg,

    /// <summary>JPEG-LS (ISO/IEC 14495-1).</summary>
    JpegLs,

    /// <summary>JPEG 2000 (ISO/IEC 15444-1).</summary>
    Jpeg2000,

    /// <summary>High-Throughput JPEG 2000 (ISO/IEC 15444-15).</summary>
    HtJpeg2000,
}

/// <summary>The codec of each transfer syntax.</summary>
internal static class CodecOf
{
    private const string Compressed = "1.2.840.10008.1.2.4.";

    /// <summary>The codec of a transfer syntax (PS3.6 Table A-1).</summary>
    public static Codec Find(string transferSyntax) => transferSyntax switch
    {
        TransferSyntax.ImplicitLittleEndian or BodyFormat.ExplicitLittleEndian => Codec.Native,
        "1.2.840.10008.1.2.5" => Codec.Rle,
        Compressed + "50" or Compressed + "51" or Compressed + "53" or Compressed + "55" => Codec.Jpeg,
        Compressed + "57" or Compressed + "70" => Codec.Jpeg,
        Compressed + "80" or Compressed + "81" => Codec.JpegLs,
        Compressed + "90" or Compressed + "91" => Codec.Jpeg2000,
        Compressed + "201" or Compressed + "202" or Compressed + "203" => Codec.HtJpeg2000,
        _ => Codec.None,
    };
}
