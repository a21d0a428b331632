using Proxy.Dicom;

namespace Proxy.Wire.Part10;

/// <summary>The positions of the frames of an instance in its Part 10 file, and their media type.</summary>
/// <remarks>
/// A frame of native pixel data is one range; a frame of encapsulated pixel data has a range for each of its fragments
/// (PS3.5 §A.4), in their order. The ranges include the byte that pads a fragment to even length.
/// </remarks>
public sealed class Part10Frames
{
    private readonly ByteRange[] _ranges;
    private readonly int[]? _firsts;

    /// <summary>Creates the positions of the frames of one file.</summary>
    /// <param name="transferSyntaxUid">From the file meta group.</param>
    /// <param name="sopInstanceUid">From the dataset.</param>
    /// <param name="mediaType">The media type of a single frame.</param>
    /// <param name="ranges">The ranges of all frames, in order.</param>
    /// <param name="firsts">The index in <paramref name="ranges"/> of each frame's first range; null when each frame has one.</param>
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

    /// <summary>The media type of a single frame, such as <c>application/octet-stream</c> or <c>image/jp2</c>.</summary>
    public string MediaType { get; }

    /// <summary>The number of frames.</summary>
    public int Count => _firsts?.Length ?? _ranges.Length;

    /// <summary>One frame by its number, counted from 1 (PS3.18 §10.1.1); null when the instance has no such frame.</summary>
    public FrameRanges? FindFrame(int number)
    {
        if (number < 1 || number > Count) return null;
        if (_firsts is null) return new(_ranges.AsMemory(number - 1, 1));
        var end = number < _firsts.Length ? _firsts[number] : _ranges.Length;
        return new(_ranges.AsMemory(_firsts[number - 1]..end));
    }
}

/// <summary>The ranges of one frame. Its bytes are those of the ranges in order, without the bytes between them.</summary>
/// <param name="Ranges">In the order of the file.</param>
public readonly record struct FrameRanges(ReadOnlyMemory<ByteRange> Ranges)
{
    /// <summary>The total length of the ranges, in bytes.</summary>
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

/// <summary>A range of bytes in a file.</summary>
/// <param name="Offset">The first byte.</param>
/// <param name="Length">The number of bytes.</param>
public readonly record struct ByteRange(long Offset, long Length)
{
    /// <summary>The offset behind the last byte.</summary>
    public long End => Offset + Length;
}

/// <summary>The reason why no frame can be cut out of a file.</summary>
public enum FrameRefusal
{
    /// <summary>Frames can be cut.</summary>
    None,

    /// <summary>The file has no preamble followed by <c>DICM</c> (PS3.10 §7.1).</summary>
    NotPart10,

    /// <summary>The file is truncated, has attributes out of order, lengths that do not fit, or an unknown VR.</summary>
    Malformed,

    /// <summary>A deflated, big endian or unknown transfer syntax: <see cref="TransferSyntax.FindFrameType"/>.</summary>
    TransferSyntax,

    /// <summary>The instance has no frames: it is a report or a document.</summary>
    NoPixelData,

    /// <summary>
    /// Pixels are floating-point numbers, or single bits that do not fill the last byte of a frame; or attributes that determine their
    /// size are missing.
    /// </summary>
    PixelFormat,

    /// <summary>The native pixel data does not have the total length of its frames.</summary>
    PixelLength,

    /// <summary>The assignment of fragments to frames is not certain.</summary>
    FrameBorders,

    /// <summary>The file exceeds a limit of attributes, nesting or frames.</summary>
    TooMany,
}
