using System.Globalization;
using Proxy.Dicom;

namespace Proxy.Metadata;

/// <summary>The pixel attributes in the metadata of an instance: which frames exist, and the length of a native frame.</summary>
/// <remarks>
/// Image Pixel and Multi-frame modules (PS3.3 §C.7.6.3, §C.7.6.6). A number that is missing or unreadable is null and permits no
/// conclusion.
/// </remarks>
public sealed record PixelDescription
{
    private const uint SopClassUid = 0x00080016;
    private const uint AvailableTransferSyntaxUid = 0x00083002;
    private const uint SamplesPerPixelTag = 0x00280002;
    private const uint PhotometricInterpretation = 0x00280004;
    private const uint NumberOfFramesTag = 0x00280008;
    private const uint RowsTag = 0x00280010;
    private const uint ColumnsTag = 0x00280011;
    private const uint BitsAllocatedTag = 0x00280100;
    private const uint FloatPixelData = 0x7FE00008;
    private const uint DoubleFloatPixelData = 0x7FE00009;
    private const uint PixelData = 0x7FE00010;

    /// <summary>Video Endoscopic, Microscopic and Photographic Image Storage (PS3.4 §B.5).</summary>
    private static readonly string[] VideoClasses =
        ["1.2.840.10008.5.1.4.1.1.77.1.1.1", "1.2.840.10008.5.1.4.1.1.77.1.2.1", "1.2.840.10008.5.1.4.1.1.77.1.4.1"];

    /// <summary>Rows (0028,0010).</summary>
    public int? Rows { get; init; }

    /// <summary>Columns (0028,0011).</summary>
    public int? Columns { get; init; }

    /// <summary>Samples per Pixel (0028,0002).</summary>
    public int? SamplesPerPixel { get; init; }

    /// <summary>Bits Allocated (0028,0100).</summary>
    public int? BitsAllocated { get; init; }

    /// <summary>Number of Frames (0028,0008); null when missing.</summary>
    public int? NumberOfFrames { get; init; }

    /// <summary>True when two pixels share their chrominance: YBR_FULL_422 (PS3.3 §C.7.6.3.1.2).</summary>
    public bool IsHalfChroma { get; init; }

    /// <summary>True when the metadata has pixel data, or an attribute that only describes pixels.</summary>
    public bool HasPixels { get; init; }

    /// <summary>The transfer syntax in which the archive stores the instance (0008,3002); null when missing.</summary>
    public string? AvailableTransferSyntax { get; init; }

    /// <summary>True when the SOP class or the transfer syntax in the metadata is one of a video.</summary>
    public bool IsVideo { get; init; }

    /// <summary>True when the instance can have this frame. Without a number of frames it has one (PS3.3 §C.7.6.6).</summary>
    /// <param name="number">The frame, counted from 1 (PS3.18 §10.1.1).</param>
    public bool HasFrame(int number) => HasPixels && number <= (NumberOfFrames ?? 1);

    /// <summary>Whether a native frame can have this length; null when the metadata is insufficient.</summary>
    /// <remarks>
    /// A frame of odd length may have one padding byte (PS3.5 §8.1.1). Frames of single bits follow each other without padding
    /// (PS3.18 §8.7.3.3.1), so a single frame has either the bytes that it needs or the bytes that it touches.
    /// </remarks>
    /// <param name="number">The frame, counted from 1.</param>
    /// <param name="length">In bytes.</param>
    public bool? IsNativeLength(int number, long length)
    {
        if (Rows is not > 0 || Columns is not > 0 || SamplesPerPixel is not > 0 || BitsAllocated is not > 0) return null;
        var bits = (long)Rows * Columns.Value * SamplesPerPixel.Value * BitsAllocated.Value;
        if (IsPadded((bits + 7) / 8, length)) return true;
        if (IsHalfChroma && SamplesPerPixel == 3 && IsPadded((bits / 3 * 2 + 7) / 8, length)) return true;
        if (bits % 8 == 0) return false;
        var start = (number - 1) * bits;
        return IsPadded((start + bits + 7) / 8 - start / 8, length);
    }

    /// <summary>Reads one dataset of DICOM JSON, as <see cref="PackedInstances"/> holds it.</summary>
    public static PixelDescription Read(ReadOnlySpan<byte> json)
    {
        var pixels = new PixelDescription();
        var cursor = new DatasetCursor(json);
        while (cursor.MoveNext())
        {
            if (cursor is { Node: DatasetNode.Element, Depth: 0 }) pixels = pixels.With(cursor.Tag, cursor.Attribute);
        }
        return pixels;
    }

    private PixelDescription With(Tag tag, ReadOnlySpan<byte> attribute) => tag.Value switch
    {
        SopClassUid => this with { IsVideo = VideoClasses.Contains(ReadUid(attribute)) },
        AvailableTransferSyntaxUid => With(ReadUid(attribute)),
        SamplesPerPixelTag => this with { SamplesPerPixel = ReadCount(attribute) },
        PhotometricInterpretation => this with { IsHalfChroma = Dataset.ReadFirst(attribute)?.Trim() == "YBR_FULL_422" },
        NumberOfFramesTag => this with { NumberOfFrames = ReadCount(attribute) },
        RowsTag => this with { Rows = ReadCount(attribute), HasPixels = true },
        ColumnsTag => this with { Columns = ReadCount(attribute), HasPixels = true },
        BitsAllocatedTag => this with { BitsAllocated = ReadCount(attribute), HasPixels = true },
        FloatPixelData or DoubleFloatPixelData or PixelData => this with { HasPixels = true },
        _ => this,
    };

    private PixelDescription With(string? available) => this with
    {
        AvailableTransferSyntax = available,
        IsVideo = IsVideo || Uid.TryParse(available, out var uid) && TransferSyntax.FindVideoType(uid) is not null,
    };

    private static string? ReadUid(ReadOnlySpan<byte> attribute) =>
        Uid.TryParse(Dataset.ReadFirst(attribute)?.TrimEnd('\0', ' '), out var uid) ? uid.ToString() : null;

    private static int? ReadCount(ReadOnlySpan<byte> attribute)
    {
        var text = Dataset.ReadFirst(attribute)?.Trim();
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count > 0 ? count : null;
    }

    private static bool IsPadded(long frame, long length) => length == frame || frame % 2 == 1 && length == frame + 1;
}
