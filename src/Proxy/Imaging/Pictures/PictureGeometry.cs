namespace Proxy.Imaging.Pictures;

/// <summary>The region of a frame that a picture shows, and the size of the picture (PS3.18 §8.3.5.1.4).</summary>
/// <param name="X">The first column of the region.</param>
/// <param name="Y">The first row of the region.</param>
/// <param name="Columns">The columns of the region, at least 1.</param>
/// <param name="Rows">The rows of the region, at least 1.</param>
/// <param name="Width">The width of the picture.</param>
/// <param name="Height">The height of the picture.</param>
internal readonly record struct PictureGeometry(int X, int Y, int Columns, int Rows, int Width, int Height)
{
    /// <summary>A picture is enlarged up to this width and height; a larger viewport gives a picture of this size.</summary>
    public const int MaxEnlargedSide = 4096;

    /// <summary>The largest picture, in pixels: 8,192 by 8,192.</summary>
    public const int MaxPixels = 8192 * 8192;

    /// <summary>True when the picture is mirrored horizontally.</summary>
    public bool IsFlippedHorizontally { get; init; }

    /// <summary>True when the picture is mirrored vertically.</summary>
    public bool IsFlippedVertically { get; init; }

    /// <summary>The geometry of a picture; null when the region has no pixel in the frame.</summary>
    /// <param name="layout">The layout of the frame.</param>
    /// <param name="aspect">The height of a pixel divided by its width.</param>
    /// <param name="viewport">The viewport; null for the frame as it is.</param>
    public static PictureGeometry? Find(PixelLayout layout, double aspect, PictureViewport? viewport)
    {
        if (viewport is null) return new(0, 0, layout.Columns, layout.Rows, layout.Columns, layout.Rows);
        if (FindSpan(viewport.X, viewport.RegionWidth, layout.Columns) is not var (x, columns)
            || FindSpan(viewport.Y, viewport.RegionHeight, layout.Rows) is not var (y, rows))
            return null;
        var tall = rows * aspect;
        var scale = Math.Min(
            Math.Min(viewport.Width, Math.Max(MaxEnlargedSide, columns)) / (double)columns,
            Math.Min(viewport.Height, Math.Max(MaxEnlargedSide, rows)) / tall);
        return new(x, y, columns, rows, Side(columns * scale), Side(tall * scale))
        {
            IsFlippedHorizontally = viewport.RegionWidth < 0,
            IsFlippedVertically = viewport.RegionHeight < 0,
        };
    }

    /// <summary>The part of a region that is inside the frame, in whole pixels.</summary>
    private static (int Start, int Length)? FindSpan(double start, double length, int size)
    {
        if (start >= size) return null;
        var end = length == 0 ? size : Math.Min(size, start + Math.Abs(length));
        var first = (int)Math.Floor(start);
        return (first, Math.Max(1, (int)Math.Ceiling(end) - first));
    }

    private static int Side(double length) => Math.Max(1, (int)Math.Round(length));
}
