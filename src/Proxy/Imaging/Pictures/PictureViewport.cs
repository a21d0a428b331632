using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Proxy.Imaging.Pictures;

/// <summary>
/// The box that a picture fills and the region of the frame that it shows: the parameter <c>viewport</c> (PS3.18 §8.3.5.1.4).
/// </summary>
/// <remarks>
/// The region is scaled, with its aspect ratio, until its width or its height is that of the box. The picture has the size of the
/// scaled region and no border. Pixels that are not square (0028,0034; 0028,0030) become square.
/// </remarks>
/// <param name="Width">The width of the box in pixels, 1 to <see cref="MaxSide"/>.</param>
/// <param name="Height">The height of the box in pixels, 1 to <see cref="MaxSide"/>.</param>
public sealed record PictureViewport(int Width, int Height)
{
    /// <summary>The largest width and height that may be asked for.</summary>
    public const int MaxSide = 65_535;

    /// <summary>The column where the region begins, from 0.</summary>
    public double X { get; init; }

    /// <summary>The row where the region begins, from 0.</summary>
    public double Y { get; init; }

    /// <summary>The columns of the region, or 0 for all that follow; negative when the picture is flipped horizontally.</summary>
    public double RegionWidth { get; init; }

    /// <summary>The rows of the region, or 0 for all that follow; negative when the picture is flipped vertically.</summary>
    public double RegionHeight { get; init; }

    /// <summary>Reads the query parameter <c>viewport</c>: <c>vw,vh[,sx,sy,sw,sh]</c>, where each of the last four may be empty.</summary>
    /// <param name="text">The decoded value, such as <c>256,256</c>.</param>
    /// <param name="viewport">The viewport; null when the value is refused.</param>
    /// <param name="rule">The rule that the value does not meet, as the end of a sentence; null when it is accepted.</param>
    public static bool TryParse(
        string text, [NotNullWhen(true)] out PictureViewport? viewport, [NotNullWhen(false)] out string? rule)
    {
        viewport = null;
        rule = $"must be vw,vh or vw,vh,sx,sy,sw,sh with whole numbers vw and vh from 1 to {MaxSide}";
        var parts = text.Split(',');
        if (parts.Length is not (2 or 6) || FindSide(parts[0]) is not { } width || FindSide(parts[1]) is not { } height) return false;
        if (parts.Length == 6)
        {
            rule = "must have a region sx,sy,sw,sh of decimal numbers, with sx and sy not negative";
            if (FindNumber(parts[2]) is not { } x || FindNumber(parts[3]) is not { } y
                || FindNumber(parts[4]) is not { } columns || FindNumber(parts[5]) is not { } rows || x < 0 || y < 0)
                return false;
            viewport = new(width, height) { X = x, Y = y, RegionWidth = columns, RegionHeight = rows };
        }
        else
        {
            viewport = new(width, height);
        }
        rule = null;
        return true;
    }

    private static int? FindSide(string text) =>
        int.TryParse(text, NumberStyles.AllowLeadingWhite | NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture, out var side)
        && side is > 0 and <= MaxSide ? side : null;

    /// <summary>A number of the region; 0 for an empty one, as if it were absent.</summary>
    private static double? FindNumber(string text) =>
        string.IsNullOrWhiteSpace(text) ? 0
        : double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && Math.Abs(number) <= 1e9 ? number
        : null;
}
