using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using Microsoft.Extensions.Primitives;
using Proxy.Dicom;

namespace Proxy.Search;

/// <summary>What a search returns one row for (PS3.18 §10.6.1).</summary>
public enum SearchLevel { Studies, Series, Instances }

/// <summary>Which rule a parameter breaks.</summary>
public sealed record ParameterError(string Parameter, string Rule);

/// <summary>A QIDO-RS search, read and put into one form (PS3.18 §8.3.4).</summary>
/// <param name="Level">What the rows are.</param>
/// <param name="Study">The study in the path, if there is one.</param>
/// <param name="Series">The series in the path, if there is one.</param>
/// <param name="Matches">What is matched: the attribute as a path of tags, its name as the client wrote it, the value.</param>
/// <param name="IncludeFields">Further attributes that the client wants, as paths of tags.</param>
/// <param name="IncludesAll"><c>includefield=all</c>.</param>
/// <param name="IsFuzzy"><c>fuzzymatching=true</c>.</param>
/// <param name="Limit">The most rows of one page; null for no limit.</param>
/// <param name="Offset">Rows of the merged list that come before the page.</param>
public sealed record SearchQuery(
    SearchLevel Level, Uid? Study, Uid? Series,
    ImmutableSortedDictionary<string, (string Name, string Value)> Matches,
    ImmutableSortedSet<string> IncludeFields, bool IncludesAll, bool IsFuzzy, int? Limit, int Offset)
{
    private const int MaxParameters = 100;

    /// <summary>Asked for in every search, so that any row can be merged, filed and served again.</summary>
    private static readonly ImmutableSortedSet<string> StudyFields =
        ["00080020", "00080030", "00080050", "00080056", "00080061", "00080090", "00081030", "00100010", "00100020", "00100021", "00100030", "00100040", "00200010", "00201206", "00201208"];

    private static readonly ImmutableSortedSet<string> SeriesFields =
        ["00080021", "00080031", "00080056", "00080060", "0008103E", "00180015", "00200011", "00201209", "00400244", "00400245", "00400275"];

    private static readonly ImmutableSortedSet<string> InstanceFields = ["00080056", "00080016", "00200013", "00280008", "00280010", "00280011", "00280100"];

    public static readonly SearchQuery AllStudies = new(SearchLevel.Studies, null, null, ImmutableSortedDictionary<string, (string, string)>.Empty, [], false, false, null, 0);

    /// <summary>All series of one study, with what is asked for in every search.</summary>
    public static SearchQuery SeriesOf(Uid study) => AllStudies with { Level = SearchLevel.Series, Study = study };

    /// <summary>The attribute that names a row.</summary>
    public Tag Key => Level switch
    {
        SearchLevel.Studies => Tag.StudyInstanceUid,
        SearchLevel.Series => Tag.SeriesInstanceUid,
        _ => Tag.SopInstanceUid,
    };

    /// <summary>Whether it asks for all there is of what the path names, and for nothing that a kept row may lack.</summary>
    public bool AsksWhole => Matches.IsEmpty && HasUsualFields;

    /// <summary>The one study that is searched for by its UID and nothing else.</summary>
    public Uid? OnlyStudy =>
        Level == SearchLevel.Studies && HasUsualFields && Matches.Count == 1 && Matches.TryGetValue(Tag.StudyInstanceUid.ToString(), out var match) && Uid.TryParse(match.Value, out var uid)
            ? uid
            : null;

    private bool HasUsualFields => !IncludesAll && IncludeFields.IsSubsetOf(StandardFields);

    /// <summary>Two searches of the same text are the same search, whatever page of it is wanted and whichever of the usual attributes it names.</summary>
    public string CanonicalText => string.Join('&',
        [Path, .. Matches.Select(m => $"{m.Key}={Escape(m.Value.Value)}"), "include=" + (IncludesAll ? "all" : string.Join(',', IncludeFields.Except(StandardFields))), "fuzzy=" + IsFuzzy]);

    /// <summary>The UIDs that a match names; null when it names none.</summary>
    public IReadOnlyCollection<Uid>? FindUids(Tag tag) =>
        Matches.TryGetValue(tag.ToString(), out var match) ? [.. match.Value.Split(',').Select(Uid.Parse)] : null;

    public static bool TryRead(SearchLevel level, Uid? study, Uid? series, IQueryCollection parameters, out SearchQuery query, out ParameterError? error)
    {
        query = AllStudies with { Level = level, Study = study, Series = series };
        error = parameters.Count > MaxParameters ? new("query", $"at most {MaxParameters} parameters") : null;
        foreach (var (name, values) in parameters)
        {
            if (error is not null) break;
            error = query.TryAdd(name, values, out query);
        }
        return error is null;
    }

    /// <summary>The search as one backend is asked it: the first <paramref name="limit"/> rows, or all; commas and stars raw.</summary>
    public string ToRequest(int? limit)
    {
        var request = new StringBuilder(Path).Append('?');
        foreach (var (name, value) in Matches.Values) request.Append(Escape(name)).Append('=').Append(Escape(value)).Append('&');
        if (IsFuzzy) request.Append("fuzzymatching=true&");
        request.Append("includefield=").Append(IncludesAll ? "all" : string.Join(',', StandardFields.Union(IncludeFields)));
        return limit is null ? request.ToString() : request.Append(CultureInfo.InvariantCulture, $"&limit={limit}&offset=0").ToString();
    }

    private string Path => (Study, Series) switch
    {
        (null, _) => Level.ToString().ToLowerInvariant(),
        ({ } study, null) => $"{new StudyPath(study)}/{Level.ToString().ToLowerInvariant()}",
        ({ } study, { } series) => $"{new SeriesPath(study, series)}/{Level.ToString().ToLowerInvariant()}",
    };

    private ImmutableSortedSet<string> StandardFields => Level switch
    {
        SearchLevel.Studies => StudyFields,
        SearchLevel.Series => Study is null ? SeriesFields.Union(StudyFields) : SeriesFields,
        _ => Study is null ? InstanceFields.Union(SeriesFields).Union(StudyFields) : InstanceFields,
    };

    private ParameterError? TryAdd(string name, StringValues values, out SearchQuery query)
    {
        query = this;
        var value = values[0] ?? "";
        switch (name)
        {
            case "includefield":
                return TryAddFields(values, out query);
            case "limit":
                if (values.Count > 1 || !int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var limit)) return new(name, "one whole number from 0");
                query = this with { Limit = limit };
                return null;
            case "offset":
                if (values.Count > 1 || !int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var offset)) return new(name, "one whole number from 0");
                query = this with { Offset = offset };
                return null;
            case "fuzzymatching":
                if (values.Count > 1 || !bool.TryParse(value, out var fuzzy)) return new(name, "true or false");
                query = this with { IsFuzzy = fuzzy };
                return null;
            case "emptyvaluematching" or "multiplevaluematching":
                return bool.TryParse(value, out _) ? null : new(name, "true or false");
            default:
                return TryAddMatch(name, values, out query);
        }
    }

    /// <summary>An attribute of a series has no place in a study's row (PS3.18 §10.6.3.3.1), though viewers ask for it.</summary>
    private ParameterError? TryAddFields(StringValues values, out SearchQuery query)
    {
        query = this;
        foreach (var field in values.ToArray().SelectMany(v => (v ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)))
        {
            if (field == "all") query = query with { IncludesAll = true };
            else if (FindPath(field) is not { } path) return new("includefield", "a list of keywords or tags of eight hexadecimal digits, or all (PS3.18 §8.3.4.3)");
            else if (Level != SearchLevel.Studies || !SeriesFields.Except(StudyFields).Contains(path)) query = query with { IncludeFields = query.IncludeFields.Add(path) };
        }
        return null;
    }

    private ParameterError? TryAddMatch(string name, StringValues values, out SearchQuery query)
    {
        query = this;
        if (FindPath(name) is not { } path) return new(Shown(name), "not a keyword of the data dictionary, nor a tag of eight hexadecimal digits (PS3.18 §8.3.4.1)");
        var isModalities = path == Tag.ModalitiesInStudy.ToString();
        if (Matches.ContainsKey(path) || values.Count > 1 && !isModalities) return new(Shown(name), "an attribute may be matched once (PS3.18 §8.3.4.1)");
        var value = string.Join(',', values.ToArray());
        if (value.Length > 16 * 1024 || value.Any(char.IsControl)) return new(Shown(name), "at most 16384 characters, none of them a control character");
        if (IsUid(path))
        {
            var uids = value.Split('\\', ',');
            if (uids.Any(uid => !Uid.TryParse(uid, out _))) return new(Shown(name), "one UID or a list of them (PS3.5 §9.1)");
            value = string.Join(',', uids.Distinct());
        }
        else if (isModalities)
        {
            value = string.Join(',', value.Split('\\', ',').Distinct());
        }
        query = this with { Matches = Matches.Add(path, (name, value)) };
        return null;
    }

    private static bool IsUid(string path) =>
        path == Tag.StudyInstanceUid.ToString() || path == Tag.SeriesInstanceUid.ToString() || path == Tag.SopInstanceUid.ToString();

    /// <summary>An attribute, or one inside sequences with dots between them, as tags: <c>00400275.00400009</c>.</summary>
    private static string? FindPath(string name)
    {
        var tags = new List<string>();
        foreach (var part in name.Split('.'))
        {
            if (!Keywords.TryParse(part, out var tag)) return null;
            tags.Add(tag.ToString());
        }
        return string.Join('.', tags);
    }

    private static string Shown(string name) => name.Length > 64 ? name[..64] + "…" : name;

    /// <summary>Escapes what the grammar of a query does not allow (RFC 3986 §3.4), and <c>&amp; = + #</c>; nothing else.</summary>
    private static string Escape(string text)
    {
        var escaped = new StringBuilder();
        foreach (var b in Encoding.UTF8.GetBytes(text))
        {
            if (char.IsAsciiLetterOrDigit((char)b) || "-._~!$'()*,;:@/?".Contains((char)b, StringComparison.Ordinal)) escaped.Append((char)b);
            else escaped.Append(CultureInfo.InvariantCulture, $"%{b:X2}");
        }
        return escaped.ToString();
    }
}
