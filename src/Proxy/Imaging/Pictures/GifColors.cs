namespace Proxy.Imaging.Pictures;

/// <summary>The 256 colours of a GIF and how pixels are mapped to them.</summary>
/// <remarks>
/// Grey pictures have 256 greys and lose nothing. Colour pictures have 40 greys, for the grey parts that most of them consist of, and
/// 216 colours of 6 levels per component, between which a pattern of 4 by 4 thresholds mixes.
/// </remarks>
internal static class GifColors
{
    private const int Greys = 40;
    private const int Levels = 6;

    /// <summary>The largest difference between the components of a pixel that is shown as grey.</summary>
    private const int GreyTolerance = 10;

    private static ReadOnlySpan<byte> Thresholds => [0, 8, 2, 10, 12, 4, 14, 6, 3, 11, 1, 9, 15, 7, 13, 5];

    /// <summary>Writes the red, green and blue of all 256 colours.</summary>
    public static void WriteTable(Span<byte> table, int components)
    {
        for (var index = 0; index < 256; index++)
        {
            var color = table.Slice(index * 3, 3);
            if (components == 1)
            {
                color.Fill((byte)index);
            }
            else if (index < Greys)
            {
                color.Fill((byte)(index * 255 / (Greys - 1)));
            }
            else
            {
                var cell = index - Greys;
                (color[0], color[1], color[2]) = (Level(cell / (Levels * Levels)), Level(cell / Levels % Levels), Level(cell % Levels));
            }
        }
    }

    /// <summary>Maps the pixels of a raster to the numbers of colours.</summary>
    public static void Map(Raster raster, Span<byte> indexes)
    {
        if (raster.Components == 1)
        {
            raster.Pixels.AsSpan(0, indexes.Length).CopyTo(indexes);
            return;
        }
        for (var y = 0; y < raster.Height; y++)
        {
            var row = raster.Row(y);
            for (var x = 0; x < raster.Width; x++)
                indexes[y * raster.Width + x] = Find(row.Slice(x * 3, 3), Thresholds[(y & 3) * 4 + (x & 3)]);
        }
    }

    private static byte Find(ReadOnlySpan<byte> pixel, int threshold)
    {
        var (red, green, blue) = (pixel[0], pixel[1], pixel[2]);
        var largest = Math.Max(red, Math.Max(green, blue));
        if (largest - Math.Min(red, Math.Min(green, blue)) <= GreyTolerance)
            return (byte)(((red + green + blue) / 3 * (Greys - 1) + 127) / 255);
        return (byte)(Greys + Step(red, threshold) * Levels * Levels + Step(green, threshold) * Levels + Step(blue, threshold));
    }

    /// <summary>The level of a component: the lower or the upper neighbour, by the threshold of the pixel's place.</summary>
    private static int Step(byte value, int threshold)
    {
        var scaled = value * (Levels - 1);
        return scaled / 255 + (scaled % 255 * 16 > threshold * 255 + 127 ? 1 : 0);
    }

    private static byte Level(int step) => (byte)(step * 255 / (Levels - 1));
}
