using System.Runtime.InteropServices;

namespace Proxy.Demo.Phantoms;

/// <summary>A frame of 16-bit words that is being painted, in millimetres from its middle; x to the right, y down.</summary>
/// <remarks>Shapes are painted a row at a time between the two edges, so a shape costs what it covers.</remarks>
internal readonly ref struct Canvas
{
    private readonly Span<short> _pixels;
    private readonly int _columns;
    private readonly int _rows;
    private readonly float _spacing;

    public Canvas(byte[] frame, int columns, int rows, float spacing)
    {
        _pixels = MemoryMarshal.Cast<byte, short>(frame.AsSpan());
        (_columns, _rows, _spacing) = (columns, rows, spacing);
    }

    public void Fill(short value) => _pixels.Fill(value);

    /// <summary>Paints an ellipse over what is there; <paramref name="slot"/> is in radians, clockwise.</summary>
    public void Ellipse(float x, float y, float rx, float ry, short value, float slot = 0)
    {
        var shape = new Conic(rx / _spacing, ry / _spacing, slot);
        var (cx, cy) = ToPixels(x, y);
        for (var row = First(cy - shape.Height); row <= Last(cy + shape.Height, _rows); row++)
        {
            if (!shape.TryCross(row - cy, out var left, out var right)) continue;
            var (from, to) = (First(cx + left), Last(cx + right, _columns));
            if (to >= from) _pixels.Slice((row * _columns) + from, to - from + 1).Fill(value);
        }
    }

    /// <summary>The cross-section of an ellipsoid whose middle is <paramref name="off"/> away along z.</summary>
    public void Ellipsoid(float x, float y, float off, float rx, float ry, float rz, short value, float slot = 0)
    {
        var rest = 1 - (off / rz * (off / rz));
        if (rest <= 0) return;
        var scale = MathF.Sqrt(rest);
        Ellipse(x, y, rx * scale, ry * scale, value, slot);
    }

    /// <summary>Adds what a ray meets on its way through an ellipsoid: all of it in the middle, nothing at the edge.</summary>
    public void Shadow(float x, float y, float rx, float ry, float amount, float slot = 0)
    {
        var shape = new Conic(rx / _spacing, ry / _spacing, slot);
        var (cx, cy) = ToPixels(x, y);
        for (var row = First(cy - shape.Height); row <= Last(cy + shape.Height, _rows); row++)
        {
            if (!shape.TryCross(row - cy, out var left, out var right)) continue;
            for (var column = First(cx + left); column <= Last(cx + right, _columns); column++)
                _pixels[(row * _columns) + column] += (short)(amount * MathF.Sqrt(MathF.Max(0, 1 - shape.At(column - cx, row - cy))));
        }
    }

    public void AddNoise(uint seed, float amount)
    {
        for (var i = 0; i < _pixels.Length; i++) _pixels[i] += (short)(amount * Noise.Bell(seed, i));
    }

    /// <summary>Softens edges and noise with weights 1, 2, 1 in both directions.</summary>
    public void Blur()
    {
        for (var row = 0; row < _rows; row++)
        {
            var line = _pixels.Slice(row * _columns, _columns);
            var before = line[0];
            for (var i = 0; i < line.Length - 1; i++)
            {
                var here = line[i];
                line[i] = (short)((before + (2 * here) + line[i + 1]) >> 2);
                before = here;
            }
        }

        var above = _pixels[.._columns].ToArray();
        for (var row = 0; row < _rows - 1; row++)
        {
            var line = _pixels.Slice(row * _columns, _columns);
            var below = _pixels.Slice((row + 1) * _columns, _columns);
            for (var i = 0; i < above.Length; i++)
            {
                var here = line[i];
                line[i] = (short)((above[i] + (2 * here) + below[i]) >> 2);
                above[i] = here;
            }
        }
    }

    /// <summary>
    /// What a detector makes of shadows: ever less for more, <paramref name="half"/> of them is half of <paramref name="max"/>.
    /// </summary>
    public void Expose(int half, int max)
    {
        foreach (ref var pixel in _pixels)
        {
            var shadow = Math.Max(0, (int)pixel);
            pixel = (short)(shadow * max / (shadow + half));
        }
    }

    /// <summary>The last step: from painted values to stored ones, which stay between 0 and <paramref name="max"/>.</summary>
    public void Store(int add, int max, bool inverted = false)
    {
        foreach (ref var pixel in _pixels)
        {
            var value = Math.Clamp(pixel + add, 0, max);
            pixel = (short)(inverted ? max - value : value);
        }
    }

    private (float X, float Y) ToPixels(float x, float y) => ((_columns / 2f) + (x / _spacing), (_rows / 2f) + (y / _spacing));

    private static int First(float edge) => Math.Max(0, (int)MathF.Ceiling(edge));

    private static int Last(float edge, int size) => Math.Min(size - 1, (int)MathF.Floor(edge));
}
