using System.Buffers.Binary;

namespace Proxy.Imaging.Presentation;

/// <summary>Expands the segments of a palette (PS3.3 §C.7.9.2).</summary>
/// <remarks>
/// <code>
/// 0 length value…                discrete: the values
/// 1 length value                 linear: from the last entry to the value, in length steps
/// 2 count offset(low) offset(high)   indirect: count discrete and linear segments again, from a byte offset
/// </code>
/// Each number is a word, or a byte if entries have 8 bits and the data is packed; the offset of packed data has four bytes.
/// </remarks>
internal ref struct PaletteSegments(ReadOnlySpan<byte> data, bool areBytes, Span<ushort> entries)
{
    private readonly ReadOnlySpan<byte> _data = data;
    private readonly Span<ushort> _entries = entries;
    private int _count;
    private int _at;

    /// <summary>Expands segments until the data or the room ends, or a segment is wrong.</summary>
    /// <returns>The number of entries.</returns>
    public int Expand()
    {
        while (_count < _entries.Length && TryExpandSegment(isIndirectAllowed: true))
        {
        }
        return _count;
    }

    private readonly int Size => areBytes ? 1 : 2;

    private bool TryExpandSegment(bool isIndirectAllowed)
    {
        if (!TryReadNumber(out var code) || !TryReadNumber(out var length)) return false;
        return code switch
        {
            0 => TryCopy(length),
            1 => TryDraw(length),
            2 => isIndirectAllowed && TryRepeat(length),
            _ => false,
        };
    }

    private bool TryCopy(int length)
    {
        for (var i = 0; i < length && _count < _entries.Length; i++)
        {
            if (!TryReadNumber(out var value)) return false;
            _entries[_count++] = (ushort)value;
        }
        return true;
    }

    private bool TryDraw(int length)
    {
        if (_count == 0 || !TryReadNumber(out var end)) return false;
        var start = _entries[_count - 1];
        for (var i = 1; i <= length && _count < _entries.Length; i++)
            _entries[_count++] = (ushort)Math.Round(start + (end - start) * (double)i / length);
        return true;
    }

    private bool TryRepeat(int count)
    {
        long offset = 0;
        for (var (shift, step) = (0, 8 * Size); shift < 32; shift += step)
        {
            if (!TryReadNumber(out var part)) return false;
            offset |= (long)part << shift;
        }
        if (offset >= _data.Length) return false;
        var next = _at;
        _at = (int)offset;
        var isWhole = true;
        for (var i = 0; i < count && isWhole && _count < _entries.Length; i++) isWhole = TryExpandSegment(isIndirectAllowed: false);
        _at = next;
        return isWhole;
    }

    private bool TryReadNumber(out int number)
    {
        number = 0;
        if (_data.Length - _at < Size) return false;
        number = areBytes ? _data[_at] : BinaryPrimitives.ReadUInt16LittleEndian(_data[_at..]);
        _at += Size;
        return true;
    }
}
