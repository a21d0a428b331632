using System.Runtime.InteropServices;

namespace Proxy.Demo.Phantoms;

/// <summary>Paints a frame of 16-bit words. Coordinates are in millimetres from the centre, x to the right, y downwards.</summary>
/// <remarks>Shapes are painted row by row between their edges, so the cost is proportional to the area.</remarks>
internal readonly ref struct Canvas
{
    private readonly Span<short> _pixels;
    private readonly int _columns;
    private readonly int _rows;
    private readonly float _spacing;

    /// <summary>Wraps the bytes of a frame.</summary>
    public Canvas(byte[] frame, int columns, int rows, float spacing)
    {
        _pixels = MemoryMarshal.Cast<byte, short>(frame.AsSpan());
        (_columns, _rows, _spacing) = (columns, rows, spacing);
    }

    /// <summary>Sets all pixels to a value.</summary>
    public void Fill(short value) => _pixels.Fill(value);

    /// <summary>Paints an ellipse over existing shapes; <paramref name="angle"/> is in radians, clockwise.</summary>
    public void Ellipse(float x, float y, float rx, float ry, short value, float angle = 0)
    {
        var shape = new Conic(rx / _spacing, ry / _spacing, angle);
        var (cx, cy) = ToPixels(x, y);
        for (var row = First(cy - shape.Height); row <= Last(cy + shape.Height, _rows); row++)
        {
            if (!shape.TryCross(row - cy, out var left, out var right)) continue;
            var (from, to) = (First(cx + left), Last(cx + right, _columns));
            if (to >= from) _pixels.Slice((row * _columns) + from, to - from + 1).Fill(value);
        }
    }

    /// <summary>Paints the cross-section of an ellipsoid whose centre is <paramref name="off"/> away along z.</summary>
    public void Ellipsoid(float x, float y, float off, float rx, float ry, float rz, short value, float angle = 0)
    {
        var square = 1 - (off / rz * (off / rz));
        if (square <= 0) return;
        var scale = MathF.Sqrt(square);
        Ellipse(x, y, rx * scale, ry * scale, value, angle);
    }

    /// <summary>Adds the attenuation of an ellipsoid in projection: <paramref name="amount"/> at the centre, 0 at the edge.</summary>
    public void Shadow(float x, float y, float rx, float ry, float amount, float angle = 0)
    {
        var shape = new Conic(rx / _spacing, ry / _spacing, angle);
        var (cx, cy) = ToPixels(x, y);
        for (var row = First(cy - shape.Height); row <= Last(cy + shape.Height, _rows); row++)
        {
            if (!shape.TryCross(row - cy, out var left, out var right)) continue;
            for (var column = First(cx + left); column <= Last(cx + right, _columns); column++)
                _pixels[(row * _columns) + column] += (short)(amount * MathF.Sqrt(MathF.Max(0, 1 - shape.At(column - cx, row - cy))));
        }
    }

    /// <summary>Adds noise of an amplitude.</summary>
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
    /// Converts attenuation to detector values by a saturating curve: <paramref name="half"/> gives half of <paramref name="max"/>.
    /// </summary>
    public void Expose(int half, int max)
    {
        foreach (ref var pixel in _pixels)
        {
            var shadow = Math.Max(0, (int)pixel);
            pixel = (short)(shadow * max / (shadow + half));
        }
    }

    /// <summary>The last step: converts painted values to stored values between 0 and <paramref name="max"/>.</summary>
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
