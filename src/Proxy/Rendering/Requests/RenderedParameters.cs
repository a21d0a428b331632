using System.Globalization;
using System.Text;
using Proxy.Imaging.Pictures;
using Proxy.Imaging.Presentation;
using Proxy.Operations;

namespace Proxy.Rendering.Requests;

/// <summary>The parameters of a rendering (PS3.18 §8.3.5.1), however the request spells them.</summary>
/// <remarks>
/// <code>
/// window       center,width,function      linear, linear-exact, sigmoid
/// viewport     vw,vh[,sx,sy,sw,sh]        a negative sw or sh flips
/// quality      1 to 100                   of JPEG only
/// iccprofile   no, yes, srgb
/// annotation   refused: the proxy writes no text into a picture
/// </code>
/// Each occurs once at most. Other parameters are ignored.
/// </remarks>
/// <param name="Window">The window; null for that of the dataset.</param>
/// <param name="Viewport">Size and region; null for the frame as it is.</param>
/// <param name="Quality">1 to 100; null for the default.</param>
/// <param name="IccProfile">The ICC profile of a colour picture.</param>
internal sealed record RenderedParameters(
    VoiWindow? Window = null, PictureViewport? Viewport = null, int? Quality = null, IccChoice IccProfile = IccChoice.OfDataset)
{
    /// <summary>No parameter at all.</summary>
    public static readonly RenderedParameters None = new();

    /// <summary>The size of a thumbnail for which no viewport is asked, in pixels.</summary>
    public const int ThumbnailSide = 128;

    /// <summary>The largest side of a viewport in pixels, and the most pixels of one: a picture costs memory before it is sent.</summary>
    private const int MaxSide = 8192, MaxPixels = 4096 * 4096;

    private static readonly string[] Once = ["window", "viewport", "quality", "iccprofile", "annotation", "accept"];

    /// <summary>Reads the parameters of <c>/rendered</c> or <c>/thumbnail</c>.</summary>
    /// <param name="request">The client's request.</param>
    /// <param name="isThumbnail">True when a viewport is given by default.</param>
    /// <param name="parameters">The parameters; those without any if the request is refused.</param>
    /// <returns>A problem that names the first invalid parameter and its rule; null otherwise.</returns>
    public static IResult? Refuse(HttpRequest request, bool isThumbnail, out RenderedParameters parameters)
    {
        parameters = isThumbnail ? new(Viewport: new(ThumbnailSide, ThumbnailSide)) : None;
        if (!request.QueryString.HasValue) return null;
        var query = request.Query;
        if (Array.Find(Once, name => query[name].Count > 1) is { } repeated)
            return Problems.BadParameter(repeated, "at most one value (PS3.18 §8.3.5)");
        if (query.ContainsKey("annotation")) return Problems.BadParameter("annotation", "not supported: no text is written into a picture");
        string? rule = null;
        if (query["window"] is [{ } window])
        {
            if (!VoiWindow.TryParse(window, out var read, out rule)) return Problems.BadParameter("window", rule);
            parameters = parameters with { Window = read };
        }
        if (query["viewport"] is [{ } viewport])
        {
            if (!PictureViewport.TryParse(viewport, out var read, out rule)) return Problems.BadParameter("viewport", rule);
            if (RefuseSize(read) is { } size) return Problems.BadParameter("viewport", size);
            parameters = parameters with { Viewport = read };
        }
        if (query["quality"] is [{ } quality])
        {
            if (!TryReadQuality(quality, out var read)) return Problems.BadParameter("quality", "a whole number from 1 to 100");
            parameters = parameters with { Quality = read };
        }
        if (query["iccprofile"] is not [{ } profile]) return null;
        IccChoice? choice = profile switch { "no" => IccChoice.None, "yes" => IccChoice.Any, "srgb" => IccChoice.Srgb, _ => null };
        if (choice is null) return Problems.BadParameter("iccprofile", "no, yes or srgb");
        parameters = parameters with { IccProfile = choice.Value };
        return null;
    }

    /// <summary>Reads a quality.</summary>
    public static bool TryReadQuality(string text, out int quality) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out quality) && quality is >= 1 and <= 100;

    /// <summary>The rule that a viewport is too large for; null when it is not.</summary>
    public static string? RefuseSize(PictureViewport viewport) =>
        viewport.Width > MaxSide || viewport.Height > MaxSide || (long)viewport.Width * viewport.Height > MaxPixels
            ? $"at most {MaxSide} pixels wide and high, and at most {MaxPixels} pixels together"
            : null;

    /// <summary>True when pictures with these parameters are few: without parameters, or in one of four sizes of thumbnails.</summary>
    public bool AreUsual => Window is null && Quality is null && IccProfile == IccChoice.OfDataset
        && Viewport is null or { Width: 64 or ThumbnailSide or 256 or 512, X: 0, Y: 0, RegionWidth: 0, RegionHeight: 0 }
        && Viewport?.Width == Viewport?.Height;

    /// <summary>The parameters for the renderer.</summary>
    public PictureParameters ToPicture(PictureFormat format) => new()
    {
        Format = format,
        Window = Window,
        Viewport = Viewport,
        Quality = Quality ?? PictureParameters.DefaultQuality,
        IccProfile = IccProfile,
    };

    /// <summary>
    /// The query that gives these parameters, in the syntax of PS3.18 §8.3.5.1: equal parameters have equal text. Empty for none. Commas
    /// are not escaped: some archives do not decode them.
    /// </summary>
    /// <param name="isLossy">False when the quality has no effect.</param>
    public string ToQuery(bool isLossy)
    {
        var text = new StringBuilder();
        if (Window is { } window)
            Add("window", string.Create(CultureInfo.InvariantCulture, $"{window.Center},{window.Width},{GetName(window.Function)}"));
        if (Viewport is { } viewport)
        {
            var region = viewport is { X: 0, Y: 0, RegionWidth: 0, RegionHeight: 0 }
                ? ""
                : string.Create(
                    CultureInfo.InvariantCulture, $",{viewport.X},{viewport.Y},{Show(viewport.RegionWidth)},{Show(viewport.RegionHeight)}");
            Add("viewport", string.Create(CultureInfo.InvariantCulture, $"{viewport.Width},{viewport.Height}{region}"));
        }
        if (isLossy && Quality is { } quality && quality != PictureParameters.DefaultQuality)
            Add("quality", quality.ToString(CultureInfo.InvariantCulture));
        if (IccProfile != IccChoice.OfDataset)
            Add("iccprofile", IccProfile switch { IccChoice.None => "no", IccChoice.Any => "yes", _ => "srgb" });
        return text.ToString();

        void Add(string name, string value) => text.Append(text.Length == 0 ? "" : "&").Append(name).Append('=').Append(value);

        static string Show(double side) => side == 0 ? "" : side.ToString(CultureInfo.InvariantCulture);
    }

    private static string GetName(VoiFunction function) => function switch
    {
        VoiFunction.LinearExact => "linear-exact",
        VoiFunction.Sigmoid => "sigmoid",
        _ => "linear",
    };
}
