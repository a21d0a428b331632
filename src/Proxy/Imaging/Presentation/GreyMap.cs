namespace Proxy.Imaging.Presentation;

/// <summary>Maps stored values to grey: modality LUT or rescale, VOI LUT or window, presentation LUT shape (PS3.4 §N.2.1).</summary>
/// <remarks>
/// <code>
/// stored value → modality LUT | slope, intercept → window | VOI LUT | smallest..largest value → MONOCHROME1, INVERSE: inverted → 0..255
/// </code>
/// Values that are not a number are black. Padding is black in every case: it is background (PS3.3 §C.7.5.1.1.2).
/// </remarks>
internal sealed class GreyMap
{
    private readonly ImagePresentation _presentation;
    private readonly LookupTable? _modality;
    private readonly LookupTable? _voi;
    private readonly VoiWindow? _window;
    private readonly bool _isInverse;
    private readonly (double Low, double High) _padding;
    private double _smallest;
    private double _range = 1;

    /// <summary>Creates the map of a frame.</summary>
    /// <param name="presentation">What the dataset says.</param>
    /// <param name="layout">The layout of the frame.</param>
    /// <param name="window">A window that replaces that of the dataset.</param>
    public GreyMap(ImagePresentation presentation, PixelLayout layout, VoiWindow? window)
    {
        _presentation = presentation;
        _isInverse = presentation.IsInverse || layout.PhotometricInterpretation == "MONOCHROME1";
        _padding = FindPadding(presentation, SampleBits.Of(layout));
        if (presentation.ModalityLut is { } modality)
            _modality = LookupTable.Read(modality.Descriptor, modality.Data.Span, layout.IsSigned);
        // Without its modality LUT, the window and the VOI LUT of the dataset are for other values than these.
        var isModalityMissing = presentation.ModalityLut is not null && _modality is null;
        _window = window ?? (isModalityMissing ? null : presentation.Window);
        var isSigned = _modality is null && (layout.IsSigned || presentation.RescaleIntercept < 0);
        if (_window is null && !isModalityMissing && presentation.VoiLut is { } voi)
            _voi = LookupTable.Read(voi.Descriptor, voi.Data.Span, isSigned);
    }

    /// <summary>True when neither a window nor a VOI LUT is known: <see cref="SetRange"/> must be called.</summary>
    public bool NeedsRange => _window is null && _voi is null;

    /// <summary>True when a stored value is padding.</summary>
    public bool IsPadding(double stored) => stored >= _padding.Low && stored <= _padding.High;

    /// <summary>The output of the modality LUT.</summary>
    public double ToModality(double stored) =>
        _modality?.Map(stored) ?? stored * _presentation.RescaleSlope + _presentation.RescaleIntercept;

    /// <summary>
    /// Sets the outputs of the modality LUT that become black and white. An empty range maps every value to the smallest.
    /// </summary>
    public void SetRange(double smallest, double largest) =>
        (_smallest, _range) = (smallest, largest > smallest ? largest - smallest : double.PositiveInfinity);

    /// <summary>The grey of a stored value.</summary>
    public byte Map(double stored)
    {
        if (IsPadding(stored)) return 0;
        var value = ToModality(stored);
        var unit = _window is { } window ? window.Map(value)
            : _voi is not null ? _voi.MapToUnit(value)
            : (value - _smallest) / _range;
        if (double.IsNaN(unit)) return 0;
        var grey = (byte)(Math.Clamp(unit, 0, 1) * 255 + 0.5);
        return _isInverse ? (byte)(255 - grey) : grey;
    }

    /// <summary>The bounds of the padding; an empty range without padding.</summary>
    private static (double Low, double High) FindPadding(ImagePresentation presentation, SampleBits bits)
    {
        if (presentation.Padding is not { } written || presentation.Samples != SampleKind.Integer) return (1, 0);
        var value = bits.Normalize(written);
        var limit = presentation.PaddingLimit is { } other ? bits.Normalize(other) : value;
        return (Math.Min(value, limit), Math.Max(value, limit));
    }
}
