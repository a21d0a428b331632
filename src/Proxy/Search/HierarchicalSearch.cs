using System.Buffers;
using System.Collections.Immutable;
using Proxy.Backends;
using Proxy.Backends.Queries;
using Proxy.Dicom;
using Proxy.Locating;
using Proxy.Metadata;
using Proxy.Rights;
using Proxy.Wire;

namespace Proxy.Search;

/// <summary>
/// Searches one backend at any resource. Where it does not offer the resource, the answer is composed of the levels above, as in the
/// hierarchical search of PS3.4 §C.4.1.3.1.1, and matched here.
/// </summary>
/// <remarks>
/// <code>
/// /series                  studies → the series list of each
/// /instances               studies → series lists → instances of each series
/// /studies/{s}/instances   the series list → instances of each series
/// instances of a series    its metadata in the store, otherwise a search within the series
/// </code>
/// The answer is complete, or the backend counts as failed.
/// </remarks>
public sealed class HierarchicalSearch(BackendAnswers answers, SeriesLocator locator, DicomMetadataStore store, VisibleRows visible)
{
    /// <inheritdoc cref="BackendAnswers.GetRevision"/>
    public int GetRevision(string backend) => answers.GetRevision(backend);

    /// <inheritdoc cref="BackendAnswers.Changes"/>
    public int Changes => answers.Changes;

    /// <summary>The rights that limit the answers.</summary>
    public StudyRights Rights { get; } = visible.Rights;

    /// <summary>The most studies whose series are listed for one search.</summary>
    internal const int MaxStudies = 200;

    /// <summary>The most series of one study whose instances are listed for one search.</summary>
    internal const int MaxSeries = 500;

    /// <summary>How many studies or series are asked for at once; the permits of the backend may allow fewer.</summary>
    private const int AtOnce = 8;

    /// <summary>Attributes that every row has.</summary>
    private static readonly ImmutableArray<string> AlwaysIncluded = ["00080005", "00080018", "0020000D", "0020000E"];

    /// <summary>One search at one backend.</summary>
    private sealed record Asking(
        BackendOptions Backend, SearchQuery Query, RowMatcher Matcher, ImmutableHashSet<Tag>? Wanted, bool BypassCache, TimeSpan Deadline)
    {
        /// <summary>The access of the caller.</summary>
        public required Access Access { get; init; }
    }

    /// <summary>Searches one backend for a caller: the answer has only the rows that the caller may see.</summary>
    /// <inheritdoc cref="BackendAnswers.AskAsync"/>
    public async Task<SearchAnswer> AskAsync(
        Access access, BackendOptions backend, SearchQuery query, int depth, bool bypassCache, TimeSpan deadline,
        CancellationToken cancellation) =>
        await visible.FilterAsync(
            access, query, await AskAllAsync(access, backend, query, depth, bypassCache, deadline, cancellation), cancellation);

    private async Task<SearchAnswer> AskAllAsync(
        Access access, BackendOptions backend, SearchQuery query, int depth, bool bypassCache, TimeSpan deadline,
        CancellationToken cancellation)
    {
        var answer = await answers.AskAsync(backend, query, depth, bypassCache, deadline, cancellation);
        if (!IsNotOffered(query, answer)) return answer;
        var asking = new Asking(backend, query, new(query), FindWanted(query), bypassCache, deadline)
        {
            Access = access,
        };
        return query.Study is { } study
            ? await AskStudyAsync(asking, answer, study, cancellation)
            : await AskStudiesAsync(asking, answer, cancellation);
    }

    /// <summary>
    /// True when the backend may not offer the resource. Below a study, "not found" may also mean that it does not hold the study; its
    /// series list distinguishes the two.
    /// </summary>
    private static bool IsNotOffered(SearchQuery query, SearchAnswer answer) => (query.Level, query.Study) switch
    {
        (SearchLevel.Studies, _) or (SearchLevel.Series, not null) => false,
        (_, null) => answer.Failure?.Status
            is ErrorStatus.NotFound or ErrorStatus.NotAllowed or ErrorStatus.NotImplemented or ErrorStatus.BadRequest,
        _ => answer.IsUnlisted || answer.Failure?.Status
            is ErrorStatus.NotAllowed or ErrorStatus.NotImplemented or ErrorStatus.BadRequest,
    };

    /// <summary>The attributes of a composed row; null for all.</summary>
    private static ImmutableHashSet<Tag>? FindWanted(SearchQuery query) => query.IncludesAll
        ? null
        : [.. query.RequestedTags.Union(AlwaysIncluded).Select(text => Tag.TryParse(text, out var tag) ? tag : default)];

    private async Task<SearchAnswer> AskStudyAsync(Asking asking, SearchAnswer answer, Uid study, CancellationToken cancellation)
    {
        var backend = asking.Backend;
        var places = await locator.LocateAsync(new(backend.Name, [backend]), study, ReadPurpose.Client, cancellation);
        var list = store.GetStudy(study)?.GetList(backend.Name);
        var holds = list?.Series.Values.Any(s => asking.Query.Series is null || s.Uid == asking.Query.Series) == true;
        // A backend without the study or the series has nothing to list.
        if (!holds)
            return answer with { IsUnlisted = places.Failures.Count == 0, Failure = places.Failures is [var failure, ..] ? failure : null };
        var (rows, isComplete) = await FindInstancesAsync(asking, study, list!, list!.StudyRow, cancellation);
        return Compose(asking, answer, rows, isComplete ? null : CreateFailure(backend, "it does not search instances"));
    }

    private async Task<SearchAnswer> AskStudiesAsync(Asking asking, SearchAnswer answer, CancellationToken cancellation)
    {
        var (backend, query) = (asking.Backend, asking.Query);
        var ofStudies = GetStudyQuery(query);
        // Hidden studies are not listed either: that would take time, and may fail.
        var studies = await visible.FilterAsync(
            asking.Access, ofStudies,
            await answers.AskAsync(backend, ofStudies, MaxStudies, asking.BypassCache, asking.Deadline, cancellation), cancellation);
        if (studies.Failure is not null) return answer;
        if (studies.IsCut) return answer with { Failure = CreateFailure(backend, $"it searches {query.Level} of one study at a time") };
        var found = new List<FoundRow>();
        BackendFailure? failure = null;
        foreach (var some in studies.Rows.Chunk(AtOnce))
        {
            foreach (var part in await Task.WhenAll(some.Select(study => FindOfStudyAsync(asking, study, cancellation))))
            {
                found.AddRange(part.Found);
                failure ??= part.Failure;
            }
            if (found.Count > SearchDepth.MaxRows)
                return answer with { Failure = CreateFailure(backend, $"it searches {query.Level} of one study at a time") };
        }
        return Compose(asking, answer, found, failure) with { Notes = studies.Notes };
    }

    /// <summary>The studies that may contain matches: only keys of studies are sent, and all keys are matched later.</summary>
    private static SearchQuery GetStudyQuery(SearchQuery query) => SearchQuery.AllStudies with
    {
        Matches = query.Matches.RemoveRange(query.Matches.Keys.Where(path => !SearchFields.IsOfStudy(path))),
        IncludeFields = query.IncludeFields.Union(query.Matches.Keys).Where(SearchFields.IsOfStudy).ToImmutableSortedSet(),
        IncludesAll = query.IncludesAll,
        MatchesEmptyValues = query.MatchesEmptyValues,
        MatchesMultipleValues = query.MatchesMultipleValues,
    };

    private async Task<(List<FoundRow> Found, BackendFailure? Failure)> FindOfStudyAsync(
        Asking asking, FoundRow found, CancellationToken cancellation)
    {
        var (backend, query, row) = (asking.Backend, asking.Query, found.Read());
        var fields = query.IncludeFields.Union(query.Matches.Keys).Where(path => !SearchFields.IsOfStudy(path)).ToImmutableSortedSet();
        var ofSeries = SearchQuery.ForSeries(found.Uid) with { IncludeFields = fields, IncludesAll = query.IncludesAll };
        if (query.Level == SearchLevel.Series && !ofSeries.RequestsEverything)
        {
            var answer = await answers.AskAsync(
                backend, ofSeries, SearchDepth.MaxRows, asking.BypassCache, asking.Deadline, cancellation);
            return (Match(asking, answer.Rows.Select(series => series.Read()), row), answer.Failure);
        }
        var places = await locator.LocateAsync(new(backend.Name, [backend]), found.Uid, ReadPurpose.Client, cancellation);
        if (places.Failures is [var failure, ..]) return ([], failure);
        if (store.GetStudy(found.Uid)?.GetList(backend.Name) is not { } list) return ([], null);
        if (query.Level == SearchLevel.Series)
            return (Match(asking, list.Series.Values.Select(series => series.Summary).OfType<Dataset>(), row), null);
        var (instances, isComplete) = await FindInstancesAsync(asking, found.Uid, list, row, cancellation);
        return (instances, isComplete ? null : CreateFailure(backend, "it does not search instances"));
    }

    private async Task<(List<FoundRow> Found, bool IsComplete)> FindInstancesAsync(
        Asking asking, Uid study, SeriesList list, Dataset? studyRow, CancellationToken cancellation)
    {
        var wanted = asking.Query.Series ?? FindOnly(asking.Query);
        var series = list.Series.Values.Where(s => wanted is null || s.Uid == wanted).ToList();
        var found = new List<FoundRow>();
        var isComplete = series.Count <= MaxSeries;
        foreach (var some in series.Take(MaxSeries).Chunk(AtOnce))
        {
            var parts = await Task.WhenAll(some.Select(s => ReadInstancesAsync(asking, study, s, cancellation)));
            foreach (var (of, rows) in some.Zip(parts))
            {
                isComplete &= rows is not null;
                Dataset?[] around = [of.Summary, studyRow];
                if (rows is not null) found.AddRange(Match(asking, rows, [.. around.OfType<Dataset>()]));
            }
        }
        return (found, isComplete);
    }

    /// <summary>The series of a search by one Series Instance UID: the others need not be listed.</summary>
    private static Uid? FindOnly(SearchQuery query) => query.FindUids(Tag.SeriesInstanceUid) is { Count: 1 } uids ? uids.First() : null;

    /// <summary>The instances of a series, from complete stored metadata or by a search; null when neither is available.</summary>
    private async Task<IEnumerable<Dataset>?> ReadInstancesAsync(
        Asking asking, Uid study, Series series, CancellationToken cancellation)
    {
        if (series.IsMetadataComplete)
            return series.Metadata!.ReadEach().Select(instance => DicomJsonReader.ReadStored(instance.Json.Span));
        // The backend has just refused this search.
        if (asking.Query.Series is not null) return null;
        var query = SearchQuery.AllStudies with
        {
            Level = SearchLevel.Instances,
            Study = study,
            Series = series.Uid,
            IncludeFields = asking.Query.IncludeFields.Union(asking.Query.Matches.Keys.Select(path => path.Split('.')[0])),
            IncludesAll = asking.Query.IncludesAll,
        };
        var answer = await answers.AskAsync(
            asking.Backend, query, SearchDepth.MaxRows, asking.BypassCache, asking.Deadline, cancellation);
        return answer.IsWhole && !answer.IsUnlisted ? answer.Rows.Select(row => row.Read()) : null;
    }

    private static List<FoundRow> Match(Asking asking, IEnumerable<Dataset> rows, params Dataset[] around) =>
    [
        .. from row in rows
           where asking.Matcher.Matches([row, .. around])
           let found = FoundRow.Find(asking.Query, Join([row, .. around], asking.Wanted))
           where found is not null
           select found,
    ];

    /// <summary>One row with the attributes of its series and study, which a search that is not within a study returns too.</summary>
    private static Dataset Join(IReadOnlyList<Dataset> rows, ImmutableHashSet<Tag>? wanted)
    {
        var sources = new SortedDictionary<Tag, Dataset>();
        foreach (var row in rows)
        {
            foreach (var attribute in row.Attributes)
            {
                if (attribute.Tag != Tag.RetrieveUrl && wanted?.Contains(attribute.Tag) != false) sources.TryAdd(attribute.Tag, row);
            }
        }
        var json = new ArrayBufferWriter<byte>(1024);
        var attributes = ImmutableArray.CreateBuilder<Dataset.Attribute>(sources.Count);
        json.Write("{"u8);
        foreach (var (tag, row) in sources)
        {
            if (attributes.Count > 0) json.Write(","u8);
            DicomJsonWriter.WriteName(json, tag);
            var start = json.WrittenCount;
            json.Write(row.FindAttribute(tag));
            attributes.Add(new(tag, start, json.WrittenCount));
        }
        json.Write("}"u8);
        return new(json.WrittenMemory, attributes.MoveToImmutable(), []);
    }

    private static SearchAnswer Compose(Asking asking, SearchAnswer answer, List<FoundRow> rows, BackendFailure? failure) => new(
        asking.Backend, rows, answer.Asked)
    {
        IsMatchedHere = true,
        Bytes = rows.Sum(row => (long)row.Read().Json.Length + FoundRow.OwnBytes),
        Failure = failure,
    };

    private static BackendFailure CreateFailure(BackendOptions backend, string detail) =>
        new(backend.Name, BackendError.BadStatus, detail, ErrorStatus.NotFound);
}
