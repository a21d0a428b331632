using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Proxy.Imaging.Presentation;

/// <summary>How a <see cref="VoiWindow"/> maps values to grey (PS3.3 §C.11.2.1.3).</summary>
public enum VoiFunction
{
    /// <summary>LINEAR: the window of PS3.3 §C.11.2.1.2.1, whose upper bound belongs to it.</summary>
    Linear,

    /// <summary>LINEAR_EXACT: the window of PS3.3 §C.11.2.1.3.2.</summary>
    LinearExact,

    /// <summary>SIGMOID: the curve of PS3.3 §C.11.2.1.3.1.</summary>
    Sigmoid,
}

/// <summary>The window that maps the output of the modality LUT to grey (PS3.3 §C.11.2).</summary>
/// <param name="Center">Window Center (0028,1050), finite.</param>
/// <param name="Width">Window Width (0028,1051), finite: at least 1 for <see cref="VoiFunction.Linear"/>, above 0 for the others.</param>
/// <param name="Function">VOI LUT Function (0028,1056).</param>
public readonly record struct VoiWindow(double Center, double Width, VoiFunction Function)
{
    /// <summary>The largest magnitude of a center or width. It is far above that of any modality, and calculations stay finite.</summary>
    public const double MaxMagnitude = 1e30;

    /// <summary>True when center and width are within their bounds.</summary>
    public bool IsValid => Math.Abs(Center) <= MaxMagnitude && Width <= MaxMagnitude
        && (Function == VoiFunction.Linear ? Width >= 1 : Width > 0);

    /// <summary>Reads the query parameter <c>window</c>: <c>center,width,function</c> (PS3.18 §8.3.5.1.3).</summary>
    /// <param name="text">The decoded value, such as <c>-600,1500,linear</c>. The function is linear, linear-exact or sigmoid.</param>
    /// <param name="window">The window; the default of its type when the value is refused.</param>
    /// <param name="rule">The rule that the value does not meet, as the end of a sentence; null when it is accepted.</param>
    public static bool TryParse(string text, out VoiWindow window, [NotNullWhen(false)] out string? rule)
    {
        window = default;
        rule = "must be center,width,function with the function linear, linear-exact or sigmoid";
        if (text.Split(',') is not [var center, var width, var name] || FindFunction(name.Trim().Replace('-', '_')) is not { } function
            || FindNumber(center) is not { } middle || FindNumber(width) is not { } range)
            return false;
        var read = new VoiWindow(middle, range, function);
        rule = function == VoiFunction.Linear ? "must have a width of at least 1" : "must have a width above 0";
        if (!read.IsValid) return false;
        (window, rule) = (read, null);
        return true;
    }

    /// <summary>The function with a name of PS3.3, in any case; null for an unknown name.</summary>
    internal static VoiFunction? FindFunction(string? name) => name?.Trim().ToUpperInvariant() switch
    {
        "LINEAR" => VoiFunction.Linear,
        "LINEAR_EXACT" => VoiFunction.LinearExact,
        "SIGMOID" => VoiFunction.Sigmoid,
        _ => null,
    };

    /// <summary>The grey of a value, from 0 to 1.</summary>
    internal double Map(double value) => Function switch
    {
        VoiFunction.Linear => Width > 1
            ? (value - (Center - 0.5)) / (Width - 1) + 0.5
            : value <= Center - 0.5 ? 0 : 1,
        VoiFunction.LinearExact => (value - Center) / Width + 0.5,
        _ => 1 / (1 + Math.Exp(-4 * (value - Center) / Width)),
    };

    private static double? FindNumber(string text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number) ? number : null;
}
