using System.Buffers.Binary;

namespace Proxy.Wire.Part10;

/// <summary>The description and position of the pixel data of a dataset, from which the position of each frame is computed.</summary>
internal sealed class PixelLayout(bool isEncapsulated)
{
    /// <summary>The limit for fragments, and for frames.</summary>
    public const int MaxFragments = 1 << 20;

    /// <summary>An item's tag and length (PS3.5 §7.5).</summary>
    private const int ItemHeadBytes = 8;

    public bool IsEncapsulated { get; } = isEncapsulated;

    public ushort Rows { get; set; }

    public ushort Columns { get; set; }

    public ushort SamplesPerPixel { get; set; }

    public ushort BitsAllocated { get; set; }

    /// <summary>Two pixels share their chrominance: YBR_FULL_422 (PS3.3 §C.7.6.3.1.2).</summary>
    public bool IsHalfChroma { get; set; }

    /// <summary>1 when the attribute is absent (PS3.3 §C.7.6.6).</summary>
    public int NumberOfFrames { get; set; } = 1;

    public bool IsFloat { get; set; }

    public ByteRange? Native { get; set; }

    /// <summary>The fragments of encapsulated pixel data without the Basic Offset Table.</summary>
    public List<ByteRange> Fragments { get; } = [];

    /// <summary>The Basic Offset Table (PS3.5 §A.4).</summary>
    public ByteRange? OffsetTable { get; set; }

    /// <summary>The Extended Offset Table (PS3.3 §C.7.6.3.1.8).</summary>
    public ByteRange? ExtendedOffsets { get; set; }

    /// <summary>The Extended Offset Table Lengths (PS3.3 §C.7.6.3.1.9).</summary>
    public ByteRange? ExtendedLengths { get; set; }

    /// <summary>The ranges of all frames, as <see cref="Part10Frames"/> holds them.</summary>
    /// <param name="cursor">Reads the offset tables.</param>
    /// <param name="fileLength">Bounds the number of frames.</param>
    /// <param name="ranges">The ranges of all frames, in order.</param>
    /// <param name="firsts">The index in <paramref name="ranges"/> of each frame's first range; null when each frame has one.</param>
    public FrameRefusal Cut(Part10Cursor cursor, long fileLength, out ByteRange[] ranges, out int[]? firsts)
    {
        ranges = [];
        firsts = null;
        if (IsFloat) return FrameRefusal.PixelFormat;
        if (Native is null && OffsetTable is null) return FrameRefusal.NoPixelData;
        if (NumberOfFrames > Math.Min(MaxFragments, fileLength / ItemHeadBytes)) return FrameRefusal.TooMany;
        return Native is { } native ? CutNative(native, out ranges) : CutFragments(cursor, OffsetTable!.Value, out ranges, out firsts);
    }

    /// <summary>
    /// Frames of equal size follow each other; one byte may pad the last to an even length (PS3.5 §8.1.1, OB in §6.2). Frames of single
    /// bits follow each other without padding, so they are cut only if each fills whole bytes.
    /// </summary>
    private FrameRefusal CutNative(ByteRange native, out ByteRange[] ranges)
    {
        ranges = [];
        if (BitsAllocated != 1 && BitsAllocated % 8 != 0 || BitsAllocated > 64) return FrameRefusal.PixelFormat;
        if (IsHalfChroma && (SamplesPerPixel != 3 || Columns % 2 != 0)) return FrameRefusal.PixelFormat;
        var (frame, rest) = Math.DivRem((long)Rows * Columns * (IsHalfChroma ? 2 : SamplesPerPixel) * BitsAllocated, 8);
        if (frame == 0 || rest > 0) return FrameRefusal.PixelFormat;
        if (frame > native.Length) return FrameRefusal.PixelLength;
        var all = frame * NumberOfFrames;
        if (native.Length != all && native.Length != all + all % 2) return FrameRefusal.PixelLength;
        ranges = new ByteRange[NumberOfFrames];
        for (var i = 0; i < ranges.Length; i++) ranges[i] = new(native.Offset + i * frame, frame);
        return FrameRefusal.None;
    }

    /// <summary>
    /// An offset table with another number of frames contradicts the dataset, so the frames are refused. A table with the right
    /// number and wrong offsets is ignored, because some writers forget the padding. A fragment never holds parts of two frames
    /// (PS3.5 §A.4), so a single frame, or one fragment per frame, is certain without a table.
    /// </summary>
    private FrameRefusal CutFragments(Part10Cursor cursor, ByteRange basic, out ByteRange[] ranges, out int[]? firsts)
    {
        ranges = [];
        firsts = null;
        if (Fragments.Count < NumberOfFrames) return FrameRefusal.FrameBorders;
        var hasBasic = basic.Length > 0;
        var hasExtended = ExtendedOffsets is not null || ExtendedLengths is not null;
        if (hasBasic && basic.Length != 4L * NumberOfFrames) return FrameRefusal.FrameBorders;
        if (hasExtended && (ExtendedOffsets?.Length != 8L * NumberOfFrames || ExtendedLengths?.Length != 8L * NumberOfFrames))
            return FrameRefusal.FrameBorders;

        if (hasBasic) firsts = ReadFirsts(cursor, basic, entryBytes: 4);
        if (firsts is null && hasExtended) firsts = ReadExtended(cursor);
        if (firsts is null && NumberOfFrames == 1) firsts = [0];
        if (firsts is null && Fragments.Count > NumberOfFrames) return FrameRefusal.FrameBorders;
        firsts ??= [.. Enumerable.Range(0, NumberOfFrames)];
        for (var i = 0; i < firsts.Length; i++)
        {
            if (GetLength(firsts, i) == 0) return FrameRefusal.FrameBorders;
        }
        ranges = [.. Fragments];
        return FrameRefusal.None;
    }

    private int[]? ReadExtended(Part10Cursor cursor) =>
        ReadFirsts(cursor, ExtendedOffsets!.Value, entryBytes: 8) is { } firsts && AreLengths(cursor, ExtendedLengths!.Value, firsts)
            ? firsts
            : null;

    /// <summary>
    /// Each frame's first fragment, from a table of offsets relative to the first fragment's item; null when an offset does not
    /// point at an item, or the offsets do not ascend.
    /// </summary>
    private int[]? ReadFirsts(Part10Cursor cursor, ByteRange table, int entryBytes)
    {
        var firsts = new int[NumberOfFrames];
        cursor.MoveTo(table.Offset);
        for (int i = 0, at = 0; i < firsts.Length; i++, at++)
        {
            var entry = cursor.Read(entryBytes);
            var offset = entryBytes == 4 ? BinaryPrimitives.ReadUInt32LittleEndian(entry) : BinaryPrimitives.ReadUInt64LittleEndian(entry);
            if (i == 0 && offset > 0) return null;
            while (at < Fragments.Count && GetOffset(at) < offset) at++;
            if (at == Fragments.Count || GetOffset(at) != offset) return null;
            firsts[i] = at;
        }
        return firsts;
    }

    /// <summary>True when the frames have the Extended Offset Table Lengths, with or without the padding byte.</summary>
    private bool AreLengths(Part10Cursor cursor, ByteRange table, int[] firsts)
    {
        cursor.MoveTo(table.Offset);
        for (var i = 0; i < firsts.Length; i++)
        {
            var length = GetLength(firsts, i);
            var declared = BinaryPrimitives.ReadUInt64LittleEndian(cursor.Read(8));
            if (declared != length && declared != length - 1) return false;
        }
        return true;
    }

    /// <summary>
    /// The distance from the first fragment's item to this item; measured between values, because all item heads have one length.
    /// </summary>
    private ulong GetOffset(int fragment) => (ulong)(Fragments[fragment].Offset - Fragments[0].Offset);

    private ulong GetLength(int[] firsts, int frame)
    {
        var end = frame + 1 < firsts.Length ? firsts[frame + 1] : Fragments.Count;
        var length = 0UL;
        for (var i = firsts[frame]; i < end; i++) length += (ulong)Fragments[i].Length;
        return length;
    }
}
