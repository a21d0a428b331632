namespace Proxy.Integration;

/// <summary>A picture of 16-bit grey values, drawn in coordinates from -1 to 1 with y downward.</summary>
public sealed class Canvas(int width, int height, ushort background = 0)
{
    private readonly ushort[] _pixels = [.. Enumerable.Repeat(background, width * height)];

    public Canvas Ellipse(double centreX, double centreY, double radiusX, double radiusY, ushort value)
    {
        for (var y = 0; y < height; y++)
        {
            var dy = (((y + 0.5) * 2 / height) - 1 - centreY) / radiusY;
            var half = Math.Sqrt(Math.Max(0, 1 - (dy * dy))) * radiusX;
            FillRow(y, centreX - half, centreX + half, value);
        }

        return this;
    }

    public Canvas Rectangle(double left, double top, double right, double bottom, ushort value)
    {
        for (var y = ToPixel(top, height); y < ToPixel(bottom, height); y++)
            FillRow(y, left, right, value);
        return this;
    }

    /// <summary>Adds a slope from 0 at the left to <paramref name="rise"/> at the right, to drawn pixels only.</summary>
    public Canvas Shade(int rise)
    {
        for (var i = 0; i < _pixels.Length; i++)
        {
            if (_pixels[i] != background)
                _pixels[i] = (ushort)(_pixels[i] + (rise * (i % width) / width));
        }

        return this;
    }

    public byte[] To16Bit() => [.. _pixels.SelectMany(BitConverter.GetBytes)];

    /// <summary>One byte per sample, three samples per pixel; each sample is the grey value times its own weight.</summary>
    public byte[] ToRgb(double red, double green, double blue) =>
        [.. _pixels.SelectMany(p => new[] { (byte)(p * red), (byte)(p * green), (byte)(p * blue) })];

    private static int ToPixel(double position, int size) => Math.Clamp((int)Math.Round((position + 1) / 2 * size), 0, size);

    private void FillRow(int y, double left, double right, ushort value)
    {
        var (from, to) = (ToPixel(left, width), ToPixel(right, width));
        if (to > from)
            Array.Fill(_pixels, value, (y * width) + from, to - from);
    }
}
