using Proxy.Imaging.Presentation;

namespace Proxy.Imaging.Pictures;

/// <summary>Renders one frame: from its uncompressed samples to a picture (PS3.18 §8.3.5, PS3.4 §N.2).</summary>
/// <remarks>
/// <code>
/// NativeFrame → PixelRows: grey by GreyMap, palette, RGB, YBR → RasterScaling: region, scale, flip → PictureEncoder
/// </code>
/// Overlays, graphic presentation states, real world value maps, supplemental palettes and annotations are not drawn. Nothing is
/// thrown for any dataset, samples and parameters within their bounds.
/// </remarks>
public static class FramePictures
{
    /// <summary>The largest width and height of a picture, the limit of JPEG libraries.</summary>
    public const int MaxSide = 65_500;

    /// <summary>Renders a frame.</summary>
    /// <param name="frame">The samples.</param>
    /// <param name="presentation">What the dataset says about this frame: <see cref="ImagePresentation.Read"/>.</param>
    /// <param name="parameters">How the picture is asked for.</param>
    public static FrameRendering Render(NativeFrame frame, ImagePresentation presentation, PictureParameters parameters)
    {
        if (Draw(frame, presentation, parameters, out var reason) is not { } raster) return FrameRendering.CannotRender(reason!);
        using (raster)
        {
            var profile = FindProfile(raster, presentation, parameters);
            return FrameRendering.Rendered(PictureEncoder.Encode(raster, parameters, profile));
        }
    }

    /// <summary>Draws the pixels of a picture; null with a reason when that is not possible. The caller disposes them.</summary>
    internal static Raster? Draw(NativeFrame frame, ImagePresentation presentation, PictureParameters parameters, out string? reason)
    {
        reason = FindRefusal(frame, presentation);
        if (reason is not null) return null;
        if (PictureGeometry.Find(frame.Layout, presentation.PixelAspect, parameters.Viewport) is not { } geometry)
        {
            reason = "the region of the viewport is outside the frame";
            return null;
        }
        if (geometry.Width > MaxSide || geometry.Height > MaxSide || (long)geometry.Width * geometry.Height > PictureGeometry.MaxPixels)
        {
            reason = $"a picture of {geometry.Width} by {geometry.Height} pixels is too large; a viewport makes it smaller";
            return null;
        }
        if (CreateRows(frame, presentation, parameters.Window) is not { } rows)
        {
            reason = "its palette is missing or empty";
            return null;
        }
        return RasterScaling.Draw(rows, geometry);
    }

    private static PixelRows? CreateRows(NativeFrame frame, ImagePresentation presentation, VoiWindow? window)
    {
        var layout = frame.Layout;
        if (layout.SamplesPerPixel == 3) return new ColorRows(frame);
        if (layout.PhotometricInterpretation == "PALETTE COLOR")
            return PaletteTable.Read(presentation, layout.IsSigned) is { } palette ? new PaletteRows(frame, palette) : null;
        var map = new GreyMap(presentation, layout, window);
        return layout.BitsAllocated <= 16 ? new GreyRows(frame, map) : new WideGreyRows(frame, map, presentation.Samples);
    }

    /// <summary>Why samples cannot be rendered; null when they can.</summary>
    private static string? FindRefusal(NativeFrame frame, ImagePresentation presentation)
    {
        var layout = frame.Layout;
        if (layout.FrameLength != frame.Bytes.Length) return "its length does not agree with its rows and columns";
        var isKnown = (layout.SamplesPerPixel, layout.PhotometricInterpretation) switch
        {
            (1, "MONOCHROME1" or "MONOCHROME2") => (layout.BitsAllocated, presentation.Samples) is ( <= 16, _)
                or (32, not SampleKind.Double) or (64, SampleKind.Double),
            (1, "PALETTE COLOR") => layout.BitsAllocated is 8 or 16,
            (3, "RGB" or "YBR_FULL" or "YBR_FULL_422" or "YBR_ICT" or "YBR_RCT") => layout.BitsAllocated is 8 or 16,
            _ => false,
        };
        return isKnown ? null
            : $"frames of {layout.SamplesPerPixel} {Describe(layout.PhotometricInterpretation)} samples of {layout.BitsAllocated} bits are "
                + "not rendered";
    }

    /// <summary>A name of PS3.3 §C.7.6.3.1.2; other text of a dataset is not repeated.</summary>
    private static string Describe(string photometric) =>
        photometric is "MONOCHROME1" or "MONOCHROME2" or "PALETTE COLOR" or "RGB" or "YBR_FULL" or "YBR_FULL_422" or "YBR_PARTIAL_422"
            or "YBR_PARTIAL_420" or "YBR_ICT" or "YBR_RCT" or "HSV" or "ARGB" or "CMYK" or "XYB" ? photometric : "unknown";

    private static ReadOnlySpan<byte> FindProfile(Raster raster, ImagePresentation presentation, PictureParameters parameters)
    {
        if (raster.Components == 1 || parameters.IccProfile == IccChoice.None) return default;
        var profile = presentation.IccProfile.Span;
        if (IccSegments.IsRgbProfile(profile)) return profile;
        return parameters.IccProfile == IccChoice.OfDataset ? default : IccSegments.Srgb;
    }
}
