using Proxy.Backends;
using Proxy.Backends.Queries;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Locating;
using Proxy.Metadata;
using Proxy.Operations;

namespace Proxy.Search;

/// <summary>Files the rows of searches in the store, and answers searches from it.</summary>
public sealed class StoredRows(
    SeriesLocator locator, DicomMetadataStore store, Reloadable<SearchOptions> options, Reloadable<CacheOptions> cache, TimeProvider time)
{
    /// <summary>
    /// Files the series and instances of an answer in the series list of its backend. Studies are filed when they are on a page
    /// (<see cref="SearchPages"/>).
    /// </summary>
    /// <param name="query">The search.</param>
    /// <param name="answer">The answer of one backend.</param>
    /// <param name="cancellation">Cancelled when no client waits any more.</param>
    public async Task FileAsync(SearchQuery query, SearchAnswer answer, CancellationToken cancellation)
    {
        using var leases = new LeasedStudies(store);
        if (query.OnlyStudy is { } only) await leases.AddAsync([only], cancellation);
        if (query.Level != SearchLevel.Studies) await leases.AddAsync(answer.Rows.Select(row => row.Study), cancellation);
        File(query, answer);
    }

    private void File(SearchQuery query, SearchAnswer answer)
    {
        if (query.OnlyStudy is { } study && answer.IsWhole && answer.Rows.Count == 0) store.RemoveStudyRow(answer.Backend.Name, study);
        if (query.Level == SearchLevel.Instances) store.AddInstanceRows(answer.Backend.Name, [.. answer.Rows.Select(row => row.Read())]);
        if (query is { Level: SearchLevel.Instances, Study: { } shown }) store.MarkSeriesRequested(answer.Backend.Name, shown);
        if (query.Level != SearchLevel.Series) return;
        foreach (var rows in answer.Rows.GroupBy(row => row.Study))
            store.AddSeriesMetadata(answer.Backend.Name, rows.Key, [.. rows.Select(row => row.Read())]);
    }

    /// <summary>
    /// The series of a study, from the store when every backend's list is fresh; for a failed backend an older list is used.
    /// </summary>
    public async Task<SearchResult> ListSeriesAsync(Access access, Uid study, bool bypassCache, CancellationToken cancellation)
    {
        var places = await locator.LocateAsync(access, study, bypassCache ? ReadPurpose.Reload : ReadPurpose.Client, cancellation);
        foreach (var backend in access.Backends) store.MarkSeriesRequested(backend.Name, study);
        var now = time.GetUtcNow();
        var answers = new List<SearchAnswer>();
        var isStale = false;
        foreach (var backend in access.Backends)
        {
            var list = places.Study?.GetList(backend.Name) ?? new SeriesList(backend.Name);
            var hasFailed = places.HasFailed(backend.Name);
            if (hasFailed && (list.Series.IsEmpty || !list.IsFresh(cache.Value.MetadataMaxStale, now))) continue;
            isStale |= hasFailed;
            var rows = list.Series.Values.Select(s => s.Summary).OfType<Dataset>();
            answers.Add(new(
                backend, [.. rows.Select(row => FoundRow.Find(SearchQuery.ForSeries(study), row)).OfType<FoundRow>()], list.ListedAt
                    ?? now));
        }
        var status = isStale ? CacheStatus.Stale : places.WasAsked ? CacheStatus.Miss : CacheStatus.Hit;
        return new(
            MergedList.Merge(SearchQuery.ForSeries(study), answers, store), places.Failures, [],
            answers.Count == 0 ? now : answers.Min(a => a.Asked), status)
        { HasAnswer = answers.Count > 0 };
    }

    /// <summary>The empty result of a search for which no backend may be asked.</summary>
    public SearchResult ListNothing(SearchQuery query) =>
        new(MergedList.Merge(query, [], store), [], [], time.GetUtcNow(), CacheStatus.Miss);

    /// <summary>One study's row from the store, when every backend's presence or absence of the study is fresh.</summary>
    public SearchResult? FindStudy(Access access, SearchQuery query)
    {
        if (query.OnlyStudy is not { } uid || store.GetStudy(uid) is not { } study) return null;
        var now = time.GetUtcNow();
        var answers = new List<SearchAnswer>();
        foreach (var backend in access.Backends)
        {
            var list = study.GetList(backend.Name);
            if (FindRow(list, query, cache.Value.MetadataFreshness, now) is { } row)
                answers.Add(GetAnswer(backend, query, row, list));
            else if (!list.IsFresh(options.Value.Freshness, now) || !list.Series.IsEmpty) return null;
        }
        return answers.Count == 0 ? null : new(MergedList.Merge(query, answers, store), [], [], answers.Min(a => a.Asked), CacheStatus.Hit);
    }

    /// <summary>For a search of one study by its UID, the stored rows of failed backends, up to the maximum stale age.</summary>
    public IReadOnlyList<SearchAnswer> FindStale(SearchQuery query, IReadOnlyCollection<SearchAnswer> answers)
    {
        if (query.OnlyStudy is not { } uid || store.GetStudy(uid) is not { } study) return [];
        var now = time.GetUtcNow();
        return [.. from answer in answers
                   where answer.Failure is not null && answer.Rows.Count == 0
                   let list = study.GetList(answer.Backend.Name)
                   let row = FindRow(list, query, cache.Value.MetadataMaxStale, now)
                   where row is not null
                   select GetAnswer(answer.Backend, query, row, list)];
    }

    private static SearchAnswer GetAnswer(BackendOptions backend, SearchQuery query, Dataset row, SeriesList list) =>
        new(backend, [FoundRow.Find(query, row)!], list.StudyRowAsked);

    private static Dataset? FindRow(SeriesList list, SearchQuery query, TimeSpan lifetime, DateTimeOffset now) =>
        list.StudyRow is { } row && Freshness.IsWithin(list.StudyRowAsked, lifetime, now)
            && query.FurtherFields.IsSubsetOf(list.StudyRowFields) ? row : null;
}
