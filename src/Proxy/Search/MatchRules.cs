using System.Globalization;
using Proxy.Backends.Queries;
using Proxy.Dicom;

namespace Proxy.Search;

/// <summary>The values that a match attribute may have, by its VR (PS3.5 §6.2, PS3.4 §C.2.2.2).</summary>
/// <remarks>
/// <code>
/// DA TM DT           a value or a range, also open (§C.2.2.2.5)
/// UI                 a UID or a list of UIDs (§C.2.2.2.2)
/// IS SV UV US …      a whole number         DS FL FD    a number
/// others             any text
/// *                  any value: clients send it in place of no value (§C.2.2.2.3)
/// ""                 no value (§C.2.2.2.7)
/// </code>
/// The elements of a list that is separated by backslashes are checked one by one (§C.2.2.2.8). Months and days are not checked, because
/// clients send 99991231 and 20240231 as bounds.
/// </remarks>
internal static class MatchRules
{
    /// <summary>The rule that a value violates; null for a valid value.</summary>
    /// <param name="path">The tags of the attribute, as in <see cref="SearchQuery.Matches"/>.</param>
    /// <param name="value">The value, not empty.</param>
    public static string? FindViolated(string path, string value)
    {
        if (value is "*" or "\"\"" || !Tag.TryParse(path.AsSpan(path.LastIndexOf('.') + 1), out var tag)) return null;
        var vr = DataDictionary.FindVr(tag);
        (Predicate<string> IsValid, string Rule)? check = $"{(char)(vr >> 8)}{(char)(vr & 0xFF)}" switch
        {
            "DA" => (one => TemporalRange.FindDates(one) is not null, "a date YYYYMMDD, or a range of dates such as 20240101-20241231"),
            "TM" => (one => TemporalRange.FindTimes(one) is not null, "a time HHMMSS.FFFFFF, or a range of times such as 0800-1200"),
            "DT" => (
                one => TemporalRange.FindDateTimes(one) is not null,
                "a date with a time YYYYMMDDHHMMSS.FFFFFF&ZZXX, or a range of these (PS3.5 §6.2)"),
            "UI" => (one => one.Split(',').All(uid => Uid.TryParse(uid, out _)), "a UID or a list of UIDs (PS3.5 §9.1)"),
            "IS" or "SV" or "UV" or "US" or "SS" or "UL" or "SL" or "xs" => (IsWholeNumber, "a whole number (PS3.5 §6.2)"),
            "DS" or "FL" or "FD" => (IsNumber, "a number (PS3.5 §6.2)"),
            _ => null,
        };
        return check is not var (isValid, rule) || Array.TrueForAll(value.Split('\\'), isValid) ? null : rule;
    }

    private static bool IsWholeNumber(string text) =>
        Int128.TryParse(text, NumberStyles.Integer, CultureInfo.InvariantCulture, out _);

    private static bool IsNumber(string text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number);
}
