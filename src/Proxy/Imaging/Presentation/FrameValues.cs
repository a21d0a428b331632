namespace Proxy.Imaging.Presentation;

/// <summary>The values that the dataset, its shared functional groups or those of one frame give (PS3.3 §C.7.6.16).</summary>
internal sealed class FrameValues
{
    private const uint ImagerPixelSpacingTag = 0x00181164;
    private const uint PixelSpacingTag = 0x00280030;
    private const uint PixelAspectRatioTag = 0x00280034;
    private const uint WindowCenterTag = 0x00281050;
    private const uint WindowWidthTag = 0x00281051;
    private const uint RescaleInterceptTag = 0x00281052;
    private const uint RescaleSlopeTag = 0x00281053;
    private const uint VoiLutFunctionTag = 0x00281056;

    /// <summary>
    /// The sequences of a functional group whose first item is read: pixel value transformation, frame VOI LUT, pixel measures.
    /// </summary>
    public static bool IsRead(uint sequence) => sequence is 0x00289145 or 0x00289132 or 0x00289110;

    private double? _center;
    private double? _width;
    private VoiFunction _function;

    /// <summary>Rescale Slope, if it is valid.</summary>
    public double? Slope { get; private set; }

    /// <summary>Rescale Intercept, if it is valid.</summary>
    public double? Intercept { get; private set; }

    /// <summary>The height of a pixel divided by its width, if it is plausible. The aspect ratio precedes the spacing.</summary>
    public double? PixelAspect { get; private set; }

    /// <summary>The first window, if it is valid.</summary>
    public VoiWindow? Window
    {
        get
        {
            if (_center is not { } center || _width is not { } width) return null;
            var window = new VoiWindow(center, width, _function);
            return window.IsValid ? window : null;
        }
    }

    /// <summary>Takes the value of an attribute, if it is one of these.</summary>
    /// <param name="tag">The tag.</param>
    /// <param name="value">The value object (PS3.18 §F.2.2).</param>
    public void Take(uint tag, ReadOnlySpan<byte> value)
    {
        switch (tag)
        {
            case WindowCenterTag: _center = ReadNumber(value); break;
            case WindowWidthTag: _width = ReadNumber(value); break;
            case VoiLutFunctionTag: _function = VoiWindow.FindFunction(ElementValues.ReadText(value)) ?? VoiFunction.Linear; break;
            case RescaleInterceptTag: Intercept = ReadNumber(value); break;
            case RescaleSlopeTag: Slope = ReadNumber(value) is { } slope and not 0 ? slope : null; break;
            case PixelAspectRatioTag: PixelAspect = ReadRatio(value) ?? PixelAspect; break;
            case PixelSpacingTag or ImagerPixelSpacingTag: PixelAspect ??= ReadRatio(value); break;
            default: break;
        }
    }

    private static double? ReadNumber(ReadOnlySpan<byte> value)
    {
        Span<double> numbers = stackalloc double[1];
        return ElementValues.ReadNumbers(value, numbers) == 1 && Math.Abs(numbers[0]) <= VoiWindow.MaxMagnitude ? numbers[0] : null;
    }

    /// <summary>The ratio of a vertical and a horizontal length; null when it is not between 1:16 and 16:1.</summary>
    private static double? ReadRatio(ReadOnlySpan<byte> value)
    {
        Span<double> numbers = stackalloc double[2];
        return ElementValues.ReadNumbers(value, numbers) == 2 && numbers[0] > 0 && numbers[1] > 0
            && numbers[0] / numbers[1] is >= 1 / 16.0 and <= 16 and var ratio
            ? ratio : null;
    }
}
