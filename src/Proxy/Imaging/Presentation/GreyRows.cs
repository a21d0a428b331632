using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Proxy.Imaging.Presentation;

/// <summary>Grey rows of samples of at most 16 bits: a table gives the grey of each.</summary>
internal sealed class GreyRows : PixelRows
{
    private readonly NativeFrame _frame;
    private readonly SampleBits _bits;
    private readonly byte[] _table;

    /// <summary>Creates the rows and the table, which has one byte for each possible sample.</summary>
    public GreyRows(NativeFrame frame, GreyMap map) : base(frame.Layout.Columns, frame.Layout.Rows, components: 1)
    {
        (_frame, _bits) = (frame, SampleBits.Of(frame.Layout));
        if (map.NeedsRange) SetRange(map);
        _table = new byte[_bits.Values];
        for (var index = 0; index < _table.Length; index++) _table[index] = map.Map(_bits.Extend(index));
    }

    public override void Read(int y, int x, Span<byte> pixels)
    {
        var at = (long)y * Width + x;
        SampleWords.Read(_frame, at, pixels, _bits, _table);
    }

    /// <summary>Sets the range to that of the values in the frame. The samples of 1 bit are black and white.</summary>
    private void SetRange(GreyMap map)
    {
        var seen = new bool[_bits.Values];
        if (_bits.Count == 1) seen.AsSpan().Fill(true);
        else SampleWords.Mark(_frame, _bits, seen);
        var (smallest, largest) = (double.MaxValue, double.MinValue);
        for (var index = 0; index < seen.Length; index++)
        {
            if (!seen[index] || map.IsPadding(_bits.Extend(index))) continue;
            var value = map.ToModality(_bits.Extend(index));
            (smallest, largest) = (Math.Min(smallest, value), Math.Max(largest, value));
        }
        map.SetRange(smallest, largest);
    }
}

/// <summary>Reads samples of 1, 8 or 16 allocated bits.</summary>
internal static class SampleWords
{
    /// <summary>Reads consecutive samples and looks each up in a table.</summary>
    /// <param name="frame">The frame.</param>
    /// <param name="at">The number of the first sample in the frame.</param>
    /// <param name="values">Receives the entries.</param>
    /// <param name="bits">The bits of the sample.</param>
    /// <param name="table">One entry for each possible sample.</param>
    public static void Read(NativeFrame frame, long at, Span<byte> values, SampleBits bits, byte[] table)
    {
        var bytes = frame.Bytes.Span;
        var (shift, mask) = (bits.Shift, (int)bits.Mask);
        switch (frame.Layout.BitsAllocated)
        {
            case 16 when BitConverter.IsLittleEndian:
                var words = MemoryMarshal.Cast<byte, ushort>(bytes.Slice((int)at * 2, values.Length * 2));
                for (var i = 0; i < words.Length; i++) values[i] = table[(words[i] >> shift) & mask];
                break;
            case 16:
                for (var i = 0; i < values.Length; i++)
                    values[i] = table[(BinaryPrimitives.ReadUInt16LittleEndian(bytes[((int)at * 2 + i * 2)..]) >> shift) & mask];
                break;
            case 8:
                var samples = bytes.Slice((int)at, values.Length);
                for (var i = 0; i < samples.Length; i++) values[i] = table[(samples[i] >> shift) & mask];
                break;
            default:
                for (var i = 0; i < values.Length; i++) values[i] = table[bytes[(int)((at + i) >> 3)] >> (int)((at + i) & 7) & 1];
                break;
        }
    }

    /// <summary>Marks each sample that the frame contains.</summary>
    /// <param name="frame">The frame, of 8 or 16 allocated bits.</param>
    /// <param name="bits">The bits of the sample.</param>
    /// <param name="seen">One entry for each possible sample.</param>
    public static void Mark(NativeFrame frame, SampleBits bits, bool[] seen)
    {
        var bytes = frame.Bytes.Span;
        var (shift, mask) = (bits.Shift, (int)bits.Mask);
        if (frame.Layout.BitsAllocated == 8)
        {
            foreach (var sample in bytes) seen[(sample >> shift) & mask] = true;
            return;
        }
        for (; bytes.Length >= 2; bytes = bytes[2..]) seen[(BinaryPrimitives.ReadUInt16LittleEndian(bytes) >> shift) & mask] = true;
    }
}
