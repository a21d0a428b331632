using System.Globalization;
using Proxy.Dicom;

namespace Proxy.Imaging;

/// <summary>How the samples of a frame are laid out: the Image Pixel module of an instance (PS3.3 §C.7.6.3).</summary>
public sealed record PixelLayout
{
    private const uint SamplesPerPixelTag = 0x00280002;
    private const uint PhotometricInterpretationTag = 0x00280004;
    private const uint PlanarConfigurationTag = 0x00280006;
    private const uint RowsTag = 0x00280010;
    private const uint ColumnsTag = 0x00280011;
    private const uint BitsAllocatedTag = 0x00280100;
    private const uint BitsStoredTag = 0x00280101;
    private const uint HighBitTag = 0x00280102;
    private const uint PixelRepresentationTag = 0x00280103;

    /// <summary>Rows (0028,0010), 1 to 65,535.</summary>
    public required int Rows { get; init; }

    /// <summary>Columns (0028,0011), 1 to 65,535.</summary>
    public required int Columns { get; init; }

    /// <summary>Samples per Pixel (0028,0002): 1 or 3.</summary>
    public required int SamplesPerPixel { get; init; }

    /// <summary>Photometric Interpretation (0028,0004), such as MONOCHROME2.</summary>
    public required string PhotometricInterpretation { get; init; }

    /// <summary>Bits Allocated (0028,0100): 1, 8, 16, 32 or 64.</summary>
    public required int BitsAllocated { get; init; }

    /// <summary>Bits Stored (0028,0101), at most <see cref="BitsAllocated"/>.</summary>
    public required int BitsStored { get; init; }

    /// <summary>High Bit (0028,0102): the position of the most significant stored bit.</summary>
    public required int HighBit { get; init; }

    /// <summary>True when samples are two's complement: Pixel Representation (0028,0103) is 1.</summary>
    public bool IsSigned { get; init; }

    /// <summary>True when the frame has one plane per sample: Planar Configuration (0028,0006) is 1.</summary>
    public bool IsPlanar { get; init; }

    /// <summary>True when two pixels share their chrominance in an uncompressed frame (PS3.3 §C.7.6.3.1.2).</summary>
    public bool IsHalfChroma => SamplesPerPixel == 3 && PhotometricInterpretation is "YBR_FULL_422" or "YBR_PARTIAL_422";

    /// <summary>The length of one uncompressed frame in bytes, without padding; frames of single bits are rounded up.</summary>
    public long FrameLength =>
        ((long)Rows * Columns * (IsHalfChroma ? 2 : SamplesPerPixel) * BitsAllocated + 7) / 8;

    /// <summary>Reads the layout; null when an attribute is missing or out of its bounds.</summary>
    /// <param name="json">The dataset of the instance (PS3.18 Annex F).</param>
    public static PixelLayout? Read(ReadOnlySpan<byte> json)
    {
        int? rows = null, columns = null, allocated = null, stored = null, high = null;
        int samples = 1, representation = 0, planar = 0;
        string? photometric = null;
        for (var cursor = new DatasetCursor(json); cursor.MoveNext();)
        {
            if (cursor.Depth > 0 || cursor.Node != DatasetNode.Element || cursor.Tag.Value >> 16 != 0x0028) continue;
            var text = Dataset.ReadFirst(cursor.Attribute)?.Trim();
            int? number = int.TryParse(text, NumberStyles.Integer, CultureInfo.InvariantCulture, out var value) ? value : null;
            switch (cursor.Tag.Value)
            {
                case SamplesPerPixelTag: samples = number ?? 0; break;
                case PhotometricInterpretationTag: photometric = text?.ToUpperInvariant(); break;
                case PlanarConfigurationTag: planar = number ?? 0; break;
                case RowsTag: rows = number; break;
                case ColumnsTag: columns = number; break;
                case BitsAllocatedTag: allocated = number; break;
                case BitsStoredTag: stored = number; break;
                case HighBitTag: high = number; break;
                case PixelRepresentationTag: representation = number ?? 0; break;
                default: break;
            }
        }
        if (rows is not (> 0 and <= ushort.MaxValue) || columns is not (> 0 and <= ushort.MaxValue) || samples is not (1 or 3)
            || allocated is not (1 or 8 or 16 or 32 or 64) || photometric is null)
            return null;
        var bits = stored ?? allocated.Value;
        var top = high ?? bits - 1;
        if (bits < 1 || bits > allocated || top < bits - 1 || top >= allocated) return null;
        return new()
        {
            Rows = rows.Value,
            Columns = columns.Value,
            SamplesPerPixel = samples,
            PhotometricInterpretation = photometric,
            BitsAllocated = allocated.Value,
            BitsStored = bits,
            HighBit = top,
            IsSigned = representation == 1,
            IsPlanar = planar == 1,
        };
    }
}
