using Proxy.Dicom;

namespace Proxy.Imaging.Presentation;

/// <summary>The values of a dataset, while it is read, that no functional group and no table contains.</summary>
internal sealed class DatasetValues
{
    private const uint RecommendedFrameRateTag = 0x00082144;
    private const uint CineRateTag = 0x00180040;
    private const uint FrameTimeTag = 0x00181063;
    private const uint PaddingTag = 0x00280120;
    private const uint PaddingLimitTag = 0x00280121;
    private const uint IccProfileTag = 0x00282000;
    private const uint PresentationLutShapeTag = 0x20500020;
    private const uint FloatPixelDataTag = 0x7FE00008;
    private const uint DoublePixelDataTag = 0x7FE00009;

    private ImagePresentation _values = ImagePresentation.None;
    private BinaryValue _profile;

    /// <summary>The URI of the ICC profile, if it has one.</summary>
    public IEnumerable<string> Uris => _profile.Uri is { } uri ? [uri] : [];

    /// <summary>Takes an element of the dataset, if it is one of these.</summary>
    public void Take(ref DatasetCursor cursor)
    {
        switch (cursor.Tag.Value)
        {
            case PaddingTag: _values = _values with { Padding = ReadInteger(cursor.Attribute) }; break;
            case PaddingLimitTag: _values = _values with { PaddingLimit = ReadInteger(cursor.Attribute) }; break;
            case FrameTimeTag: TakeFrameTime(ReadNumber(cursor.Attribute)); break;
            case CineRateTag or RecommendedFrameRateTag: TakeFrameTime(1000 / ReadNumber(cursor.Attribute)); break;
            case IccProfileTag: _profile = BinaryValue.Read(ref cursor); break;
            case FloatPixelDataTag: _values = _values with { Samples = SampleKind.Float }; break;
            case DoublePixelDataTag: _values = _values with { Samples = SampleKind.Double }; break;
            case PresentationLutShapeTag:
                _values = _values with { IsInverse = ElementValues.ReadText(cursor.Attribute)?.Trim() == "INVERSE" };
                break;
            default: break;
        }
    }

    /// <summary>Adds the values to a presentation.</summary>
    public ImagePresentation Complete(ImagePresentation presentation, IReadOnlyDictionary<string, ReadOnlyMemory<byte>>? bulk) =>
        presentation with
        {
            Padding = _values.Padding,
            PaddingLimit = _values.PaddingLimit,
            FrameTime = _values.FrameTime,
            Samples = _values.Samples,
            IsInverse = _values.IsInverse,
            IccProfile = _profile.Resolve(bulk),
        };

    /// <summary>Takes a time in milliseconds, if browsers can show frames that fast and viewers wait that long.</summary>
    private void TakeFrameTime(double? time)
    {
        if (time is >= 10 and <= 10_000) _values = _values with { FrameTime = TimeSpan.FromMilliseconds(time.Value) };
    }

    private static long? ReadInteger(ReadOnlySpan<byte> attribute) =>
        ReadNumber(attribute) is >= long.MinValue / 2 and <= long.MaxValue / 2 and var number ? (long)number : null;

    private static double? ReadNumber(ReadOnlySpan<byte> attribute)
    {
        Span<double> numbers = stackalloc double[1];
        return ElementValues.ReadNumbers(attribute, numbers) == 1 ? numbers[0] : null;
    }
}
