using System.Text;
using Proxy.Dicom;

namespace Proxy.Wire.Part10;

/// <summary>Reads the dataset of a Part 10 file (PS3.10 §7) into DICOM JSON (PS3.18 §F.2), as the store holds metadata.</summary>
/// <remarks>
/// <code>
/// preamble DICM  (0002,xxxx)  │ (0008,0005) … sequence ┬ item ┬ … end │ … (7FE0,0010)  … │ zeros
/// └─────── not in the dataset ┘ chars         depth + 1 └─────┘          by reference      padding
/// </code>
/// <list type="bullet">
/// <item>Little endian with and without VRs, big endian, and deflated datasets, which are inflated once while they are read. A private
/// transfer syntax is refused.</item>
/// <item>Without VRs, <see cref="DataDictionary"/> gives the standard elements their VR; others are UN. So are standard elements that
/// were written as UN, and a UN of undefined length is a sequence without VRs (PS3.5 §6.2.2).</item>
/// <item>Group lengths are left out. Text is converted to UTF-8, and (0008,0005) says so (PS3.18 §F.2). (0008,3002) names the transfer
/// syntax of the file.</item>
/// <item>Pixel data, binary values above 1 KiB and numbers above 128 KiB are <see cref="BulkValue"/>s.</item>
/// </list>
/// <para>
/// Work and memory are bounded for every file: the number of heads, the nesting, the length of a text (16 MiB), of the JSON (32 MiB) and
/// of an inflated dataset (1 GiB) have limits. Skipped values are not read.
/// </para>
/// </remarks>
public sealed partial class Part10DatasetReader : IDisposable
{
    private const int PreambleBytes = 128;

    /// <summary>Three levels of JSON each, below the limit of all code that reads a dataset.</summary>
    private const int MaxDepth = 64;

    private const int MaxJsonBytes = 32 * 1024 * 1024;

    /// <summary>One byte of a deflated dataset can inflate to a thousand.</summary>
    private const long MaxInflatedBytes = 1L << 30;

    private const uint SpecificCharacterSet = 0x00080005;
    private const uint AvailableTransferSyntaxUid = 0x00083002;
    private const uint PixelRepresentation = 0x00280103;
    private const uint FirstPixelData = 0x7FE00008;
    private const uint PixelData = 0x7FE00010;
    private const uint Item = 0xFFFEE000;
    private const uint ItemDelimiter = 0xFFFEE00D;
    private const uint SequenceDelimiter = 0xFFFEE0DD;
    private const ushort Ui = ('U' << 8) | 'I';
    private const ushort Us = ('U' << 8) | 'S';
    private const ushort Ss = ('S' << 8) | 'S';

    private static readonly string[] Deflated = ["1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"];

    private readonly Part10Cursor _cursor;
    private readonly DatasetText _text = new(MaxJsonBytes);
    private readonly Part10Values _values;
    private readonly Uid _transferSyntax;
    private readonly List<BulkValue> _bulk = [];
    private readonly byte[] _links;

    /// <summary>The sequences around the current element, with the number of the current item.</summary>
    private readonly List<(Tag Sequence, int Item)> _items = [];

    private CharacterSet _characters = CharacterSet.Default;
    private bool _isSigned;
    private bool _hasCharacterSet;
    private bool _hasTransferSyntax;
    private Uid? _study;
    private Uid? _series;
    private Uid? _instance;

    /// <summary>Where (0008,0005) belongs when the file has none: the offset of the name of the first attribute behind it.</summary>
    private int _characterSetAt = -1;

    private Part10DatasetReader(Part10Cursor cursor, Uid transferSyntax, string links)
    {
        (_cursor, _transferSyntax) = (cursor, transferSyntax);
        _links = Encoding.UTF8.GetBytes($",\"BulkDataURI\":\"{links}");
        _values = new(_text);
    }

    /// <summary>Reads the dataset of a file.</summary>
    /// <param name="length">The length of the file, in bytes.</param>
    /// <param name="read">Reads bytes of the file; its exceptions pass through.</param>
    /// <param name="links">The text of a BulkDataURI in front of a <see cref="BulkValue.Path"/>; it needs no escape in JSON.</param>
    /// <exception cref="MalformedAnswerException">
    /// This is not a DICOM file, or is in a private transfer syntax, truncated, not valid, or exceeds a limit.
    /// </exception>
    public static Part10Dataset Read(long length, ReadAt read, string links)
    {
        var cursor = new Part10Cursor(length, read);
        cursor.Skip(PreambleBytes);
        if (!cursor.Read(4).SequenceEqual("DICM"u8)) throw new MalformedAnswerException("The file is not a DICOM file (PS3.10 §7.1).");
        var transferSyntax = Part10Reader.ReadMeta(cursor);
        var uid = transferSyntax.ToString();
        if (uid != TransferSyntax.ImplicitLittleEndian && !uid.StartsWith("1.2.840.10008.1.2.", StringComparison.Ordinal))
            throw new MalformedAnswerException("The transfer syntax is private.");
        if (!Deflated.Contains(uid))
        {
            using var reader = new Part10DatasetReader(cursor, transferSyntax, links);
            return reader.Read(GetCoding(uid));
        }
        using var inflated = new InflatedDataset(length, read, cursor.Position, MaxInflatedBytes);
        using var deflated = new Part10DatasetReader(inflated.CreateCursor(), transferSyntax, links);
        return deflated.Read(ElementCoding.Explicit) with { DeflatedAt = cursor.Position };
    }

    /// <summary>Reads a dataset that is not in a file: the identifier of a DIMSE answer (PS3.4 §C.2.2.1).</summary>
    /// <param name="bytes">The dataset.</param>
    /// <param name="isImplicit">True for Implicit VR, false for Explicit VR Little Endian.</param>
    /// <exception cref="MalformedAnswerException">It is not a dataset, or exceeds a limit.</exception>
    public static Part10Dataset ReadIdentifier(ReadOnlyMemory<byte> bytes, bool isImplicit)
    {
        var cursor = new Part10Cursor(bytes.Length, (offset, destination) =>
        {
            var count = Math.Min(destination.Length, bytes.Length - (int)offset);
            bytes.Span.Slice((int)offset, count).CopyTo(destination);
            return count;
        });
        using var reader = new Part10DatasetReader(cursor, default, links: "") { _hasTransferSyntax = true };
        return reader.Read(isImplicit ? ElementCoding.Implicit : ElementCoding.Explicit);
    }

    /// <summary>Copies a value out of the file, in the form of bulk data: little endian, not deflated.</summary>
    /// <param name="length">The length of the file, in bytes.</param>
    /// <param name="read">Reads bytes of the file; its exceptions pass through.</param>
    /// <param name="dataset">The dataset of the file.</param>
    /// <param name="value">One of its bulk values; all of it is held in memory.</param>
    /// <exception cref="MalformedAnswerException">The file is not the one that the dataset was read from.</exception>
    public static byte[] Copy(long length, ReadAt read, Part10Dataset dataset, BulkValue value)
    {
        using var inflated = dataset.DeflatedAt is { } start ? new InflatedDataset(length, read, start, MaxInflatedBytes) : null;
        ReadAt source = inflated is null ? read : inflated.ReadAt;
        var bytes = new byte[value.Length];
        var filled = 0;
        foreach (var range in value.Ranges)
        {
            for (var first = filled; filled - first < range.Length;)
            {
                var count = source(range.Offset + filled - first, bytes.AsSpan(filled, (int)(range.Length - (filled - first))));
                if (count == 0) throw new MalformedAnswerException("The file ends too early.");
                filled += count;
            }
        }
        if (value.Unit > 1) Part10Values.Reverse(bytes, value.Unit);
        return bytes;
    }

    /// <inheritdoc/>
    public void Dispose() => _text.Dispose();

    private static ElementCoding GetCoding(string transferSyntax) => transferSyntax switch
    {
        TransferSyntax.ImplicitLittleEndian => ElementCoding.Implicit,
        TransferSyntax.ExplicitBigEndian => ElementCoding.BigEndian,
        _ => ElementCoding.Explicit,
    };

    private Part10Dataset Read(ElementCoding coding)
    {
        ReadElements(long.MaxValue, isOpen: false, coding, depth: 0);
        if (_values.HasDecoded && !_hasCharacterSet)
            _text.Insert(_characterSetAt, "\"00080005\":{\"vr\":\"CS\",\"Value\":[\"ISO_IR 192\"]},"u8);
        return new(_transferSyntax, _text.ToArray(), _bulk)
        {
            StudyInstanceUid = _study,
            SeriesInstanceUid = _series,
            SopInstanceUid = _instance,
        };
    }

    /// <summary>Reads the elements of the dataset or of an item, in ascending order of their tags (PS3.5 §7.1).</summary>
    /// <param name="limit">The offset behind the last element, or behind the outer value when a delimiter ends the item.</param>
    /// <param name="isOpen">True when a delimiter ends the item (PS3.5 §7.5.1).</param>
    /// <param name="coding">How the elements are written.</param>
    /// <param name="depth">The number of items around; 0 for the dataset itself.</param>
    private void ReadElements(long limit, bool isOpen, ElementCoding coding, int depth)
    {
        _text.Write("{"u8);
        var isFirst = true;
        var last = depth == 0 ? new Tag(0x0002FFFF) : default;
        while (isOpen || (depth == 0 ? !_cursor.IsAtPadding : _cursor.Position < limit))
        {
            var head = _cursor.ReadHead(coding);
            if (isOpen && Part10Reader.IsEnd(head, ItemDelimiter)) break;
            if (head.Tag <= last || head.IsItemGroup) throw new MalformedAnswerException("Attributes are out of order (PS3.5 §7.1).");
            CheckWithin(head, limit);
            last = head.Tag;
            if (depth == 0) AddOwn(head.Tag, ref isFirst);
            // Group lengths (PS3.5 §7.2), and what AddOwn has written.
            if ((head.Tag.Value & 0xFFFF) == 0 || depth == 0 && head.Tag.Value == AvailableTransferSyntaxUid)
            {
                Part10Reader.SkipValue(_cursor, head, isImplicit: coding == ElementCoding.Implicit, depth: 0);
                continue;
            }
            ReadElement(head, limit, isFirst, coding, depth);
            isFirst = false;
        }
        if (depth == 0) AddOwn(new(uint.MaxValue), ref isFirst);
        _text.Write("}"u8);
    }

    /// <summary>Writes the attributes that the file itself does not contain, when the tag of the next attribute is higher.</summary>
    private void AddOwn(Tag next, ref bool isFirst)
    {
        if (_characterSetAt < 0 && next.Value > SpecificCharacterSet) _characterSetAt = _text.Length + (isFirst ? 0 : 1);
        if (_hasTransferSyntax || next.Value < AvailableTransferSyntaxUid) return;
        _hasTransferSyntax = true;
        _text.BeginAttribute(new(AvailableTransferSyntaxUid), Ui, isFirst);
        _values.Write(Vr.Find(Ui), Encoding.ASCII.GetBytes(_transferSyntax.ToString()), ElementCoding.Explicit, _characters);
        _text.Write("}"u8);
        isFirst = false;
    }

    private void ReadElement(Part10Head head, long limit, bool isFirst, ElementCoding coding, int depth)
    {
        var (letters, valueCoding) = FindVr(head, coding);
        var vr = Vr.Find(letters);
        _text.BeginAttribute(head.Tag, letters, isFirst);
        if (vr.Form == VrForm.Sequence) ReadItems(head, limit, valueCoding, depth);
        else if (head.IsUndefined || IsBulk(head, vr, depth)) AddBulk(head, vr, coding);
        else if (head.Length > Part10Values.MaxBytes) throw _cursor.OverLimit("A value is longer than the limit.");
        else WriteValue(head.Tag, vr, _cursor.Read((int)head.Length), valueCoding, depth);
        _text.Write("}"u8);
    }

    /// <summary>The VR of an element, and how its value is written.</summary>
    private (ushort Vr, ElementCoding Coding) FindVr(Part10Head head, ElementCoding coding)
    {
        if (coding != ElementCoding.Implicit && head.Vr != Part10Head.Un) return (head.Vr, coding);
        if (head.IsUndefined) return (Part10Head.Sq, ElementCoding.Implicit);
        if (coding == ElementCoding.BigEndian) return (Part10Head.Un, coding);
        var vr = DataDictionary.FindVr(head.Tag);
        if (vr == DataDictionary.UsOrSs) vr = _isSigned ? Ss : Us;
        return head.Length % Vr.Find(vr).Size == 0 ? (vr, ElementCoding.Implicit) : (Part10Head.Un, ElementCoding.Implicit);
    }

    private void WriteValue(Tag tag, Vr vr, ReadOnlySpan<byte> value, ElementCoding coding, int depth)
    {
        switch (tag.Value)
        {
            case SpecificCharacterSet:
                _characters = CharacterSet.Read(value);
                _hasCharacterSet |= depth == 0;
                value = "ISO_IR 192"u8;
                break;
            case PixelRepresentation when value.Length == 2:
                _isSigned = value[coding == ElementCoding.BigEndian ? 1 : 0] == 1;
                break;
            case 0x00080018 when depth == 0:
                _instance = FindUid(value);
                break;
            case 0x0020000D when depth == 0:
                _study = FindUid(value);
                break;
            case 0x0020000E when depth == 0:
                _series = FindUid(value);
                break;
        }
        _values.Write(vr, value, coding, _characters);
    }

    private static Uid? FindUid(ReadOnlySpan<byte> value) => Uid.TryParse(value.TrimEnd(" \0"u8), out var uid) ? uid : null;
}
