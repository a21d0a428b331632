using System.Collections.Immutable;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using Proxy.Dicom;

namespace Proxy.Backends.Queries;

/// <summary>The kind of object that a row of a search describes (PS3.18 §10.6.1).</summary>
public enum SearchLevel
{
    /// <summary>Rows are studies.</summary>
    Studies,

    /// <summary>Rows are series.</summary>
    Series,

    /// <summary>Rows are instances.</summary>
    Instances,
}

/// <summary>A QIDO-RS search in one canonical form (PS3.18 §8.3.4).</summary>
public sealed record SearchQuery
{
    /// <summary>A search for all studies.</summary>
    public static readonly SearchQuery AllStudies = new();

    /// <summary>What is derived from a query, once for all requests that repeat it; it ends with the query.</summary>
    private static readonly ConditionalWeakTable<SearchQuery, Derived> DerivedOf = [];

    private sealed record Derived(string CanonicalText, string HiddenText, bool IsWithinStudy, Uid? OnlyStudy);

    private SearchQuery()
    {
    }

    /// <summary>The kind of the rows.</summary>
    public SearchLevel Level { get; init; } = SearchLevel.Studies;

    /// <summary>The study in the path, or null.</summary>
    public Uid? Study { get; init; }

    /// <summary>The series in the path, or null.</summary>
    public Uid? Series { get; init; }

    /// <summary>The match attributes by their path of tags, each with its name as the client wrote it and its value.</summary>
    public ImmutableSortedDictionary<string, (string Name, string Value)> Matches { get; init; } =
        ImmutableSortedDictionary<string, (string, string)>.Empty;

    /// <summary>Further attributes that the client requests, as paths of tags.</summary>
    public ImmutableSortedSet<string> IncludeFields { get; init; } = [];

    /// <summary><c>includefield=all</c>.</summary>
    public bool IncludesAll { get; init; }

    /// <summary><c>fuzzymatching=true</c>.</summary>
    public bool IsFuzzy { get; init; }

    /// <summary>The maximum number of rows of one page; null for no limit.</summary>
    public int? Limit { get; init; }

    /// <summary>The number of rows in the merged list before the page.</summary>
    public int Offset { get; init; }

    /// <summary>
    /// True to send a <c>^</c> in a value raw, for a backend that does not decode <c>%5E</c>; otherwise it is escaped (RFC 3986 §2.1).
    /// </summary>
    public bool SendsCaretsRaw { get; init; }

    /// <summary>
    /// The path of Timezone Offset From UTC: as a parameter it is no key, but says in which time zone the client writes dates and times
    /// (PS3.18 §8.3.4.1).
    /// </summary>
    public const string TimezoneOffset = "00080201";

    /// <summary><c>emptyvaluematching=true</c>: the value <c>""</c> asks for attributes without a value (PS3.18 §8.3.4.5).</summary>
    public bool MatchesEmptyValues { get; init; }

    /// <summary><c>multiplevaluematching=true</c>: a value may be a list (PS3.18 §8.3.4.6).</summary>
    public bool MatchesMultipleValues { get; init; }

    /// <summary>Names of parameters that PS3.18 does not define, for a warning to the client; their values are dropped.</summary>
    public ImmutableArray<string> IgnoredParameters { get; init; } = [];

    /// <summary>All series of one study, with the attributes of every search.</summary>
    public static SearchQuery ForSeries(Uid study) => AllStudies with { Level = SearchLevel.Series, Study = study };

    /// <summary>All series of several studies in one request.</summary>
    public static SearchQuery ForSeries(IEnumerable<Uid> studies) => AllStudies with
    {
        Level = SearchLevel.Series,
        Matches = AllStudies.Matches.Add(Tag.StudyInstanceUid.ToString(), ("StudyInstanceUID", string.Join(',', studies))),
    };

    /// <summary>A search for only these studies, with the same attributes.</summary>
    public SearchQuery OnlyStudies(IReadOnlyCollection<Uid> studies) => AllStudies with
    {
        Matches = AllStudies.Matches.Add(Tag.StudyInstanceUid.ToString(), ("StudyInstanceUID", string.Join(',', studies))),
        IncludeFields = IncludeFields,
        IncludesAll = IncludesAll,
        Limit = studies.Count,
    };

    /// <summary>
    /// True when a backend matches the search against its own part of a study, so that another backend's part may not match.
    /// </summary>
    public bool MatchesParts => Level == SearchLevel.Studies && Matches.ContainsKey(Tag.ModalitiesInStudy.ToString());

    /// <summary>The attribute that identifies a row.</summary>
    public Tag Key => Level switch
    {
        SearchLevel.Studies => Tag.StudyInstanceUid,
        SearchLevel.Series => Tag.SeriesInstanceUid,
        _ => Tag.SopInstanceUid,
    };

    /// <summary>True for series or instances of one study: this list is short enough to read completely.</summary>
    public bool IsWithinStudy => GetDerived().IsWithinStudy;

    /// <summary>True when a value contains <c>^</c>, which separates the components of a name (PS3.5 §6.2).</summary>
    public bool HasCarets => Matches.Values.Any(match => match.Value.Contains('^', StringComparison.Ordinal));

    /// <summary>True when a value contains a character other than <c>^</c> that a query must escape.</summary>
    public bool HasEscapes => Matches.Any(match => match.Key != TimezoneOffset && match.Value.Value.Any(IsEscaped));

    /// <summary>True for a character other than <c>^</c> that a query must escape (RFC 3986 §3.4).</summary>
    internal static bool IsEscaped(char c) => c != '^' && !IsRaw(c);

    /// <summary>True when the search requests everything in its path, and no attribute that a stored row may lack.</summary>
    public bool RequestsEverything => Matches.IsEmpty && !IncludesAll && FurtherFields.IsEmpty;

    /// <summary>The study of a search by one Study Instance UID and nothing else; null for other searches.</summary>
    public Uid? OnlyStudy => GetDerived().OnlyStudy;

    /// <summary>The attributes that the client requests beyond those of every search.</summary>
    public ImmutableSortedSet<string> FurtherFields => IncludeFields.Except(AskedFor);

    /// <summary>
    /// The attributes of a row: the standard's, the client's, and the match attributes; for an attribute inside a sequence, the sequence.
    /// </summary>
    public ImmutableSortedSet<string> RequestedTags =>
        AskedFor.Union(IncludeFields.Concat(Matches.Keys).Select(path => path.Split('.')[0]));

    /// <summary>
    /// The attributes that neither the client nor the standard requests, and those of lower levels (PS3.18 §10.6.3.3.1); they are removed
    /// from the rows.
    /// </summary>
    public IEnumerable<Tag> HiddenFields =>
        (IncludesAll ? [] : SearchFields.GetOwnFields(Level).Except(IncludeFields).Except(Matches.Keys))
            .Union(SearchFields.GetLower(Level)).Select(tag => Tag.TryParse(tag, out var parsed) ? parsed : default);

    /// <summary><see cref="HiddenFields"/> as one text, to tell pages apart.</summary>
    public string HiddenText => GetDerived().HiddenText;

    /// <summary>The attributes that a row must have, with their VRs (PS3.18 Tables 10.6.3-3 to 10.6.3-5).</summary>
    public IEnumerable<(Tag Tag, string Vr)> RequiredFields => SearchFields.GetRequired(Level, Study is not null);

    /// <summary>
    /// A search of the same resource for an object that does not exist: only a server that ignores the query answers it with rows.
    /// </summary>
    public SearchQuery ForNothing()
    {
        var tag = Study is null ? Tag.StudyInstanceUid : Key;
        return AllStudies with
        {
            Level = Level,
            Study = Study,
            Series = Series,
            Matches = AllStudies.Matches.Add(tag.ToString(), (tag.ToString(), "2.25.284091637482910563728194650273819465027")),
        };
    }

    /// <summary>The same search without a match attribute.</summary>
    public SearchQuery Without(string path) => this with { Matches = Matches.Remove(path) };

    /// <summary>
    /// Identifies a search: equal for all its pages, and independent of the standard attributes that it lists.
    /// </summary>
    public string CanonicalText => GetDerived().CanonicalText;

    /// <summary>The UIDs of a match attribute; null when the search does not match it.</summary>
    public IReadOnlyCollection<Uid>? FindUids(Tag tag) =>
        Matches.TryGetValue(tag.ToString(), out var match) ? [.. match.Value.Split(',').Select(Uid.Parse)] : null;

    /// <summary>
    /// The same search once for each of its modalities, for a backend that accepts one value per request (PS3.18 §8.3.4.1); empty when
    /// it has fewer than two.
    /// </summary>
    public IReadOnlyList<SearchQuery> SplitByModality()
    {
        var tag = Tag.ModalitiesInStudy.ToString();
        if (!Matches.TryGetValue(tag, out var match) || match.Value.Split(',') is not { Length: > 1 } modalities) return [];
        return [.. modalities.Select(modality => this with { Matches = Matches.SetItem(tag, (match.Name, modality)) })];
    }

    /// <summary>The path and query for one backend; commas and asterisks are not escaped.</summary>
    /// <param name="limit">The maximum number of rows; null to send no limit.</param>
    /// <param name="offset">The number of rows of the backend's own list to skip.</param>
    public string ToRequest(int? limit, int offset = 0)
    {
        var request = new StringBuilder(Path).Append('?');
        foreach (var (name, value) in Matches.Values)
        {
            var escaped = Escape(value);
            if (SendsCaretsRaw) escaped = escaped.Replace("%5E", "^", StringComparison.Ordinal);
            request.Append(Escape(name)).Append('=').Append(escaped).Append('&');
        }
        if (IsFuzzy) request.Append("fuzzymatching=true&");
        if (MatchesEmptyValues) request.Append("emptyvaluematching=true&");
        if (MatchesMultipleValues) request.Append("multiplevaluematching=true&");
        request.Append("includefield=").Append(IncludesAll ? "all" : string.Join(',', AskedFor.Union(IncludeFields)));
        if (limit is not null) request.Append(CultureInfo.InvariantCulture, $"&limit={limit}");
        if (limit is not null || offset > 0) request.Append(CultureInfo.InvariantCulture, $"&offset={offset}");
        return request.ToString();
    }

    private Derived GetDerived() => DerivedOf.GetValue(this, static query => query.Derive());

    private Derived Derive()
    {
        var canonical = string.Join('&',
            [Path, .. Matches.Select(m => $"{m.Key}={Escape(m.Value.Value)}"),
                "include=" + (IncludesAll ? "all" : string.Join(',', FurtherFields)), "fuzzy=" + IsFuzzy,
                .. MatchesEmptyValues ? ["empty"] : (string[])[], .. MatchesMultipleValues ? ["multiple"] : (string[])[]]);
        Uid? only = Level == SearchLevel.Studies && !IncludesAll && Matches.Count == 1
            && Matches.TryGetValue(Tag.StudyInstanceUid.ToString(), out var match) && Uid.TryParse(match.Value, out var uid)
            ? uid
            : null;
        var isWithinStudy = Study is not null || Level != SearchLevel.Studies && FindUids(Tag.StudyInstanceUid) is { Count: 1 };
        return new(canonical, string.Join(',', HiddenFields), isWithinStudy, only);
    }

    private ImmutableSortedSet<string> AskedFor => SearchFields.GetRequested(Level, Study is not null);

    private string Path => (Study, Series) switch
    {
        (null, _) => Level.ToString().ToLowerInvariant(),
        ({ } study, null) => $"{new StudyPath(study)}/{Level.ToString().ToLowerInvariant()}",
        ({ } study, { } series) => $"{new SeriesPath(study, series)}/{Level.ToString().ToLowerInvariant()}",
    };

    private static bool IsRaw(char c) => char.IsAsciiLetterOrDigit(c) || "-._~!$'()*,;:@/?".Contains(c, StringComparison.Ordinal);

    /// <summary>Escapes only characters that a query must not contain (RFC 3986 §3.4), and <c>&amp; = + #</c>.</summary>
    private static string Escape(string text)
    {
        var escaped = new StringBuilder();
        foreach (var b in Encoding.UTF8.GetBytes(text))
        {
            if (IsRaw((char)b)) escaped.Append((char)b);
            else escaped.Append(CultureInfo.InvariantCulture, $"%{b:X2}");
        }
        return escaped.ToString();
    }
}
