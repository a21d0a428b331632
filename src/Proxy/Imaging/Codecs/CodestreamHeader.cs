using Proxy.Wire;

namespace Proxy.Imaging.Codecs;

/// <summary>
/// What the header of a codestream says about its frame. It is compared with the dataset before a decoder reads the codestream.
/// </summary>
public sealed record CodestreamHeader
{
    /// <summary>The width in pixels.</summary>
    public required int Columns { get; init; }

    /// <summary>The height in pixels.</summary>
    public required int Rows { get; init; }

    /// <summary>The number of components.</summary>
    public required int Components { get; init; }

    /// <summary>The bits of a sample: of all components the same.</summary>
    public required int Precision { get; init; }

    /// <summary>True when samples are signed. Only JPEG 2000 says it; the other codings store bit patterns.</summary>
    public bool IsSigned { get; init; }

    /// <summary>True when the decoder returns one plane per component: JPEG-LS without interleaving (ISO/IEC 14495-1 §C.2.3).</summary>
    public bool IsPlanar { get; init; }

    /// <summary>
    /// True when the decoded components are red, green and blue, false when they are luminance and chrominance, null when the
    /// codestream does not say it: then the dataset does.
    /// </summary>
    public bool? IsRgb { get; init; }

    /// <summary>The offset of the codestream: DICOM allows no JP2 file around it (PS3.5 §A.4.4), but such frames exist.</summary>
    public int Start { get; init; }

    /// <summary>Reads the header; null when the bytes have no complete header of this coding.</summary>
    /// <param name="coding">JPEG or JPEG 2000, each with its successors.</param>
    /// <param name="frame">The whole frame.</param>
    public static CodestreamHeader? Read(PixelCoding coding, ReadOnlySpan<byte> frame) => coding switch
    {
        PixelCoding.Jpeg => JpegHeader.Read(frame),
        PixelCoding.Jpeg2000 => Jpeg2000Header.Read(frame),
        _ => null,
    };

    /// <summary>Why this codestream cannot be the frame that the dataset describes; null when it can.</summary>
    /// <remarks>
    /// The precision need not be Bits Stored: encoders also code the whole container of 16 bits, or fewer bits than a lossy instance
    /// keeps. It only must fit into Bits Allocated.
    /// </remarks>
    /// <param name="layout">The Image Pixel module of the instance.</param>
    public string? FindDisagreement(PixelLayout layout) =>
        Columns != layout.Columns || Rows != layout.Rows
            ? $"its codestream has {Columns} × {Rows} pixels, and the dataset {layout.Columns} × {layout.Rows}"
        : Components != layout.SamplesPerPixel
            ? $"its codestream has {Components} components, and the dataset {layout.SamplesPerPixel} samples per pixel"
        : Precision > layout.BitsAllocated
            ? $"its codestream has {Precision} bits per sample, and the dataset allocates {layout.BitsAllocated}"
        : null;
}
