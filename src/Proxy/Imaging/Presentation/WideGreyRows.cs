using System.Buffers.Binary;

namespace Proxy.Imaging.Presentation;

/// <summary>Grey rows of 32-bit integers, of float or of double pixel data: each value is calculated.</summary>
internal sealed class WideGreyRows : PixelRows
{
    private readonly NativeFrame _frame;
    private readonly SampleKind _kind;
    private readonly SampleBits _bits;
    private readonly GreyMap _map;

    public WideGreyRows(NativeFrame frame, GreyMap map, SampleKind kind)
        : base(frame.Layout.Columns, frame.Layout.Rows, components: 1)
    {
        (_frame, _map, _kind, _bits) = (frame, map, kind, SampleBits.Of(frame.Layout));
        if (map.NeedsRange) SetRange();
    }

    public override void Read(int y, int x, Span<byte> pixels)
    {
        var at = y * Width + x;
        for (var i = 0; i < pixels.Length; i++) pixels[i] = _map.Map(ReadValue(at + i));
    }

    private void SetRange()
    {
        var (smallest, largest) = (double.MaxValue, double.MinValue);
        var count = Width * Height;
        for (var at = 0; at < count; at++)
        {
            var stored = ReadValue(at);
            if (!double.IsFinite(stored) || _map.IsPadding(stored)) continue;
            var value = _map.ToModality(stored);
            (smallest, largest) = (Math.Min(smallest, value), Math.Max(largest, value));
        }
        _map.SetRange(smallest, largest);
    }

    private double ReadValue(int at)
    {
        var bytes = _frame.Bytes.Span;
        return _kind switch
        {
            SampleKind.Float => BinaryPrimitives.ReadSingleLittleEndian(bytes[(at * 4)..]),
            SampleKind.Double => BinaryPrimitives.ReadDoubleLittleEndian(bytes[(at * 8)..]),
            _ => _bits.Extend((BinaryPrimitives.ReadUInt32LittleEndian(bytes[(at * 4)..]) >> _bits.Shift) & _bits.Mask),
        };
    }
}
