using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Primitives;
using Proxy.Backends.Queries;
using Proxy.Dicom;

namespace Proxy.Search;

/// <summary>An invalid parameter and the rule that it violates.</summary>
/// <param name="Parameter">The parameter's name.</param>
/// <param name="Rule">The valid values.</param>
public sealed record ParameterError(string Parameter, string Rule);

/// <summary>Reads the parameters of a search (PS3.18 §8.3.4), in all forms that clients use.</summary>
internal static partial class SearchParameters
{
    private const int MaxParameters = 100;

    /// <summary>The limit of tags in one dotted name.</summary>
    private const int MaxSequences = 8;

    /// <summary>The limit of names in the Warning about ignored parameters.</summary>
    private const int MaxIgnoredNames = 10;

    public static bool TryRead(
        SearchLevel level, Uid? study, Uid? series, IQueryCollection parameters, out SearchQuery query, out ParameterError? error)
    {
        query = SearchQuery.AllStudies with { Level = level, Study = study, Series = series };
        error = parameters.Count > MaxParameters ? new("query", $"at most {MaxParameters} parameters") : null;
        foreach (var (name, values) in parameters)
        {
            if (error is not null) break;
            error = TryAdd(ref query, name, values);
        }
        return error is null;
    }

    private static ParameterError? TryAdd(ref SearchQuery query, string name, StringValues values)
    {
        var value = values[0] ?? "";
        switch (name)
        {
            case "includefield":
                return TryAddFields(ref query, values);
            case "limit":
                if (values.Count > 1 || !int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var limit))
                    return new(name, "a whole number from 0");
                query = query with { Limit = limit };
                return null;
            case "offset":
                if (values.Count > 1 || !int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var offset))
                    return new(name, "a whole number from 0");
                query = query with { Offset = offset };
                return null;
            case "fuzzymatching":
                if (values.Count > 1 || !bool.TryParse(value, out var fuzzy)) return new(name, "true or false");
                query = query with { IsFuzzy = fuzzy };
                return null;
            case "accept" or "charset":
                // These choose the form of the answer, at every resource (PS3.18 §8.3.3).
                return null;
            case "emptyvaluematching":
                if (values.Count > 1 || !bool.TryParse(value, out var empty)) return new(name, "true or false");
                query = query with { MatchesEmptyValues = empty };
                return null;
            case "multiplevaluematching":
                if (values.Count > 1 || !bool.TryParse(value, out var multiple)) return new(name, "true or false");
                query = query with { MatchesMultipleValues = multiple };
                return null;
            default:
                return TryAddMatch(ref query, name, values);
        }
    }

    private static ParameterError? TryAddFields(ref SearchQuery query, StringValues values)
    {
        var fields = values.ToArray().SelectMany(
            v => (v ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)).Distinct().ToList();
        if (fields.Contains("all"))
        {
            query = query with { IncludesAll = true };
            return fields.Count == 1 ? null : new("includefield", "all stands alone, without other attributes (PS3.18 §8.3.4.3)");
        }
        foreach (var field in fields)
        {
            if (FindPath(field) is not { } path)
                return new(
                    "includefield",
                    $"a list of keywords or tags of eight hexadecimal digits, or all (PS3.18 §8.3.4.3); {ToLogText(field)} is neither");
            query = WithField(query, path);
        }
        return null;
    }

    private static ParameterError? TryAddMatch(ref SearchQuery query, string name, StringValues values)
    {
        if (FindPath(name) is not { } path)
        {
            // A misspelt attribute would match everything. Attributes begin with a capital letter or a digit, other parameters do not.
            if (name.Length > 0 && (char.IsAsciiLetterUpper(name[0]) || char.IsAsciiDigit(name[0])))
                return new(ToLogText(name), "a keyword of PS3.6, or a tag of eight hexadecimal digits (PS3.18 §8.3.4.1)");
            // PS3.18 §8.3: unknown parameters are ignored. The value may be a credential, so the warning has only the name.
            if (name.Length > 0 && query.IgnoredParameters.Length < MaxIgnoredNames)
                query = query with { IgnoredParameters = query.IgnoredParameters.Add(ToLogText(name)) };
            return null;
        }
        var isModalities = path == Tag.ModalitiesInStudy.ToString();
        if (query.Matches.ContainsKey(path) || values.Count > 1 && !isModalities)
            return new(ToLogText(name), "an attribute may be matched once (PS3.18 §8.3.4.1)");
        var padded = string.Join(',', values.ToArray());
        var value = padded.TrimEnd('\0');
        // Padding alone is no value: an empty one would match every object.
        if (value.Length > 16 * 1024 || value.Length == 0 && padded.Length > 0 || value.Any(char.IsControl) && !IsUid(path))
            return new(ToLogText(name), "at most 16384 characters, without control characters");
        if (IsUid(path) && value.Length > 0)
        {
            if (FindUids(value) is not { } uids) return new(ToLogText(name), "a UID or a list of UIDs (PS3.5 §9.1)");
            value = string.Join(',', uids);
        }
        else if (path == SearchQuery.TimezoneOffset && value.Length > 0)
        {
            // A plus that was not escaped arrives as a space.
            if (value[0] == ' ') value = "+" + value[1..];
            if (!Offset().IsMatch(value)) return new(ToLogText(name), "an offset from -1200 to +1400 (PS3.3 §C.12.1.1.8)");
        }
        else if (isModalities)
        {
            value = string.Join(',', value.Split(['\\', ','], StringSplitOptions.RemoveEmptyEntries).Distinct());
        }
        else if (value.Length > 0 && MatchRules.FindViolated(path, value) is { } rule)
        {
            return new(ToLogText(name), rule);
        }
        // Universal matching (PS3.4 §C.2.2.2.3, §C.2.2.2.4): it does not restrict the search, and requests the attribute in the answer.
        if (value is "" or "*") query = WithField(query, path);
        else query = query with { Matches = query.Matches.Add(path, (name, value)) };
        return null;
    }

    /// <summary>The distinct UIDs of a list; null when an element is not a UID.</summary>
    private static IReadOnlyCollection<Uid>? FindUids(string list)
    {
        var uids = new List<Uid>();
        foreach (var text in list.Split('\\', ','))
        {
            if (!Uid.TryParse(text, out var uid)) return null;
            if (!uids.Contains(uid)) uids.Add(uid);
        }
        return uids;
    }

    /// <summary>Ignores an attribute of a lower level, which a row cannot contain (PS3.18 §10.6.3.3.1, §10.6.3.3.2).</summary>
    private static SearchQuery WithField(SearchQuery query, string path) =>
        SearchFields.GetLower(query.Level).Contains(path)
            ? query
            : query with { IncludeFields = query.IncludeFields.Add(path) };

    private static bool IsUid(string path) =>
        path == Tag.StudyInstanceUid.ToString() || path == Tag.SeriesInstanceUid.ToString() || path == Tag.SopInstanceUid.ToString();

    /// <summary>The tags of an attribute, or of an attribute inside sequences, joined by dots: <c>00400275.00400009</c>.</summary>
    private static string? FindPath(string name)
    {
        var tags = new List<string>();
        var parts = name.Split('.');
        if (parts.Length > MaxSequences) return null;
        foreach (var part in parts)
        {
            if (!Keywords.TryParse(part, out var tag)) return null;
            tags.Add(tag.ToString());
        }
        return string.Join('.', tags);
    }

    [GeneratedRegex(@"^(-(0\d|1[01])[0-5]\d|-1200|\+(0\d|1[0-3])[0-5]\d|\+1400)$", RegexOptions.ExplicitCapture)]
    private static partial Regex Offset();

    private static string ToLogText(string name) => name.Length > 64 ? name[..64] + "…" : name;
}
