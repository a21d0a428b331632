using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using Proxy.Dicom;

namespace Proxy.Search;

/// <summary>What a search returns one row for (PS3.18 §10.6.1).</summary>
public enum SearchLevel { Studies, Series, Instances }

/// <summary>A QIDO-RS search, in one form however it was written (PS3.18 §8.3.4).</summary>
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
    public static readonly SearchQuery AllStudies = new(
        SearchLevel.Studies, null, null, ImmutableSortedDictionary<string, (string, string)>.Empty, [], false, false, null, 0);

    /// <summary>
    /// Whether a <c>^</c> in a value is sent as it is, for a backend that does not decode <c>%5E</c>; else escaped (RFC 3986 §2.1).
    /// </summary>
    public bool SendsCaretsRaw { get; init; }

    /// <summary>Names of parameters that PS3.18 does not define, for the client to be told of; their values are dropped.</summary>
    public ImmutableArray<string> IgnoredParameters { get; init; } = [];

    /// <summary>All series of one study, with what is asked for in every search.</summary>
    public static SearchQuery ForSeries(Uid study) => AllStudies with { Level = SearchLevel.Series, Study = study };

    /// <summary>All series of several studies in one question.</summary>
    public static SearchQuery ForSeries(IEnumerable<Uid> studies) => AllStudies with
    {
        Level = SearchLevel.Series,
        Matches = AllStudies.Matches.Add(Tag.StudyInstanceUid.ToString(), ("StudyInstanceUID", string.Join(',', studies))),
    };

    /// <summary>These studies, with the same attributes, whatever else was searched by.</summary>
    public SearchQuery OnlyStudies(IReadOnlyCollection<Uid> studies) => AllStudies with
    {
        Matches = AllStudies.Matches.Add(Tag.StudyInstanceUid.ToString(), ("StudyInstanceUID", string.Join(',', studies))),
        IncludeFields = IncludeFields,
        IncludesAll = IncludesAll,
        Limit = studies.Count,
    };

    /// <summary>Whether a backend matches it against its own part of a study, so that another's part may not match.</summary>
    public bool MatchesParts => Level == SearchLevel.Studies && Matches.ContainsKey(Tag.ModalitiesInStudy.ToString());

    /// <summary>The attribute that names a row.</summary>
    public Tag Key => Level switch
    {
        SearchLevel.Studies => Tag.StudyInstanceUid,
        SearchLevel.Series => Tag.SeriesInstanceUid,
        _ => Tag.SopInstanceUid,
    };

    /// <summary>Whether it lists series or instances of one study: such a list is short enough to be read whole.</summary>
    public bool IsWithinStudy => Study is not null || Level != SearchLevel.Studies && FindUids(Tag.StudyInstanceUid) is { Count: 1 };

    /// <summary>Whether a value separates the components of a name (PS3.5 §6.2).</summary>
    public bool HasCarets => Matches.Values.Any(match => match.Value.Contains('^', StringComparison.Ordinal));

    /// <summary>Whether it asks for all there is of what the path names, and for nothing that a kept row may lack.</summary>
    public bool AsksWhole => Matches.IsEmpty && !IncludesAll && FurtherFields.IsEmpty;

    /// <summary>The one study that is searched for by its UID and nothing else.</summary>
    public Uid? OnlyStudy =>
        Level == SearchLevel.Studies && !IncludesAll && Matches.Count == 1
            && Matches.TryGetValue(Tag.StudyInstanceUid.ToString(), out var match) && Uid.TryParse(match.Value, out var uid)
            ? uid
            : null;

    /// <summary>What the client wants that is not asked for in every search.</summary>
    public ImmutableSortedSet<string> FurtherFields => IncludeFields.Except(AskedFor);

    /// <summary>
    /// The attributes of a row: by the standard, by the client's list, and those that are matched; of one inside a sequence the sequence.
    /// </summary>
    public ImmutableSortedSet<string> WantedTags => AskedFor.Union(IncludeFields.Concat(Matches.Keys).Select(path => path.Split('.')[0]));

    /// <summary>What is asked for although neither the client nor the standard wants it: it leaves the rows again.</summary>
    public IEnumerable<Tag> HiddenFields => IncludesAll
        ? []
        : SearchFields.GetOwnFields(Level).Except(IncludeFields).Except(Matches.Keys)
            .Select(tag => Tag.TryParse(tag, out var parsed) ? parsed : default);

    /// <summary>
    /// Two searches of the same text are the same search, whatever page of it is wanted and whichever of the usual attributes it names.
    /// </summary>
    public string CanonicalText => string.Join('&',
        [Path, .. Matches.Select(m => $"{m.Key}={Escape(m.Value.Value)}"), "include="
            + (IncludesAll ? "all" : string.Join(',', FurtherFields)), "fuzzy=" + IsFuzzy]);

    /// <summary>The UIDs that a match names; null when it names none.</summary>
    public IReadOnlyCollection<Uid>? FindUids(Tag tag) =>
        Matches.TryGetValue(tag.ToString(), out var match) ? [.. match.Value.Split(',').Select(Uid.Parse)] : null;

    /// <summary>
    /// The same search once for each modality that it names, for a backend that takes one value a question (PS3.18 §8.3.4.1); empty when it
    /// names less than two.
    /// </summary>
    public IReadOnlyList<SearchQuery> SplitByModality()
    {
        var tag = Tag.ModalitiesInStudy.ToString();
        if (!Matches.TryGetValue(tag, out var match) || match.Value.Split(',') is not { Length: > 1 } modalities) return [];
        return [.. modalities.Select(modality => this with { Matches = Matches.SetItem(tag, (match.Name, modality)) })];
    }

    /// <summary>The search as one backend is asked it; commas and stars raw.</summary>
    /// <param name="limit">The most rows; null to leave that to the backend.</param>
    /// <param name="offset">Rows of the backend's own list that were read already.</param>
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
        request.Append("includefield=").Append(IncludesAll ? "all" : string.Join(',', AskedFor.Union(IncludeFields)));
        if (limit is not null) request.Append(CultureInfo.InvariantCulture, $"&limit={limit}");
        if (limit is not null || offset > 0) request.Append(CultureInfo.InvariantCulture, $"&offset={offset}");
        return request.ToString();
    }

    private ImmutableSortedSet<string> AskedFor => SearchFields.AskedFor(Level, Study is not null);

    private string Path => (Study, Series) switch
    {
        (null, _) => Level.ToString().ToLowerInvariant(),
        ({ } study, null) => $"{new StudyPath(study)}/{Level.ToString().ToLowerInvariant()}",
        ({ } study, { } series) => $"{new SeriesPath(study, series)}/{Level.ToString().ToLowerInvariant()}",
    };

    /// <summary>Escapes what the grammar of a query does not allow (RFC 3986 §3.4), and <c>&amp; = + #</c>; nothing else.</summary>
    private static string Escape(string text)
    {
        var escaped = new StringBuilder();
        foreach (var b in Encoding.UTF8.GetBytes(text))
        {
            if (char.IsAsciiLetterOrDigit((char)b) || "-._~!$'()*,;:@/?".Contains((char)b, StringComparison.Ordinal))
                escaped.Append((char)b);
            else escaped.Append(CultureInfo.InvariantCulture, $"%{b:X2}");
        }
        return escaped.ToString();
    }
}
