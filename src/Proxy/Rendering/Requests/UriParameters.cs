using System.Globalization;
using Proxy.Imaging.Pictures;
using Proxy.Imaging.Presentation;
using Proxy.Operations;

namespace Proxy.Rendering.Requests;

/// <summary>The parameters of a rendered instance in WADO-URI (PS3.18 §9.5); an empty one is no parameter.</summary>
/// <remarks>
/// <code>
/// frameNumber                from 1
/// rows, columns              at most; the aspect ratio stays
/// region                     left,top,right,bottom from 0 to 1
/// windowCenter, windowWidth  both or none
/// imageQuality               1 to 100
/// annotation, imageAnnotation, presentationUID, presentationSeriesUID    refused
/// </code>
/// </remarks>
/// <param name="Frame">The frame number; null for the instance.</param>
/// <param name="Rows">The height at most; null for no limit.</param>
/// <param name="Columns">The width at most; null for no limit.</param>
/// <param name="Region">The part of the frame that is shown; null for all.</param>
/// <param name="Window">The window; null for that of the dataset.</param>
/// <param name="Quality">1 to 100; null for the default.</param>
internal sealed record UriParameters(
    int? Frame, int? Rows, int? Columns, UriParameters.Part? Region, VoiWindow? Window, int? Quality)
{
    private const int MaxSide = 4096;

    private static readonly string[] Refused = ["annotation", "imageAnnotation", "presentationUID", "presentationSeriesUID"];

    /// <summary>A part of a frame, as fractions of its columns and rows.</summary>
    public readonly record struct Part(double Left, double Top, double Right, double Bottom);

    /// <summary>Reads the parameters.</summary>
    /// <param name="query">The query.</param>
    /// <param name="parameters">The parameters; those without any if the request is refused.</param>
    /// <returns>A problem that names the first invalid parameter; null otherwise.</returns>
    public static IResult? Refuse(IQueryCollection query, out UriParameters parameters)
    {
        parameters = new(null, null, null, null, null, null);
        if (Array.Find(Refused, name => query[name] is [{ Length: > 0 }, ..]) is { } refused)
            return Problems.BadParameter(refused, "not supported: no text and no presentation state is drawn into a picture");
        foreach (var (name, max) in ((string, int)[])[
            ("frameNumber", int.MaxValue), ("rows", MaxSide), ("columns", MaxSide), ("imageQuality", 100)])
        {
            if (!TryReadCount(query, name, max, out _)) return Problems.BadParameter(name, $"a whole number from 1 to {max}");
        }
        if (!TryReadRegion(query, out var region))
            return Problems.BadParameter("region", "left,top,right,bottom as decimals from 0 to 1 (PS3.18 §9.5)");
        if (RefuseWindow(query, out var window) is { } problem) return problem;
        parameters = new(Read("frameNumber"), Read("rows"), Read("columns"), region, window, Read("imageQuality"));
        return null;

        int? Read(string name) => TryReadCount(query, name, int.MaxValue, out var count) ? count : null;
    }

    /// <summary>The parameters of a picture of a frame: without a size, a region has its own.</summary>
    /// <param name="size">Columns and rows of the frame; null when they are not known.</param>
    /// <param name="parameters">The parameters.</param>
    /// <returns>A problem when the region does not fit the frame; null otherwise.</returns>
    public IResult? RefuseRegion((int Columns, int Rows)? size, out RenderedParameters parameters)
    {
        parameters = new(Window, Viewport: null, Quality);
        if (Region is null && Rows is null && Columns is null) return null;
        if (Region is not { } part)
        {
            parameters = parameters with { Viewport = new(Columns ?? MaxSide, Rows ?? MaxSide) };
            return null;
        }
        if (size is not var (columns, rows)) return Problems.BadParameter("region", "the object has no rows and columns");
        var (width, height) = ((part.Right - part.Left) * columns, (part.Bottom - part.Top) * rows);
        var hasSize = Rows is not null || Columns is not null;
        var viewport = new PictureViewport(
            Columns ?? (hasSize ? MaxSide : Math.Max(1, (int)Math.Round(width))),
            Rows ?? (hasSize ? MaxSide : Math.Max(1, (int)Math.Round(height))))
        {
            X = part.Left * columns,
            Y = part.Top * rows,
            RegionWidth = width,
            RegionHeight = height,
        };
        parameters = parameters with { Viewport = viewport };
        return RenderedParameters.RefuseSize(viewport) is { } rule ? Problems.BadParameter("region", rule) : null;
    }

    private static bool TryReadCount(IQueryCollection query, string name, int max, out int? count)
    {
        count = null;
        if (query[name] is not [{ Length: > 0 } text]) return true;
        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number)) return false;
        count = number;
        return number >= 1 && number <= max;
    }

    private static bool TryReadRegion(IQueryCollection query, out Part? region)
    {
        region = null;
        if (query["region"] is not [{ Length: > 0 } text]) return true;
        if (ReadNumbers(text) is not [var left, var top, var right, var bottom]) return false;
        region = new Part(left, top, right, bottom);
        return left >= 0 && top >= 0 && right <= 1 && bottom <= 1 && left < right && top < bottom;
    }

    private static IResult? RefuseWindow(IQueryCollection query, out VoiWindow? window)
    {
        window = null;
        var (center, width) = (query["windowCenter"].ToString(), query["windowWidth"].ToString());
        if (center.Length == 0 && width.Length == 0) return null;
        if (center.Length == 0) return Problems.BadParameter("windowCenter", "needed with windowWidth");
        if (width.Length == 0) return Problems.BadParameter("windowWidth", "needed with windowCenter");
        if (ReadNumbers(center) is not [_]) return Problems.BadParameter("windowCenter", "a decimal number");
        if (ReadNumbers(width) is not [_] || !VoiWindow.TryParse($"{center},{width},linear", out var read, out _))
            return Problems.BadParameter("windowWidth", "a decimal number of at least 1");
        window = read;
        return null;
    }

    /// <summary>Decimal numbers with commas between them; null when one is invalid.</summary>
    private static double[]? ReadNumbers(string text)
    {
        var numbers = new List<double>();
        foreach (var part in text.Split(','))
        {
            if (!double.TryParse(part, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) || !double.IsFinite(number))
                return null;
            numbers.Add(number);
        }
        return [.. numbers];
    }
}
