using System.Buffers.Binary;

namespace Proxy.Imaging.Presentation;

/// <summary>RGB rows of a palette image.</summary>
internal sealed class PaletteRows(NativeFrame frame, PaletteTable palette)
    : PixelRows(frame.Layout.Columns, frame.Layout.Rows, components: 3)
{
    private readonly SampleBits _bits = SampleBits.Of(frame.Layout);

    public override void Read(int y, int x, Span<byte> pixels)
    {
        var bytes = frame.Bytes.Span;
        var isWord = frame.Layout.BitsAllocated == 16;
        var at = y * Width + x;
        for (var to = 0; to < pixels.Length; to += 3, at++)
        {
            uint word = isWord ? BinaryPrimitives.ReadUInt16LittleEndian(bytes[(2 * at)..]) : bytes[at];
            palette.Colors.AsSpan(palette.FindOffset(_bits.Extend((word >> _bits.Shift) & _bits.Mask)), 3).CopyTo(pixels[to..]);
        }
    }
}

/// <summary>RGB rows of RGB and YBR_FULL samples, pixel by pixel or plane by plane (PS3.3 §C.7.6.3.1.2, §C.7.6.3.1.3).</summary>
internal sealed class ColorRows : PixelRows
{
    private readonly NativeFrame _frame;
    private readonly SampleBits _bits;
    private readonly byte[] _table;
    private readonly bool _isYbr;
    private readonly bool _isPlain;

    /// <summary>Creates the rows of a frame of 8 or 16 allocated bits.</summary>
    public ColorRows(NativeFrame frame) : base(frame.Layout.Columns, frame.Layout.Rows, components: 3)
    {
        (_frame, _bits) = (frame, SampleBits.Of(frame.Layout));
        _isYbr = frame.Layout.PhotometricInterpretation is "YBR_FULL" or "YBR_FULL_422";
        _isPlain = frame.Layout is { BitsAllocated: 8, BitsStored: 8, IsPlanar: false, IsHalfChroma: false };
        _table = new byte[_bits.Values];
        for (var index = 0; index < _table.Length; index++)
            _table[index] = (byte)(_bits.Count >= 8 ? index >> (_bits.Count - 8) : index * 255 / (_table.Length - 1));
    }

    public override void Read(int y, int x, Span<byte> pixels)
    {
        var pixel = (long)y * Width + x;
        if (_isPlain) _frame.Bytes.Span.Slice((int)pixel * 3, pixels.Length).CopyTo(pixels);
        else if (_frame.Layout.IsHalfChroma) ReadPairs(pixel, pixels);
        else if (_frame.Layout.IsPlanar) ReadPlanes(pixel, pixels);
        else SampleWords.Read(_frame, pixel * 3, pixels, _bits, _table);
        if (_isYbr) ToRgb(pixels);
    }

    private void ReadPlanes(long pixel, Span<byte> pixels)
    {
        var bytes = _frame.Bytes.Span;
        var plane = (long)Width * Height;
        var size = _frame.Layout.BitsAllocated / 8;
        for (var component = 0; component < 3; component++)
        {
            var samples = bytes[(int)((plane * component + pixel) * size)..];
            for (var to = component; to < pixels.Length; to += 3, samples = samples[size..]) pixels[to] = ReadSample(samples);
        }
    }

    /// <summary>Reads pixels of which two have one chrominance: Y Y Cb Cr. The last of an odd number may have none.</summary>
    private void ReadPairs(long pixel, Span<byte> pixels)
    {
        var bytes = _frame.Bytes.Span;
        var size = _frame.Layout.BitsAllocated / 8;
        for (var to = 0; to < pixels.Length; to += 3, pixel++)
        {
            var pair = (pixel & ~1L) * 2 * size;
            pixels[to] = ReadSample(bytes[(int)(pair + (pixel & 1) * size)..]);
            var hasChroma = pair + 4 * size <= bytes.Length;
            pixels[to + 1] = hasChroma ? ReadSample(bytes[(int)(pair + 2 * size)..]) : (byte)128;
            pixels[to + 2] = hasChroma ? ReadSample(bytes[(int)(pair + 3 * size)..]) : (byte)128;
        }
    }

    private byte ReadSample(ReadOnlySpan<byte> bytes)
    {
        uint word = _frame.Layout.BitsAllocated == 8 ? bytes[0] : BinaryPrimitives.ReadUInt16LittleEndian(bytes);
        return _table[(word >> _bits.Shift) & _bits.Mask];
    }

    /// <summary>Converts Y Cb Cr of full range to R G B: the inverse of the equations of PS3.3 §C.7.6.3.1.2, in 16-bit fractions.</summary>
    private static void ToRgb(Span<byte> pixels)
    {
        for (; pixels.Length >= 3; pixels = pixels[3..])
        {
            var luminance = (pixels[0] << 16) + (1 << 15);
            var (blue, red) = (pixels[1] - 128, pixels[2] - 128);
            pixels[0] = ToByte(luminance + 91881 * red);
            pixels[1] = ToByte(luminance - 22554 * blue - 46802 * red);
            pixels[2] = ToByte(luminance + 116130 * blue);
        }
    }

    private static byte ToByte(int value) => (byte)Math.Clamp(value >> 16, 0, 255);
}
