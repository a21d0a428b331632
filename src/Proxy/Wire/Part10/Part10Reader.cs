using System.Buffers.Binary;
using Proxy.Dicom;

namespace Proxy.Wire.Part10;

/// <summary>Reads bytes of a file from <paramref name="offset"/> on, at least one and at most a full destination; 0 at its end.</summary>
public delegate int ReadAt(long offset, Span<byte> destination);

/// <summary>Finds the positions of the frames of an instance in its DICOM file (PS3.10 §7), so that single frames can be cut out.</summary>
/// <remarks>
/// <code>
/// preamble DICM  (0002,xxxx) explicit VR  (0008,0018) … (0028,0010) … (7FE0,0010) frames  …
/// └─── §7.1 ──┘  └────── ReadMeta ─────┘  └──────────────── ReadDataset ────────────────┘
/// </code>
/// <para>
/// The file is scanned to its last byte, head by head; values are skipped, and a sequence of defined length is one value. Frames
/// are returned only when the whole scan succeeded and their borders are certain. Otherwise the result is a
/// <see cref="FrameRefusal"/> and the frame must come from a backend, so no wrong frame is ever cut.
/// </para>
/// <para>Work and memory are bounded for every file: the number of heads, the nesting and the number of frames have limits.</para>
/// </remarks>
public static class Part10Reader
{
    private const int PreambleBytes = 128;
    private const int MaxDepth = 64;

    private const uint TransferSyntaxUid = 0x00020010;
    private const uint SopInstanceUid = 0x00080018;
    private const uint SamplesPerPixel = 0x00280002;
    private const uint PhotometricInterpretation = 0x00280004;
    private const uint NumberOfFrames = 0x00280008;
    private const uint Rows = 0x00280010;
    private const uint Columns = 0x00280011;
    private const uint BitsAllocated = 0x00280100;
    private const uint ExtendedOffsetTable = 0x7FE00001;
    private const uint ExtendedOffsetTableLengths = 0x7FE00002;
    private const uint FloatPixelData = 0x7FE00008;
    private const uint DoubleFloatPixelData = 0x7FE00009;
    private const uint PixelData = 0x7FE00010;
    private const uint Item = 0xFFFEE000;
    private const uint ItemDelimiter = 0xFFFEE00D;
    private const uint SequenceDelimiter = 0xFFFEE0DD;

    /// <summary>Finds the frames of a file, reading a few kilobytes at a time and no more of the file than needed.</summary>
    /// <param name="length">The length of the file in bytes, which bounds the ranges.</param>
    /// <param name="read">Reads bytes of the file; its exceptions pass through.</param>
    /// <param name="refusal">Why there are none; <see cref="FrameRefusal.None"/> when there are.</param>
    /// <returns>Null when no frame can be cut out of the file.</returns>
    public static Part10Frames? FindFrames(long length, ReadAt read, out FrameRefusal refusal)
    {
        var cursor = new Part10Cursor(length, read);
        try
        {
            return FindFrames(cursor, length, out refusal);
        }
        catch (MalformedAnswerException)
        {
            refusal = cursor.IsOverLimit ? FrameRefusal.TooMany : FrameRefusal.Malformed;
            return null;
        }
    }

    private static Part10Frames? FindFrames(Part10Cursor cursor, long length, out FrameRefusal refusal)
    {
        refusal = FrameRefusal.NotPart10;
        if (length < PreambleBytes + 4) return null;
        cursor.Skip(PreambleBytes);
        if (!cursor.Read(4).SequenceEqual("DICM"u8)) return null;

        var transferSyntax = ReadMeta(cursor);
        refusal = FrameRefusal.TransferSyntax;
        var video = TransferSyntax.FindVideoType(transferSyntax);
        if ((video ?? TransferSyntax.FindFrameType(transferSyntax)) is not { } mediaType) return null;

        var isImplicit = transferSyntax.ToString() == TransferSyntax.ImplicitLittleEndian;
        var pixels = new PixelLayout(isEncapsulated: mediaType != MediaType.OctetStream);
        var sopInstance = ReadDataset(cursor, isImplicit, pixels)
            ?? throw new MalformedAnswerException("The dataset has no SOP Instance UID.");
        // The pictures of a video are one stream in all fragments (PS3.5 §8.2.5), which a PACS gives as frame 1.
        if (video is not null) pixels.NumberOfFrames = 1;
        refusal = pixels.Cut(cursor, length, out var ranges, out var firsts);
        return refusal == FrameRefusal.None ? new(transferSyntax, sopInstance, mediaType, ranges, firsts) : null;
    }

    /// <summary>
    /// Reads group 0002, in explicit VR in every file (PS3.10 §7.1). It ends where the next group begins: its declared length is
    /// often wrong.
    /// </summary>
    internal static Uid ReadMeta(Part10Cursor cursor)
    {
        Uid? transferSyntax = null;
        var last = default(Tag);
        while (!cursor.IsAtEnd && BinaryPrimitives.ReadUInt16LittleEndian(cursor.Peek(2)) == 0x0002)
        {
            var head = ReadHead(cursor, isImplicit: false, ref last);
            if (head.Tag.Value == TransferSyntaxUid) transferSyntax = ReadUid(cursor, head);
            else SkipValue(cursor, head, isImplicit: false, depth: 0);
        }
        return transferSyntax ?? throw new MalformedAnswerException("The file names no transfer syntax (PS3.10 §7.1).");
    }

    private static Uid? ReadDataset(Part10Cursor cursor, bool isImplicit, PixelLayout pixels)
    {
        Uid? sopInstance = null;
        var last = new Tag(0x0002FFFF);
        while (!cursor.IsAtEnd)
        {
            var head = ReadHead(cursor, isImplicit, ref last);
            switch (head.Tag.Value)
            {
                case SopInstanceUid:
                    sopInstance = ReadUid(cursor, head);
                    break;
                case SamplesPerPixel:
                    pixels.SamplesPerPixel = ReadUShort(cursor, head);
                    break;
                case PhotometricInterpretation:
                    pixels.IsHalfChroma = ReadText(cursor, head).TrimEnd((byte)' ').SequenceEqual("YBR_FULL_422"u8);
                    break;
                case NumberOfFrames:
                    pixels.NumberOfFrames = ReadCount(cursor, head);
                    break;
                case Rows:
                    pixels.Rows = ReadUShort(cursor, head);
                    break;
                case Columns:
                    pixels.Columns = ReadUShort(cursor, head);
                    break;
                case BitsAllocated:
                    pixels.BitsAllocated = ReadUShort(cursor, head);
                    break;
                case ExtendedOffsetTable:
                    pixels.ExtendedOffsets = SkipTable(cursor, head);
                    break;
                case ExtendedOffsetTableLengths:
                    pixels.ExtendedLengths = SkipTable(cursor, head);
                    break;
                case FloatPixelData or DoubleFloatPixelData:
                    pixels.IsFloat = true;
                    SkipValue(cursor, head, isImplicit, depth: 0);
                    break;
                case PixelData:
                    ReadPixelData(cursor, head, isImplicit, pixels);
                    break;
                default:
                    SkipValue(cursor, head, isImplicit, depth: 0);
                    break;
            }
        }
        return sopInstance;
    }

    /// <summary>Attributes ascend (PS3.5 §7.1): no tag repeats, and the attributes that describe the pixels precede them.</summary>
    private static Part10Head ReadHead(Part10Cursor cursor, bool isImplicit, ref Tag last)
    {
        var head = cursor.ReadHead(isImplicit);
        if (head.Tag <= last || head.IsItemGroup) throw new MalformedAnswerException("Attributes are out of order (PS3.5 §7.1).");
        last = head.Tag;
        return head;
    }

    /// <summary>Native pixel data has a length, encapsulated pixel data has none (PS3.5 §A.4); both are OB or OW (§8.2).</summary>
    private static void ReadPixelData(Part10Cursor cursor, Part10Head head, bool isImplicit, PixelLayout pixels)
    {
        if (!isImplicit && head.Vr is not (Part10Head.Ob or Part10Head.Ow) || head.IsUndefined != pixels.IsEncapsulated)
            throw new MalformedAnswerException("The pixel data is not in the form of the transfer syntax (PS3.5 §A.4).");
        if (head.IsUndefined)
        {
            pixels.OffsetTable = ReadFragments(cursor, pixels.Fragments);
            return;
        }
        pixels.Native = new(head.Start, head.Length);
        cursor.Skip(head.Length);
    }

    /// <summary>The items of encapsulated pixel data: first the Basic Offset Table, then the fragments (PS3.5 §A.4).</summary>
    internal static ByteRange ReadFragments(Part10Cursor cursor, List<ByteRange>? fragments)
    {
        ByteRange? table = null;
        while (true)
        {
            var item = cursor.ReadHead(isImplicit: true);
            if (IsEnd(item, SequenceDelimiter))
                return table ?? throw new MalformedAnswerException("There is no Basic Offset Table (PS3.5 §A.4).");
            if (item.Tag.Value != Item || item.IsUndefined)
                throw new MalformedAnswerException("A fragment is not an item with a length (PS3.5 §A.4).");
            if (table is null) table = new(item.Start, item.Length);
            else if (fragments?.Count == PixelLayout.MaxFragments) throw cursor.OverLimit("The file has more fragments than the limit.");
            else fragments?.Add(new(item.Start, item.Length));
            cursor.Skip(item.Length);
        }
    }

    internal static void SkipValue(Part10Cursor cursor, Part10Head head, bool isImplicit, int depth)
    {
        if (!head.IsUndefined) cursor.Skip(head.Length);
        else if (head.Vr is Part10Head.Ob or Part10Head.Ow) ReadFragments(cursor, fragments: null);
        // UN of undefined length is a sequence in implicit VR, in every transfer syntax (PS3.5 §6.2.2).
        else SkipItems(cursor, isImplicit || head.Vr == Part10Head.Un, depth + 1);
    }

    /// <summary>Skips the items of a sequence of undefined length, to its delimiter (PS3.5 §7.5.1).</summary>
    private static void SkipItems(Part10Cursor cursor, bool isImplicit, int depth)
    {
        if (depth > MaxDepth) throw cursor.OverLimit("Sequences nest deeper than the limit.");
        while (true)
        {
            var item = cursor.ReadHead(isImplicit);
            if (IsEnd(item, SequenceDelimiter)) return;
            if (item.Tag.Value != Item)
                throw new MalformedAnswerException("A sequence contains an element that is not an item (PS3.5 §7.5).");
            if (item.IsUndefined) SkipAttributes(cursor, isImplicit, depth);
            else cursor.Skip(item.Length);
        }
    }

    private static void SkipAttributes(Part10Cursor cursor, bool isImplicit, int depth)
    {
        while (true)
        {
            var head = cursor.ReadHead(isImplicit);
            if (IsEnd(head, ItemDelimiter)) return;
            if (head.IsItemGroup) throw new MalformedAnswerException("An item ends without its delimiter (PS3.5 §7.5.1).");
            SkipValue(cursor, head, isImplicit, depth);
        }
    }

    internal static bool IsEnd(Part10Head head, uint delimiter)
    {
        if (head.Tag.Value != delimiter) return false;
        return head.Length == 0 ? true : throw new MalformedAnswerException("A delimiter has a value (PS3.5 §7.5).");
    }

    private static ByteRange SkipTable(Part10Cursor cursor, Part10Head head)
    {
        if (head.IsUndefined) throw new MalformedAnswerException("An offset table has an undefined length.");
        cursor.Skip(head.Length);
        return new(head.Start, head.Length);
    }

    private static Uid ReadUid(Part10Cursor cursor, Part10Head head) =>
        Uid.TryParse(ReadText(cursor, head), out var uid) ? uid : throw new MalformedAnswerException("A UID is not valid (PS3.5 §9.1).");

    private static ushort ReadUShort(Part10Cursor cursor, Part10Head head) =>
        head.Length == 2
            ? BinaryPrimitives.ReadUInt16LittleEndian(cursor.Read(2))
            : throw new MalformedAnswerException("A US value does not have two bytes (PS3.5 §6.2).");

    /// <summary>An integer string: digits between spaces (PS3.5 §6.2).</summary>
    private static int ReadCount(Part10Cursor cursor, Part10Head head)
    {
        var text = ReadText(cursor, head).TrimEnd((byte)0).Trim((byte)' ');
        return System.Buffers.Text.Utf8Parser.TryParse(text, out int count, out var used) && used == text.Length && count > 0
            ? count
            : throw new MalformedAnswerException("The number of frames is not a positive number.");
    }

    private static ReadOnlySpan<byte> ReadText(Part10Cursor cursor, Part10Head head) =>
        head.Length <= Uid.MaxLength + 2 ? cursor.Read((int)head.Length) : throw new MalformedAnswerException("A short text is too long.");
}
