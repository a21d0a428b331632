using System.Collections.Immutable;
using Proxy.Backends;
using Proxy.Backends.Queries;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Locating;
using Proxy.Metadata;
using Proxy.Operations;

namespace Proxy.Search;

/// <summary>Searches all backends in parallel and merges their results (PS3.18 §10.6).</summary>
/// <remarks>
/// <code>
/// 1 cached?    the same search within its freshness, one study by its UID, or the series of a study in the store
/// 2 ask        all backends in parallel, from their first row on, under one deadline; fresh answers are reused
/// 3 file       put series, instances and the studies of the page into their backends' series lists
/// 4 merge      by UID; order
/// 5 page       cut it; for studies of several backends, count the union of their series, under the same deadline
/// </code>
/// Each backend has its own order, so its pages cannot be used as parts of a merged page. Each is asked for as many matches as the
/// page needs (<see cref="SearchDepth"/>), and the merged list is cached for the next page. While a backend fails there is no
/// complete list to cache; the other backends' answers are cached, so that a page costs no more than the request to the failed
/// backend.
/// </remarks>
public sealed class FederatedSearch(
    BackendSet backends, BackendScheduler scheduler, IArchive archive, SeriesLocator locator, StudyCounts counts, StoredInstances instances,
    DicomMetadataStore store, AnswerCache results, Counters counters, Reloadable<SearchOptions> options, Reloadable<CacheOptions> cache,
    TimeProvider time, ILogger<FederatedSearch> log)
{
    /// <summary>After a backend has used up the deadline, the others still have this time to count their studies.</summary>
    private static readonly TimeSpan MinCountTime = TimeSpan.FromMilliseconds(500);

    private readonly Answers<ResultKey, SearchResult> _cachedResults = results.For<ResultKey, SearchResult>();

    private readonly Answers<AnswerKey, SearchAnswer> _cachedAnswers = results.For<AnswerKey, SearchAnswer>();

    private readonly ConflictNotes _conflicts = new(time);

    private readonly SharedRequests<(ResultKey Key, bool BypassCache), SearchResult> _results = new(scheduler);

    private readonly SharedRequests<(AnswerKey Key, bool BypassCache), SearchAnswer> _answers = new(scheduler);

    private sealed record ResultKey(string Scope, string Backends, string Text, int Depth);

    private sealed record AnswerKey(string Backend, string Text, int Depth);

    /// <summary>Reads a page of a result.</summary>
    /// <param name="access">The backends that the client may use.</param>
    /// <param name="query">The search and its page.</param>
    /// <param name="result">The result of the search.</param>
    /// <param name="bypassCache">Ask the backends even when a cached result is fresh.</param>
    /// <param name="started">The time at which the client's request arrived, when the search's deadline began.</param>
    /// <param name="cancellation">Cancelled when the client disconnects.</param>
    public async Task<SearchPage> ReadPageAsync(
        Access access, SearchQuery query, SearchResult result, bool bypassCache, long started, CancellationToken cancellation)
    {
        // 5
        var page = result.Rows.Read(query.Offset, SearchDepth.FindLimit(query, options.Value.MaxResults));
        if (query.Level != SearchLevel.Studies) return new(page, []);
        var left = options.Value.Deadline - time.GetElapsedTime(started);
        if (left < MinCountTime) left = MinCountTime;
        using var deadline = new CancellationTokenSource(left, time);
        IReadOnlyList<string> silent = [];
        if (query.MatchesParts) (page, silent) = await AddOtherPartsAsync(access, query, result, page, bypassCache, left, cancellation);
        using var leases = new LeasedStudies(store);
        foreach (var row in page) await leases.AddAsync(row.Uid, cancellation);
        NoteListed(access, query, result, page);
        ReportConflicts(page);
        (page, var lacking) = await counts.CountAsync(access, page, deadline.Token, cancellation);
        return new(page, [.. lacking.Union(silent)]);
    }

    /// <summary>Discards the cached answers of a backend that was removed or whose address changed.</summary>
    public void Follow(Removal removal)
    {
        if (removal is not { Backend: { } backend, Study: null }) return;
        _cachedResults.RemoveWhere(result => result.Backends.Split(',').Contains(backend));
        _cachedAnswers.RemoveWhere(answer => answer.Backend == backend);
    }

    /// <summary>Finds the whole result of a search.</summary>
    /// <param name="access">The backends to ask.</param>
    /// <param name="query">The search.</param>
    /// <param name="bypassCache">Ask the backends even when a cached result is fresh.</param>
    /// <param name="cancellation">Cancelled when the client disconnects.</param>
    public async Task<SearchResult> FindAsync(Access access, SearchQuery query, bool bypassCache, CancellationToken cancellation)
    {
        // 1
        if (query is { Level: SearchLevel.Series, Study: { } study } && query.RequestsEverything)
            return await ListSeriesAsync(access, study, bypassCache, cancellation);
        var maxResults = options.Value.MaxResults;
        for (var depth = SearchDepth.Create(query, maxResults); ; depth = Math.Min(2 * depth, SearchDepth.MaxRows))
        {
            var result = await FindAsync(access, query, depth, bypassCache, cancellation);
            // Rows of several backends merge into one, so a page may need more than its own number of rows from each.
            if (!result.HasMore || result.IsTooBroad || result.Rows.Count >= SearchDepth.GetEnd(query, maxResults)) return result;
        }
    }

    private async Task<SearchResult> FindAsync(
        Access access, SearchQuery query, int depth, bool bypassCache, CancellationToken cancellation)
    {
        var key = new ResultKey(access.Name, string.Join(',', access.Backends.Select(b => b.Name)), query.CanonicalText, depth);
        if (!bypassCache && _cachedResults.TryFind(key, out var cached)) return cached with { Status = CacheStatus.Hit };
        using var lease = query.OnlyStudy is { } uid ? await store.LeaseAsync(uid, cancellation) : default;
        if (!bypassCache)
        {
            if (FindStudy(access, query) is { } found) return found;
        }
        var (result, isShared) = await _results.RunAsync(
            (key, bypassCache), access, query.Study, stopped => AskAllAsync(access, query, key, bypassCache, stopped), cancellation);
        return isShared ? result with { Status = CacheStatus.Collapsed } : result;
    }

    /// <summary>
    /// Adds the other backends' parts of a page's studies. Their parts may have no series of the requested modality, but they belong
    /// to the same studies.
    /// </summary>
    private async Task<(ImmutableArray<MergedRow> Page, IReadOnlyList<string> Silent)> AddOtherPartsAsync(
        Access access, SearchQuery query, SearchResult result, ImmutableArray<MergedRow> page, bool bypassCache, TimeSpan deadline,
        CancellationToken cancellation)
    {
        var asking = from backend in access.Backends
                     where result.Failures.All(f => f.Backend != backend.Name)
                     let unknown = page.Where(row => row.Sources.All(s => s.Backend != backend.Name)).Select(row => row.Uid).ToList()
                     from studies in unknown.Chunk(StudyCounts.StudiesPerRequest)
                     let wanted = query.OnlyStudies(studies)
                     select AskAsync(
                         backend, wanted, SearchDepth.Create(wanted, options.Value.MaxResults), bypassCache, deadline, cancellation);
        var answers = await Task.WhenAll(asking);
        var parts = answers.SelectMany(answer => answer.Rows, (answer, row) => (answer.Backend.Name, Row: row))
            .ToLookup(part => part.Row.Uid);
        var silent = answers.Where(answer => answer.Failure is not null).Select(answer => answer.Backend.Name).Distinct();
        return ([.. page.Select(WithParts)], [.. silent]);

        MergedRow WithParts(MergedRow row)
        {
            if (!parts.Contains(row.Uid)) return row;
            var sources = row.Sources.Concat(parts[row.Uid].Select(part => new SourceRow(part.Name, part.Row.Read())));
            return MergedRow.Merge(
                row.Uid, [.. sources.OrderBy(s => backends.GetPreference(s.Backend)).ThenBy(s => s.Backend, StringComparer.Ordinal)],
                new StudyPath(row.Uid).ToString());
        }
    }

    private async Task<SearchResult> AskAllAsync(
        Access access, SearchQuery query, ResultKey key, bool bypassCache, CancellationToken cancellation)
    {
        // The client may leave before the answers come.
        using var lease = query.OnlyStudy is { } only ? await store.LeaseAsync(only, cancellation) : default;
        // Another request may have completed since the first look-up.
        if (!bypassCache && _cachedResults.TryFind(key, out var cached)) return cached with { Status = CacheStatus.Hit };

        // 2
        var answers = await Task.WhenAll(
            access.Backends.Select(backend => AskAsync(backend, query, key.Depth, bypassCache, options.Value.Deadline, cancellation)));

        // 4
        var failures = answers.Select(a => a.Failure).OfType<BackendFailure>().ToList();
        var storedRows = FindStoredRows(query, answers);
        var maxResults = query.IsWithinStudy ? int.MaxValue : options.Value.MaxResults;
        var rows = MergedList.Merge(query, [.. answers, .. storedRows], store, maxResults);
        var result = new SearchResult(
            rows, failures, GetNotes(query, answers), answers.Concat(storedRows).Min(a => a.Asked),
            storedRows.Count > 0 ? CacheStatus.Stale : CacheStatus.Miss)
        {
            HasAnswer = storedRows.Count > 0 || answers.Any(a => a.Failure is null || a.Rows.Count > 0),
            HasMore = answers.Any(a => a.IsCut),
            IsTooBroad = answers.Any(a => a.IsCut) && key.Depth == SearchDepth.MaxRows,
        };
        if (failures.Count > 0) return result;
        result = result with { IsCached = true };
        // The result keeps the answers' rows alive, even after the answers were evicted.
        _cachedResults.Add(key, result, rows.Count * 64L + answers.Sum(a => a.Bytes), options.Value.Freshness);
        return result;
    }

    /// <summary>One backend's answer, requested once for concurrent searches, at its own root and at the root of all backends.</summary>
    private async Task<SearchAnswer> AskAsync(
        BackendOptions backend, SearchQuery query, int depth, bool bypassCache, TimeSpan deadline, CancellationToken cancellation)
    {
        var key = new AnswerKey(backend.Name, query.CanonicalText, depth);
        return (await _answers.RunAsync(
            (key, bypassCache), backend.Name, query.Study is { } study ? new(study) : null,
            stopped => AskOnceAsync(backend, query, key, bypassCache, deadline, stopped), cancellation)).Result;
    }

    private async Task<SearchAnswer> AskOnceAsync(
        BackendOptions backend, SearchQuery query, AnswerKey key, bool bypassCache, TimeSpan deadline, CancellationToken cancellation)
    {
        if (!bypassCache && _cachedAnswers.TryFind(key, out var cached)) return cached;
        using var late = new CancellationTokenSource(deadline, time);
        var answer = await archive.SearchAsync(backend, query, query.IsWithinStudy ? null : key.Depth, late.Token, cancellation);
        if (answer.LeftOut > 0) log.RowsOmitted(backend.Name, answer.LeftOut);
        if (answer.AttributesLeftOut > 0) log.AttributesOmitted(backend.Name, answer.AttributesLeftOut);
        if (answer.IsCut) answer = answer with { Rows = [.. answer.Rows.Where(row => row.Position < key.Depth)] };
        using var leases = new LeasedStudies(store);
        if (query.OnlyStudy is { } only) await leases.AddAsync(only, cancellation);
        if (query.Level != SearchLevel.Studies)
        {
            foreach (var study in answer.Rows.Select(row => row.Study).Distinct()) await leases.AddAsync(study, cancellation);
        }
        File(query, answer);
        if (StoredInstances.IsWanted(query, answer)) answer = await instances.AnswerAsync(backend, query, answer, cancellation);
        if (answer.Failure is null) _cachedAnswers.Add(key, answer, answer.Bytes, options.Value.Freshness);
        return answer;
    }

    private static List<string> GetNotes(SearchQuery query, SearchAnswer[] answers)
    {
        var notes = new List<string>();
        foreach (var answer in answers)
        {
            if (answer.LeftOut > 0) notes.Add($"{answer.Backend.Name}: {answer.LeftOut} results without a valid UID were left out");
            if (answer.AttributesLeftOut > 0)
                notes.Add($"{answer.Backend.Name}: {answer.AttributesLeftOut} attributes that are not valid DICOM JSON were left out");
            if (answer.IsCut)
                notes.Add($"{answer.Backend.Name} has more results than were read: the number of additional results is a minimum");
        }
        // The exact text of PS3.18 §8.3.4.2.
        if (query.IsFuzzy && answers.Any(a => !a.Backend.FuzzyMatching))
            notes.Add("The fuzzymatching parameter is not supported. Only literal matching has been performed.");
        return notes;
    }

    // 3
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
    /// Files the studies on the page, because the viewer opens one of them next. Filing a list of thousands would evict the studies
    /// on screen.
    /// </summary>
    private void NoteListed(Access access, SearchQuery query, SearchResult result, ImmutableArray<MergedRow> page)
    {
        if (result.Status == CacheStatus.Stale) return;
        // The settings may have changed since the backends were asked.
        var known = access.Backends.Where(backends.Has).Select(b => b.Name).ToHashSet();
        foreach (var (backend, row) in page.SelectMany(row => row.Sources))
        {
            if (known.Contains(backend)) store.AddStudy(backend, row, result.Asked, query.FurtherFields);
        }
    }

    private void ReportConflicts(ImmutableArray<MergedRow> rows)
    {
        foreach (var row in rows)
        {
            if (row.Sources.Length < 2 || row.FindIdentityConflict() is not { } other || !_conflicts.TryNote(row.Uid)) continue;
            log.IdentityConflicted(row.Sources[0].Backend, other, row.Uid.ToString());
            counters.IdentityConflicted();
        }
    }

    /// <summary>
    /// The series of a study, from the store when every backend's list is fresh; for a failed backend an older list is used.
    /// </summary>
    private async Task<SearchResult> ListSeriesAsync(Access access, Uid study, bool bypassCache, CancellationToken cancellation)
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

    /// <summary>One study's row from the store, when every backend's presence or absence of the study is fresh.</summary>
    private SearchResult? FindStudy(Access access, SearchQuery query)
    {
        if (query.OnlyStudy is not { } uid || store.GetStudy(uid) is not { } study) return null;
        var now = time.GetUtcNow();
        var answers = new List<SearchAnswer>();
        foreach (var backend in access.Backends)
        {
            var list = study.GetList(backend.Name);
            if (FindStoredRow(list, query, cache.Value.MetadataFreshness, now) is { } row)
                answers.Add(GetAnswer(backend, query, row, list));
            else if (!list.IsFresh(options.Value.Freshness, now) || !list.Series.IsEmpty) return null;
        }
        return answers.Count == 0 ? null : new(MergedList.Merge(query, answers, store), [], [], answers.Min(a => a.Asked), CacheStatus.Hit);
    }

    /// <summary>For a search of one study by its UID, the stored rows of failed backends, up to the maximum stale age.</summary>
    private List<SearchAnswer> FindStoredRows(SearchQuery query, SearchAnswer[] answers)
    {
        if (query.OnlyStudy is not { } uid || store.GetStudy(uid) is not { } study) return [];
        var now = time.GetUtcNow();
        return [.. from answer in answers
                   where answer.Failure is not null && answer.Rows.Count == 0
                   let list = study.GetList(answer.Backend.Name)
                   let row = FindStoredRow(list, query, cache.Value.MetadataMaxStale, now)
                   where row is not null
                   select GetAnswer(answer.Backend, query, row, list)];
    }

    private static SearchAnswer GetAnswer(BackendOptions backend, SearchQuery query, Dataset row, SeriesList list) =>
        new(backend, [FoundRow.Find(query, row)!], list.StudyRowAsked);

    private static Dataset? FindStoredRow(SeriesList list, SearchQuery query, TimeSpan lifetime, DateTimeOffset now) =>
        list.StudyRow is { } row && Freshness.IsWithin(list.StudyRowAsked, lifetime, now)
            && query.FurtherFields.IsSubsetOf(list.StudyRowFields) ? row : null;
}
