using Proxy.Dicom;

namespace Proxy.Wire.Part10;

/// <summary>Where the frames of an instance stand in its Part 10 file, and what their bytes are.</summary>
/// <remarks>
/// A frame of native pixel data is one range; one of encapsulated pixel data has a range for each of its fragments
/// (PS3.5 §A.4), in their order. Ranges hold what the file holds: the byte that pads a fragment to even length stays.
/// </remarks>
public sealed class Part10Frames
{
    private readonly ByteRange[] _ranges;
    private readonly int[]? _firsts;

    /// <param name="transferSyntaxUid">Of the file meta group.</param>
    /// <param name="sopInstanceUid">Of the dataset.</param>
    /// <param name="mediaType">What a frame alone is.</param>
    /// <param name="ranges">Of all frames, in their order.</param>
    /// <param name="firsts">The place in <paramref name="ranges"/> of each frame's first; null when each frame has one.</param>
    internal Part10Frames(Uid transferSyntaxUid, Uid sopInstanceUid, string mediaType, ByteRange[] ranges, int[]? firsts)
    {
        TransferSyntaxUid = transferSyntaxUid;
        SopInstanceUid = sopInstanceUid;
        MediaType = mediaType;
        _ranges = ranges;
        _firsts = firsts;
    }

    /// <summary>Transfer Syntax UID (0002,0010).</summary>
    public Uid TransferSyntaxUid { get; }

    /// <summary>SOP Instance UID (0008,0018).</summary>
    public Uid SopInstanceUid { get; }

    /// <summary>Such as <c>application/octet-stream</c> or <c>image/jp2</c>.</summary>
    public string MediaType { get; }

    public int Count => _firsts?.Length ?? _ranges.Length;

    /// <summary>One frame, counted from 1 (PS3.18 §10.1.1); null when there is none of this number.</summary>
    public FrameRanges? FindFrame(int number)
    {
        if (number < 1 || number > Count) return null;
        if (_firsts is null) return new(_ranges.AsMemory(number - 1, 1));
        var end = number < _firsts.Length ? _firsts[number] : _ranges.Length;
        return new(_ranges.AsMemory(_firsts[number - 1]..end));
    }
}

/// <summary>The ranges of one frame, which follow each other without what stands between them in the file.</summary>
public readonly record struct FrameRanges(ReadOnlyMemory<ByteRange> Ranges)
{
    /// <summary>Of all ranges, in bytes.</summary>
    public long Length
    {
        get
        {
            var length = 0L;
            foreach (var range in Ranges.Span) length += range.Length;
            return length;
        }
    }
}

/// <summary>Bytes of a file.</summary>
public readonly record struct ByteRange(long Offset, long Length)
{
    public long End => Offset + Length;
}

/// <summary>Why no frame can be cut out of a file.</summary>
public enum FrameRefusal
{
    None,

    /// <summary>No preamble with <c>DICM</c> behind it (PS3.10 §7.1).</summary>
    NotPart10,

    /// <summary>Cut short, attributes out of order, lengths that do not fit, a VR that there is not.</summary>
    Malformed,

    /// <summary>Deflated, big endian, video, or one that is not known: <see cref="TransferSyntax.FindFrameType"/>.</summary>
    TransferSyntax,

    /// <summary>A report, a document: it has no frames.</summary>
    NoPixelData,

    /// <summary>Pixels that are floating-point numbers, single bits, or that lack what their size is computed of.</summary>
    PixelFormat,

    /// <summary>Native pixel data is not as long as its frames together.</summary>
    PixelLength,

    /// <summary>Which fragments make up which frame is not certain.</summary>
    FrameBorders,

    /// <summary>More attributes, deeper nesting or more frames than are read.</summary>
    TooMany,
}
