using Proxy.Imaging.Presentation;

namespace Proxy.Imaging.Pictures;

/// <summary>Which ICC profile a colour picture contains: the query parameter <c>iccprofile</c> (PS3.18 §8.3.5.1.5).</summary>
public enum IccChoice
{
    /// <summary>The parameter is absent: the profile of the dataset, if it has one.</summary>
    OfDataset,

    /// <summary><c>no</c>: none.</summary>
    None,

    /// <summary><c>yes</c>: the profile of the dataset, or sRGB if it has none.</summary>
    Any,

    /// <summary>
    /// <c>srgb</c>: sRGB. Colours are not converted: a picture whose dataset has a profile keeps its colours and that profile.
    /// </summary>
    Srgb,
}

/// <summary>How a picture is asked for (PS3.18 §8.3.5).</summary>
public sealed record PictureParameters
{
    /// <summary>The quality of a JPEG when none is asked for.</summary>
    public const int DefaultQuality = 90;

    /// <summary>How the picture is encoded.</summary>
    public PictureFormat Format { get; init; }

    /// <summary>
    /// The window of a grey picture, instead of that of the dataset. Colour has no window (PS3.3 §C.11.2): it is ignored there.
    /// </summary>
    public VoiWindow? Window { get; init; }

    /// <summary>The size and the region of the picture; null for the frame as it is.</summary>
    public PictureViewport? Viewport { get; init; }

    /// <summary>The quality of a JPEG, 1 to 100; other formats lose nothing by it.</summary>
    public int Quality { get; init; } = DefaultQuality;

    /// <summary>Which ICC profile the picture contains. Grey pictures and GIFs contain none.</summary>
    public IccChoice IccProfile { get; init; }
}
