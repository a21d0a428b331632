using System.Globalization;
using System.Text.Json;
using Proxy.Dicom;

namespace Proxy.Metadata;

/// <summary>What the metadata of an instance says about its pixels: which frames there are, and how long a native one is.</summary>
/// <remarks>
/// Image Pixel and Multi-frame modules (PS3.3 §C.7.6.3, §C.7.6.6). A number that is missing or unreadable is null: nothing follows
/// from it.
/// </remarks>
public sealed record PixelDescription
{
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

    public int? Rows { get; init; }

    public int? Columns { get; init; }

    public int? SamplesPerPixel { get; init; }

    public int? BitsAllocated { get; init; }

    /// <summary>As the metadata says it; null when it does not.</summary>
    public int? NumberOfFrames { get; init; }

    /// <summary>Two pixels may share their chrominance: YBR_FULL_422 (PS3.3 §C.7.6.3.1.2).</summary>
    public bool IsHalfChroma { get; init; }

    /// <summary>The metadata has pixel data, or an attribute that only describes pixels.</summary>
    public bool HasPixels { get; init; }

    /// <summary>The transfer syntax that the archive stores it in (0008,3002); null when it is not said.</summary>
    public string? AvailableTransferSyntax { get; init; }

    /// <summary>Whether the instance can have this frame. One that does not say how many it has, has one (PS3.3 §C.7.6.6).</summary>
    /// <param name="number">Counted from 1 (PS3.18 §10.1.1).</param>
    public bool HasFrame(int number) => HasPixels && number <= (NumberOfFrames ?? 1);

    /// <summary>Whether a native frame can have this length; null when the metadata does not say enough.</summary>
    /// <remarks>
    /// A frame of odd length may have one byte more, which pads it (PS3.5 §8.1.1). Frames of single bits follow each other
    /// without padding (PS3.18 §8.7.3.3.1), so that one alone is as many bytes as it needs or as it touches.
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
        var reader = new Utf8JsonReader(json, Dataset.ReaderOptions);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isTag = Tag.TryParse(reader.ValueSpan, out var tag);
            reader.Read();
            var start = (int)reader.TokenStartIndex;
            reader.Skip();
            if (isTag) pixels = pixels.With(tag, json[start..(int)reader.BytesConsumed]);
        }
        return pixels;
    }

    private PixelDescription With(Tag tag, ReadOnlySpan<byte> attribute) => tag.Value switch
    {
        AvailableTransferSyntaxUid => this with { AvailableTransferSyntax = ReadUid(attribute) },
        SamplesPerPixelTag => this with { SamplesPerPixel = ReadCount(attribute) },
        PhotometricInterpretation => this with { IsHalfChroma = Dataset.ReadFirst(attribute)?.Trim() == "YBR_FULL_422" },
        NumberOfFramesTag => this with { NumberOfFrames = ReadCount(attribute) },
        RowsTag => this with { Rows = ReadCount(attribute), HasPixels = true },
        ColumnsTag => this with { Columns = ReadCount(attribute), HasPixels = true },
        BitsAllocatedTag => this with { BitsAllocated = ReadCount(attribute), HasPixels = true },
        FloatPixelData or DoubleFloatPixelData or PixelData => this with { HasPixels = true },
        _ => this,
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
