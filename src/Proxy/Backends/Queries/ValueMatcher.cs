using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Proxy.Backends.Queries;

/// <summary>Decides whether the values of one attribute match the value of a search, by their VR (PS3.4 §C.2.2.2).</summary>
/// <remarks>
/// <code>
/// UI              any of a list (§C.2.2.2.2)
/// DA TM DT        a value or a range, also open (§C.2.2.2.5)
/// PN              wildcards, in any case, by component group and component
/// AE CS LO … UT   wildcards, in the same case (§C.2.2.2.4)
/// IS DS US …      the same number (§C.2.2.2.1.4)
/// </code>
/// Of several values of an attribute one must match.
/// </remarks>
internal static class ValueMatcher
{
    /// <summary>The longest value of a search that is compared; a longer one matches nothing.</summary>
    private const int MaxKey = 1024;

    /// <summary>The longest text that is compared, as long as the longest LT (PS3.5 §6.2); the rest is ignored.</summary>
    private const int MaxText = 10_240;

    private const int NameComponents = 5;

    /// <summary>Decides whether an attribute matches.</summary>
    /// <param name="attribute">Its value object, such as <c>{"vr":"CS","Value":["CT"]}</c>.</param>
    /// <param name="key">The value of the search, not empty.</param>
    /// <param name="matchesMultiple">
    /// True when values separated by backslashes must all be among the values of the attribute (PS3.4 §C.2.2.2.8).
    /// </param>
    public static bool Matches(JsonElement attribute, string key, bool matchesMultiple)
    {
        if (key.All(c => c == '*')) return true;
        if (key.Length > MaxKey && FindVr(attribute) != "UI") return false;
        var vr = FindVr(attribute);
        if (matchesMultiple && key.Contains('\\', StringComparison.Ordinal))
            return key.Split('\\').All(one => ReadValues(attribute).Any(value => MatchesOne(vr, value, one)));
        // UIDs have lists; of a code string viewers send lists too, such as CT,MR.
        var keys = vr is "UI" or "CS" ? key.Split(',', '\\') : [key];
        return keys.Any(one => ReadValues(attribute).Any(value => MatchesOne(vr, value, one)));
    }

    /// <summary>True when an attribute has no value (PS3.4 §C.2.2.2.7).</summary>
    public static bool IsEmpty(JsonElement attribute) =>
        ReadValues(attribute).All(value => value.ValueKind == JsonValueKind.Null || value.ValueKind == JsonValueKind.String && GetText(
            value).Trim().Length == 0);

    /// <summary>The first value as text; empty for an attribute without values.</summary>
    public static string ReadFirst(JsonElement attribute) => GetText(ReadValues(attribute).FirstOrDefault());

    /// <summary>The values or items of an attribute; none for bulk data.</summary>
    public static IEnumerable<JsonElement> ReadValues(JsonElement attribute) =>
        attribute.ValueKind == JsonValueKind.Object && attribute.TryGetProperty("Value", out var values)
            && values.ValueKind == JsonValueKind.Array ? values.EnumerateArray() : [];

    private static string FindVr(JsonElement attribute) =>
        attribute.ValueKind == JsonValueKind.Object && attribute.TryGetProperty("vr", out var vr) ? GetText(vr) : "";

    private static bool MatchesOne(string vr, JsonElement value, string key) => vr switch
    {
        "PN" => MatchesName(value, key),
        "DA" => TemporalRange.FindDates(key) is { } dates ? dates.HasDate(GetText(value)) : IsSame(value, key),
        "TM" => TemporalRange.FindTimes(key) is { } times ? times.HasTime(GetText(value)) : IsSame(value, key),
        "DT" => TemporalRange.FindDateTimes(key) is { } both ? both.HasDateTime(GetText(value)) : IsSame(value, key),
        "IS" or "DS" or "US" or "SS" or "UL" or "SL" or "UV" or "SV" or "FL" or "FD" => IsSameNumber(GetText(value), key),
        "UI" => GetText(value).TrimEnd(' ', '\0') == key.TrimEnd(' ', '\0'),
        "AT" => GetText(value).Equals(key, StringComparison.OrdinalIgnoreCase),
        _ => MatchesWildcards(GetText(value).Trim(' '), key.Trim(' ')),
    };

    private static bool IsSame(JsonElement value, string key) => GetText(value).Trim() == key.Trim();

    private static bool IsSameNumber(string text, string key) =>
        decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number)
            && decimal.TryParse(key, NumberStyles.Float, CultureInfo.InvariantCulture, out var wanted)
            ? number == wanted
            : text.Trim() == key.Trim();

    /// <summary>
    /// Without <c>=</c> a key may match any component group, so that a name is found in each of its scripts (PS3.5 §6.2.1.1).
    /// </summary>
    private static bool MatchesName(JsonElement value, string key)
    {
        string[] groups = value.ValueKind == JsonValueKind.Object
            ? [GetMember(value, "Alphabetic"), GetMember(value, "Ideographic"), GetMember(value, "Phonetic")]
            : GetText(value).Split('=');
        if (!key.Contains('=', StringComparison.Ordinal)) return groups.Any(group => MatchesGroup(group, key));
        var wanted = key.Split('=');
        return wanted.Select((part, i) => part.Length == 0 || MatchesGroup(groups.ElementAtOrDefault(i) ?? "", part)).All(match => match);
    }

    private static bool MatchesGroup(string group, string key)
    {
        var (text, pattern) = (Normal(group), Normal(key));
        if (pattern.Length == 0) return text.Length == 0;
        if (text.Length > 0 && MatchesWildcards(text, pattern)) return true;
        var components = pattern.Split('^');
        var values = text.Split('^');
        // DOE^* also finds a name without a given name: trailing delimiters may be left out (PS3.5 §6.2.1).
        return components.Length is > 1 and <= NameComponents && values.Length <= components.Length
            && components.Select((component, i) => MatchesWildcards(values.ElementAtOrDefault(i) ?? "", component)).All(match => match);

        static string Normal(string name) =>
            string.Join('^', name.Split('^').Select(component => component.Trim())).TrimEnd('^')
                .Normalize(NormalizationForm.FormC).ToUpperInvariant();
    }

    /// <summary><c>*</c> is any text, <c>?</c> any character. Goes back to the last asterisk only, so that the time is bounded.</summary>
    private static bool MatchesWildcards(string text, string pattern)
    {
        var end = Math.Min(text.Length, MaxText);
        int at = 0, next = 0, asterisk = -1, retry = 0;
        while (at < end)
        {
            if (next < pattern.Length && pattern[next] == '*') (asterisk, retry, next) = (next, at, next + 1);
            else if (next < pattern.Length && (pattern[next] == '?' || pattern[next] == text[at])) (at, next) = (at + 1, next + 1);
            else if (asterisk >= 0) (at, next) = (++retry, asterisk + 1);
            else return false;
        }
        while (next < pattern.Length && pattern[next] == '*') next++;
        return next == pattern.Length;
    }

    private static string GetMember(JsonElement name, string member) => name.TryGetProperty(member, out var group) ? GetText(group) : "";

    /// <summary>A string, or a number as written; empty for everything else and for text that is half of a surrogate pair.</summary>
    private static string GetText(JsonElement value)
    {
        if (value.ValueKind == JsonValueKind.Number) return value.GetRawText();
        if (value.ValueKind != JsonValueKind.String) return "";
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            return "";
        }
    }
}
