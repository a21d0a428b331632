using System.Collections.Immutable;

namespace Proxy.Imaging.Presentation;

/// <summary>What the dataset says about how one frame is shown: modality and VOI LUT, padding, palette, colours, pixel shape.</summary>
/// <remarks>
/// Values of functional groups are those of the frame's item, else of the shared item, else of the dataset itself (PS3.3 §C.7.6.16).
/// Overlays, graphic presentation states and supplemental palettes are ignored.
/// </remarks>
public sealed record ImagePresentation
{
    /// <summary>The dataset says nothing.</summary>
    public static ImagePresentation None { get; } = new();

    /// <summary>Rescale Slope (0028,1053): finite and not 0.</summary>
    public double RescaleSlope { get; init; } = 1;

    /// <summary>Rescale Intercept (0028,1052): finite.</summary>
    public double RescaleIntercept { get; init; }

    /// <summary>The first window of the dataset; null when it has none that is valid.</summary>
    public VoiWindow? Window { get; init; }

    /// <summary>True when Presentation LUT Shape (2050,0020) is INVERSE.</summary>
    public bool IsInverse { get; init; }

    /// <summary>Pixel Padding Value (0028,0120), as written.</summary>
    public long? Padding { get; init; }

    /// <summary>Pixel Padding Range Limit (0028,0121), as written.</summary>
    public long? PaddingLimit { get; init; }

    /// <summary>The height of a pixel divided by its width; 1 when the dataset does not say it or says something absurd.</summary>
    public double PixelAspect { get; init; } = 1;

    /// <summary>How long a frame of an animation is shown.</summary>
    public TimeSpan FrameTime { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>How the bits of the samples are read.</summary>
    public SampleKind Samples { get; init; }

    /// <summary>ICC Profile (0028,2000); empty when the dataset has none.</summary>
    public ReadOnlyMemory<byte> IccProfile { get; init; }

    /// <summary>The first item of the Modality LUT Sequence (0028,3000).</summary>
    internal LutSource? ModalityLut { get; init; }

    /// <summary>The first item of the VOI LUT Sequence (0028,3010).</summary>
    internal LutSource? VoiLut { get; init; }

    /// <summary>The palette: red, green, blue; default when the dataset has none.</summary>
    internal ImmutableArray<LutSource> Palette { get; init; }

    /// <summary>Reads the presentation of one frame.</summary>
    /// <param name="json">The dataset of the instance (PS3.18 Annex F).</param>
    /// <param name="frame">The number of the frame, from 1.</param>
    /// <param name="bulk">
    /// The values of the URIs of <see cref="FindUris"/>, by URI. Without its data a table is ignored: a palette image is not rendered
    /// then, a grey image without its modality LUT is shown from its smallest to its largest value.
    /// </param>
    public static ImagePresentation Read(
        ReadOnlySpan<byte> json, int frame, IReadOnlyDictionary<string, ReadOnlyMemory<byte>>? bulk = null) =>
        ReadFrames(json, frame, 1, bulk)[0];

    /// <summary>Reads the presentations of consecutive frames in one pass over the dataset.</summary>
    /// <inheritdoc cref="Read"/>
    /// <param name="json">The dataset of the instance.</param>
    /// <param name="first">The number of the first frame, from 1.</param>
    /// <param name="count">The number of frames.</param>
    /// <param name="bulk">See <see cref="Read"/>.</param>
    public static ImmutableArray<ImagePresentation> ReadFrames(
        ReadOnlySpan<byte> json, int first, int count, IReadOnlyDictionary<string, ReadOnlyMemory<byte>>? bulk = null) =>
        new PresentationReader(first, count).Read(json, bulk);

    /// <summary>
    /// The BulkDataURIs, as the dataset has them, whose values <see cref="Read"/> uses: tables and the ICC profile. At most 9.
    /// </summary>
    /// <param name="json">The dataset of the instance.</param>
    public static ImmutableArray<string> FindUris(ReadOnlySpan<byte> json) => new PresentationReader(1, 1).FindUris(json);
}

/// <summary>How the bits of a sample are read (PS3.3 §C.7.6.24, §C.7.6.25, §C.7.6.26).</summary>
public enum SampleKind
{
    /// <summary>Pixel Data (7FE0,0010): integers.</summary>
    Integer,

    /// <summary>Float Pixel Data (7FE0,0008): 32 bits.</summary>
    Float,

    /// <summary>Double Float Pixel Data (7FE0,0009): 64 bits.</summary>
    Double,
}

/// <summary>A lookup table as the dataset has it.</summary>
/// <param name="Descriptor">The descriptor; null when it is missing or wrong.</param>
/// <param name="Data">The data, little endian; empty when it is missing or its URI is unknown.</param>
/// <param name="IsSegmented">True when the data is a list of segments (PS3.3 §C.7.9.2).</param>
internal sealed record LutSource(LutDescriptor? Descriptor, ReadOnlyMemory<byte> Data, bool IsSegmented = false);
