using SkiaSharp;

namespace Proxy.Imaging.Pictures;

/// <summary>A picture for an instance without pixels that can be shown: a light symbol on a dark tile, without text.</summary>
/// <remarks>The tile fills the picture: it looks the same on a dark and on a light page, also in formats without transparency.</remarks>
public static class NeutralPicture
{
    /// <summary>The width and height when no viewport is given.</summary>
    public const int DefaultSide = 256;

    /// <summary>The largest width and height.</summary>
    public const int MaxSide = 1024;

    private const float Grid = 100;
    private const float Stroke = 4;
    private const string Page = "M30 16 H58 L72 30 V84 H30 Z M58 16 V30 H72";

    private static readonly SKColor Tile = new(0x33, 0x3F, 0x4D);
    private static readonly SKColor Symbol = new(0xC3, 0xD0, 0xDD);

    /// <summary>Draws the picture of a kind.</summary>
    /// <param name="kind">What it stands for.</param>
    /// <param name="parameters">Format, quality, and the viewport whose smaller side is that of the picture.</param>
    public static Picture Draw(NeutralKind kind, PictureParameters parameters)
    {
        var side = parameters.Viewport is { } viewport ? Math.Clamp(Math.Min(viewport.Width, viewport.Height), 1, MaxSide) : DefaultSide;
        using var bitmap = new SKBitmap(new SKImageInfo(side, side, SKColorType.Rgba8888, SKAlphaType.Opaque));
        using (var canvas = new SKCanvas(bitmap))
        using (var paint = new SKPaint
        {
            Color = Symbol,
            IsAntialias = true,
            Style = SKPaintStyle.Stroke,
            StrokeWidth = Stroke,
            StrokeCap = SKStrokeCap.Round,
            StrokeJoin = SKStrokeJoin.Round,
        })
        using (var path = SKPath.ParseSvgPathData(FindPath(kind)))
        {
            canvas.Clear(Tile);
            canvas.Scale(side / Grid);
            canvas.DrawPath(path, paint);
        }
        using var raster = new Raster(side, side, components: 3);
        var pixels = bitmap.GetPixelSpan();
        for (var at = 0; at < side * side; at++) pixels.Slice(4 * at, 3).CopyTo(raster.Pixels.AsSpan(3 * at));
        return PictureEncoder.Encode(raster, parameters, default);
    }

    /// <summary>The lines of a symbol, on a grid of 100 by 100.</summary>
    private static string FindPath(NeutralKind kind) => kind switch
    {
        NeutralKind.Image => "M18 24 H82 V76 H18 Z M24 70 L42 48 L54 62 L63 53 L76 70 M66 38 A5 5 0 1 1 66.01 38 Z",
        NeutralKind.Video => "M16 28 H84 V72 H16 Z M43 40 L61 50 L43 60 Z",
        NeutralKind.Document => Page + " M38 42 H64 M38 53 H64 M38 64 H64",
        NeutralKind.Report => Page + " M38 42 H40 M47 42 H64 M38 54 H40 M47 54 H64 M38 66 H40 M47 66 H58",
        NeutralKind.KeyObjects => "M50 18 L59.4 38 L81.4 40.8 L65.2 56 L69.4 77.8 L50 67 L30.6 77.8 L34.8 56 L18.6 40.8 L40.6 38 Z",
        NeutralKind.PresentationState =>
            "M50 20 A30 30 0 0 1 50 80 A30 30 0 0 1 50 20 Z M50 20 V80 M50 33 H72 M50 44 H78 M50 56 H78 M50 67 H72",
        NeutralKind.Waveform => "M14 56 H30 L36 48 L41 56 H45 L51 24 L58 76 L62 56 H68 L73 46 L78 56 H86",
        NeutralKind.Radiotherapy =>
            "M50 26 A24 24 0 0 1 50 74 A24 24 0 0 1 50 26 Z M50 40 A10 10 0 0 1 50 60 A10 10 0 0 1 50 40 Z"
            + " M50 16 V34 M50 66 V84 M16 50 H34 M66 50 H84",
        NeutralKind.Model => "M50 16 L80 33 V67 L50 84 L20 67 V33 Z M20 33 L50 50 L80 33 M50 50 V84",
        _ => "M26 26 H74 V74 H26 Z M38 50 H38.5 M50 50 H50.5 M62 50 H62.5",
    };
}
