using System.Globalization;
using System.Text;

namespace Proxy.Wire.Part10;

/// <summary>Items of sequences, and values that stay in the file.</summary>
public sealed partial class Part10DatasetReader
{
    /// <summary>Reads the items of a sequence (PS3.5 §7.5).</summary>
    private void ReadItems(Part10Head head, long limit, ElementCoding coding, int depth)
    {
        if (depth == MaxDepth) throw _cursor.OverLimit("Sequences nest deeper than the limit.");
        var (characters, isSigned) = (_characters, _isSigned);
        var end = head.IsUndefined ? limit : head.Start + head.Length;
        var count = 0;
        while (head.IsUndefined || _cursor.Position < end)
        {
            var item = _cursor.ReadHead(coding);
            if (head.IsUndefined && Part10Reader.IsEnd(item, SequenceDelimiter)) break;
            if (item.Tag.Value != Item)
                throw new MalformedAnswerException("A sequence contains an element that is not an item (PS3.5 §7.5).");
            CheckWithin(item, end);
            _text.Write(count++ == 0 ? ",\"Value\":["u8 : ","u8);
            _items.Add((head.Tag, count));
            ReadElements(item.IsUndefined ? end : item.Start + item.Length, item.IsUndefined, coding, depth + 1);
            _items.RemoveAt(_items.Count - 1);
            (_characters, _isSigned) = (characters, isSigned);
        }
        if (count > 0) _text.Write("]"u8);
    }

    private static void CheckWithin(Part10Head head, long limit)
    {
        if (head.Start > limit || !head.IsUndefined && head.Length > limit - head.Start)
            throw new MalformedAnswerException("A value is longer than the item or sequence around it (PS3.5 §7.5).");
    }

    private static bool IsBulk(Part10Head head, Vr vr, int depth) =>
        depth == 0 && head.Tag.Value is >= FirstPixelData and <= PixelData || vr.IsBulk(head.Length);

    private void AddBulk(Part10Head head, Vr vr, ElementCoding coding)
    {
        List<ByteRange> ranges = [];
        if (head.IsUndefined && coding == ElementCoding.BigEndian)
            throw new MalformedAnswerException("A big endian dataset has fragments (PS3.5 §A.4).");
        if (head.IsUndefined)
        {
            Part10Reader.ReadFragments(_cursor, ranges);
        }
        else
        {
            if (head.Length > 0) ranges.Add(new(head.Start, head.Length));
            _cursor.Skip(head.Length);
        }
        if (ranges.Count == 0) return;
        var path = string.Concat(_items.Select(i => string.Create(CultureInfo.InvariantCulture, $"{i.Sequence}.{i.Item}."))) + head.Tag;
        var unit = coding == ElementCoding.BigEndian ? vr.Unit : 1;
        _bulk.Add(new(path, ranges, unit) { IsEncapsulated = head.IsUndefined });
        _text.Write(_links);
        _text.Write(Encoding.ASCII.GetBytes(path));
        _text.Write("\""u8);
    }
}
