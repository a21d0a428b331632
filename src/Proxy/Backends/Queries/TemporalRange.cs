using System.Globalization;
using System.Text.RegularExpressions;

namespace Proxy.Backends.Queries;

/// <summary>A date, a time, both, or a range of these, as the value of a match attribute (PS3.4 §C.2.2.2.5).</summary>
/// <remarks>
/// Bounds are texts of full precision, which compare like the dates and times that they stand for. A value of lower precision is the
/// range that it covers: <c>10</c> is 10:00:00.000000 to 10:59:59.999999.
/// </remarks>
/// <param name="From">The first value; null for an open beginning.</param>
/// <param name="To">The last value; null for an open end.</param>
internal readonly partial record struct TemporalRange(string? From, string? To)
{
    private const string FirstTime = "000000.000000";
    private const string LastTime = "235959.999999";
    private const string FirstDateTime = "00000101" + FirstTime;
    private const string LastDateTime = "99991231" + LastTime;

    /// <summary>Reads a date or a range of dates; null when it is neither.</summary>
    public static TemporalRange? FindDates(string text) => Find(text, FindDate, FindDate);

    /// <summary>Reads a time or a range of times; null when it is neither.</summary>
    public static TemporalRange? FindTimes(string text) => Find(text, t => FindTime(t, FirstTime), t => FindTime(t, LastTime));

    /// <summary>Reads a date time or a range of these, with offsets from UTC; null when it is neither.</summary>
    public static TemporalRange? FindDateTimes(string text)
    {
        if (!DateTimes().IsMatch(text)) return null;
        var match = DateTimes().Match(text);
        string from = match.Groups["from"].Value, to = match.Groups["to"].Value;
        if (!match.Groups["range"].Success) to = from;
        var range = new TemporalRange(FindDateTime(from, FirstDateTime), FindDateTime(to, LastDateTime));
        return IsRead(from, range.From) && IsRead(to, range.To) && (range.From ?? range.To) is not null ? range : null;
    }

    /// <summary>
    /// Joins a range of dates and a range of times to one range, from the first time of the first date to the last time of the last date
    /// (PS3.4 §C.2.2.2.5.1); null when one of them is no range.
    /// </summary>
    public static TemporalRange? FindCombined(string dates, string times) =>
        IsRange(dates) && IsRange(times) && FindDates(dates) is { } days && FindTimes(times) is { } hours
            ? new(
                days.From is null ? null : days.From + (hours.From ?? FirstTime), days.To is null ? null : days.To + (hours.To ?? LastTime))
            : null;

    /// <summary>True when a date is within the range.</summary>
    public bool HasDate(string text) => FindDate(text) is { } date && Has(date);

    /// <summary>True when a time is within the range.</summary>
    public bool HasTime(string text) => FindTime(text, FirstTime) is { } time && Has(time);

    /// <summary>True when a date time is within the range.</summary>
    public bool HasDateTime(string text) => FindDateTime(text, FirstDateTime) is { } value && Has(value);

    /// <summary>True when a date and its time are within a combined range. A missing time is the beginning of the day.</summary>
    public bool HasDateAndTime(string date, string time) =>
        FindDate(date) is { } day && Has(day + (FindTime(time, FirstTime) ?? FirstTime));

    private bool Has(string value) =>
        (From is null || string.CompareOrdinal(From, value) <= 0) && (To is null || string.CompareOrdinal(value, To) <= 0);

    private static bool IsRange(string text) => text.Contains('-', StringComparison.Ordinal);

    private static TemporalRange? Find(string text, Func<string, string?> findFirst, Func<string, string?> findLast)
    {
        var hyphen = text.IndexOf('-', StringComparison.Ordinal);
        string from = hyphen < 0 ? text : text[..hyphen], to = hyphen < 0 ? text : text[(hyphen + 1)..];
        var range = new TemporalRange(findFirst(from), findLast(to));
        return IsRead(from, range.From) && IsRead(to, range.To) && (range.From ?? range.To) is not null ? range : null;
    }

    /// <summary>False for a bound with an invalid text; an open bound has none.</summary>
    private static bool IsRead(string text, string? bound) => bound is not null || string.IsNullOrWhiteSpace(text);

    /// <summary>Eight digits; old files separate them by periods (PS3.5 §6.2).</summary>
    private static string? FindDate(string text)
    {
        var digits = text.Trim().Replace(".", "", StringComparison.Ordinal);
        return digits.Length == 8 && digits.All(char.IsAsciiDigit) ? digits : null;
    }

    /// <summary>A time with full precision; old files separate the digits by colons (PS3.5 §6.2).</summary>
    private static string? FindTime(string text, string missing)
    {
        var time = text.Trim().Replace(":", "", StringComparison.Ordinal);
        return Times().IsMatch(time) ? time + missing[time.Length..] : null;
    }

    private static string? FindDateTime(string text, string missing)
    {
        var match = DateTimeValue().Match(text.Trim());
        if (!match.Success) return null;
        var digits = match.Groups["digits"].Value;
        digits += missing[digits.Length..];
        if (!match.Groups["offset"].Success) return digits;
        var offset = match.Groups["offset"].ValueSpan;
        var minutes = int.Parse(offset[1..3], CultureInfo.InvariantCulture) * 60 + int.Parse(offset[3..], CultureInfo.InvariantCulture);
        const string Format = "yyyyMMddHHmmss.ffffff";
        if (!DateTime.TryParseExact(digits, Format, CultureInfo.InvariantCulture, DateTimeStyles.None, out var local)
            || local.Year is < 2 or > 9998)
            return digits;
        return local.AddMinutes(offset[0] == '+' ? -minutes : minutes).ToString(Format, CultureInfo.InvariantCulture);
    }

    [GeneratedRegex(@"^\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?$", RegexOptions.ExplicitCapture)]
    private static partial Regex Times();

    [GeneratedRegex(
        @"^(?<digits>\d{4}(\d{2}(\d{2}(\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?)?)?)?)(?<offset>[+-](0\d|1[0-4])[0-5]\d)?$",
        RegexOptions.ExplicitCapture)]
    private static partial Regex DateTimeValue();

    /// <summary>A hyphen and four digits behind a value are an offset, if it is a valid one and the rest is valid too.</summary>
    [GeneratedRegex(
        @"^(?<from>\d{4,14}(\.\d{1,6})?([+-](0\d|1[0-4])[0-5]\d)?)?"
        + @"((?<range>-)(?<to>\d{4,14}(\.\d{1,6})?([+-](0\d|1[0-4])[0-5]\d)?)?)?$", RegexOptions.ExplicitCapture)]
    private static partial Regex DateTimes();
}
