using System.Buffers;
using System.Collections.Immutable;
using Proxy.Dicom;
using Proxy.Wire;

namespace Proxy.Backends.Queries;

/// <summary>The rows of one backend's answer, each stored as its difference from an earlier row with the same attributes.</summary>
/// <remarks>
/// <code>
/// base   {"vr":"DA","Value":["20150102"]}
/// row    {"vr":"DA","Value":["20170831"]}     stored: 25 bytes as in the base · "70831" · 3 bytes as in the base
/// </code>
/// A row can be read without the others. A study row of 900 bytes takes about 150. Supports one writer at a time, and readers
/// after the writer has finished.
/// </remarks>
internal sealed class PackedRows
{
    /// <summary>Below the garbage collector's limit for large objects.</summary>
    private const int ChunkBytes = 64 * 1024;

    /// <summary>The number of bases to try: a backend omits attributes without a value, so a few shapes repeat.</summary>
    private const int MaxTries = 16;

    private readonly List<Dataset> _bases = [];
    private readonly List<byte[]> _chunks = [];
    private int _filled = int.MaxValue;

    /// <summary>The approximate memory, in bytes.</summary>
    public long Bytes => _chunks.Sum(c => (long)c.Length) + _bases.Sum(b => 256L + b.Json.Length + 12 * b.Attributes.Length);

    /// <summary>Adds a copy of a row and returns its position.</summary>
    public long Add(Dataset row)
    {
        var number = FindBase(row);
        var room = row.Json.Length + 15 * row.Attributes.Length + 5;
        if (_chunks.Count == 0 || _chunks[^1].Length - _filled < room)
        {
            _chunks.Add(new byte[Math.Max(room, ChunkBytes)]);
            _filled = 0;
        }
        var position = ((long)(_chunks.Count - 1) << 32) | (uint)_filled;
        var output = _chunks[^1].AsSpan(_filled);
        var written = WriteNumber(output, number);
        var from = _bases[number];
        for (var i = 0; i < row.Attributes.Length; i++)
        {
            var was = ValueAt(from, i);
            var now = ValueAt(row, i);
            var before = was.CommonPrefixLength(now);
            var behind = CommonEnd(was[before..], now[before..]);
            var own = now[before..^behind];
            written += WriteNumber(output[written..], before);
            written += WriteNumber(output[written..], behind);
            written += WriteNumber(output[written..], own.Length);
            own.CopyTo(output[written..]);
            written += own.Length;
        }
        _filled += written;
        return position;
    }

    /// <summary>The row at a position.</summary>
    public Dataset Read(long position)
    {
        var input = _chunks[(int)(position >> 32)].AsSpan((int)position);
        var from = _bases[ReadNumber(ref input)];
        var json = new ArrayBufferWriter<byte>(from.Json.Length + 16 * from.Attributes.Length + 64);
        var attributes = ImmutableArray.CreateBuilder<Dataset.Attribute>(from.Attributes.Length);
        for (var i = 0; i < from.Attributes.Length; i++)
        {
            json.Write(i == 0 ? "{"u8 : ","u8);
            DicomJsonWriter.WriteName(json, from.Attributes[i].Tag);
            var start = json.WrittenCount;
            var was = ValueAt(from, i);
            var (before, behind, own) = (ReadNumber(ref input), ReadNumber(ref input), ReadNumber(ref input));
            json.Write(was[..before]);
            json.Write(input[..own]);
            json.Write(was[^behind..]);
            input = input[own..];
            attributes.Add(new(from.Attributes[i].Tag, start, json.WrittenCount));
        }
        json.Write(from.Attributes.IsEmpty ? "{}"u8 : "}"u8);
        return new(json.WrittenMemory, attributes.MoveToImmutable(), []);
    }

    private static ReadOnlySpan<byte> ValueAt(Dataset row, int i) => row.Json.Span[row.Attributes[i].Start..row.Attributes[i].End];

    private int FindBase(Dataset row)
    {
        for (var i = _bases.Count - 1; i >= Math.Max(0, _bases.Count - MaxTries); i--)
        {
            if (HaveSameTags(_bases[i].Attributes.AsSpan(), row.Attributes.AsSpan())) return i;
        }
        _bases.Add(Copy(row));
        return _bases.Count - 1;
    }

    /// <summary>Copies the attributes without their names, because the row's own text belongs to the reader's buffer.</summary>
    private static Dataset Copy(Dataset row)
    {
        var text = new ArrayBufferWriter<byte>(row.Json.Length);
        var attributes = ImmutableArray.CreateBuilder<Dataset.Attribute>(row.Attributes.Length);
        for (var i = 0; i < row.Attributes.Length; i++)
        {
            var start = text.WrittenCount;
            text.Write(ValueAt(row, i));
            attributes.Add(new(row.Attributes[i].Tag, start, text.WrittenCount));
        }
        return new(text.WrittenSpan.ToArray(), attributes.MoveToImmutable(), []);
    }

    private static bool HaveSameTags(ReadOnlySpan<Dataset.Attribute> left, ReadOnlySpan<Dataset.Attribute> right)
    {
        if (left.Length != right.Length) return false;
        for (var i = 0; i < left.Length; i++)
        {
            if (left[i].Tag != right[i].Tag) return false;
        }
        return true;
    }

    private static int CommonEnd(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right)
    {
        var max = Math.Min(left.Length, right.Length);
        var count = 0;
        while (count < max && left[^(count + 1)] == right[^(count + 1)]) count++;
        return count;
    }

    private static int WriteNumber(Span<byte> output, int number)
    {
        var written = 0;
        for (; number > 127; number >>= 7) output[written++] = (byte)(number | 128);
        output[written++] = (byte)number;
        return written;
    }

    private static int ReadNumber(ref Span<byte> input)
    {
        int number = 0, read = 0;
        while (true)
        {
            number |= (input[read] & 127) << (7 * read);
            if (input[read++] < 128) break;
        }
        input = input[read..];
        return number;
    }
}
