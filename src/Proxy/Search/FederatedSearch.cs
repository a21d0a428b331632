using Proxy.Backends;
using Proxy.Backends.Queries;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Metadata;
using Proxy.Operations;
using Proxy.Operations.Telemetry;
using Proxy.Rights;

namespace Proxy.Search;

/// <summary>Searches all backends in parallel and merges their results (PS3.18 §10.6).</summary>
/// <remarks>
/// <code>
/// 1 cached?    the same search within its freshness, one study by its UID, or the series of a study in the store (StoredRows)
/// 2 ask        all backends in parallel, from their first row on, under one deadline (HierarchicalSearch, BackendAnswers)
/// 3 file       put series and instances into their backends' series lists (StoredRows)
/// 4 merge      by UID; order (MergedList)
/// 5 page       cut it; file its studies; for studies of several backends, count the union of their series, under the same
///              deadline (SearchPages)
/// </code>
/// Each backend has its own order, so its pages cannot be used as parts of a merged page. Each is asked for as many matches as the
/// page needs (<see cref="SearchDepth"/>), and the merged list is cached for the next page. While a backend fails there is no
/// complete list to cache; the other backends' answers are cached, so that a page costs no more than the request to the failed
/// backend.
/// </remarks>
public sealed class FederatedSearch(
    HierarchicalSearch levels, StoredRows stored, SearchPages pages, BackendScheduler scheduler, DicomMetadataStore store,
    AnswerCache results, Reloadable<SearchOptions> options)
{
    private readonly Answers<ResultKey, SearchResult> _cached = results.For<ResultKey, SearchResult>();

    private readonly SharedRequests<(ResultKey Key, bool BypassCache), SearchResult> _running = new(scheduler);

    /// <summary>The last text of revisions: nearly every request is for all backends.</summary>
    private volatile Revisions? _revisions;

    private sealed record Revisions(IReadOnlyList<BackendOptions> Backends, int Changes, string Text);

    /// <summary>Identifies a result. The caller is part of it only where the rights of callers differ.</summary>
    private sealed record ResultKey(string Scope, string Caller, string Backends, string Text, int Depth);

    /// <summary>
    /// Raised for a client's search for one study, before a backend is asked, if the client may see every study. A handler must not block.
    /// </summary>
    public event Action<Access, SearchQuery>? StudyAsked;

    /// <summary>The pages of the results: step 5.</summary>
    public SearchPages Pages { get; } = pages;

    /// <summary>Discards the cached results of a backend that was removed or whose address changed.</summary>
    public void Follow(Removal removal)
    {
        if (removal is not { Backend: { } backend, Study: null }) return;
        _cached.RemoveWhere(result => result.Backends.Split(',').Any(b => b.StartsWith(backend + ":", StringComparison.Ordinal)));
    }

    /// <summary>Finds the whole result of a search.</summary>
    /// <param name="access">The backends to ask.</param>
    /// <param name="query">The search.</param>
    /// <param name="bypassCache">Ask the backends even when a cached result is fresh.</param>
    /// <param name="cancellation">Cancelled when the client disconnects.</param>
    public async Task<SearchResult> FindAsync(Access access, SearchQuery query, bool bypassCache, CancellationToken cancellation)
    {
        var isLimited = levels.Rights.AreLimited(access);
        if (!isLimited && query.OnlyStudy is not null && CurrentPurpose.Value == RequestPurpose.Client)
            StudyAsked?.Invoke(access, query);
        IReadOnlyList<BackendFailure> undecided = [];
        if (isLimited && query.Study is null && query.FindUids(Tag.StudyInstanceUid) is { } named)
            (access, undecided, _) = await levels.Rights.NarrowAsync(access, named, cancellation);
        if (access.Backends.Count == 0)
            return stored.ListNothing(query) with { Failures = undecided, HasAnswer = undecided.Count == 0 };
        // 1
        if (query is { Level: SearchLevel.Series, Study: { } study } && query.RequestsEverything)
            return await stored.ListSeriesAsync(access, study, bypassCache, cancellation);
        var maxResults = options.Value.MaxResults;
        // A caller with limited rights must not be told that a backend has further rows, only that further rows are visible.
        var end = SearchDepth.GetEnd(query, maxResults) + (isLimited ? 1L : 0);
        for (var depth = SearchDepth.Create(query, maxResults); ; depth = Math.Min(2 * depth, SearchDepth.MaxRows))
        {
            var result = await FindAsync(access, query, depth, bypassCache, cancellation);
            // Rows of several backends merge into one, so a page may need more than its own number of rows from each.
            if (!result.HasMore || result.IsTooBroad || result.Rows.Count >= end)
            {
                return isLimited
                    ? result with { HasMore = false, IsTooBroad = false, Failures = [.. result.Failures, .. undecided] }
                    : result;
            }
        }
    }

    private async Task<SearchResult> FindAsync(
        Access access, SearchQuery query, int depth, bool bypassCache, CancellationToken cancellation)
    {
        var isLimited = levels.Rights.AreLimited(access);
        var key = new ResultKey(
            access.Name, isLimited ? StudyRights.GetKey(access.Caller) : "", ReadRevisions(access), query.CanonicalText, depth);
        if (!bypassCache && _cached.TryFind(key, out var cached)) return cached with { Status = CacheStatus.Hit };
        using var lease = query.OnlyStudy is { } uid ? await store.LeaseAsync(uid, cancellation) : default;
        if (!bypassCache)
        {
            if (stored.FindStudy(access, query) is { } found) return found;
        }
        var (result, isShared) = await _running.RunAsync(
            (key, bypassCache), access, query.Study, stopped => AskAllAsync(access, query, key, bypassCache, stopped), cancellation);
        result = result with { IsOutdated = ReadRevisions(access) != key.Backends };
        return isShared ? result with { Status = CacheStatus.Collapsed } : result;
    }

    /// <summary>The backends with the revisions of their answers, such as <c>east:0,west:2</c>.</summary>
    private string ReadRevisions(Access access)
    {
        // Before the revisions: a change meanwhile makes this text outdated at once.
        var changes = levels.Changes;
        if (_revisions is { } last && last.Changes == changes && ReferenceEquals(last.Backends, access.Backends)) return last.Text;
        var text = string.Join(',', access.Backends.Select(b => $"{b.Name}:{levels.GetRevision(b.Name)}"));
        _revisions = new(access.Backends, changes, text);
        return text;
    }

    private async Task<SearchResult> AskAllAsync(
        Access access, SearchQuery query, ResultKey key, bool bypassCache, CancellationToken cancellation)
    {
        using var span = Spans.Start("search");
        // The client may leave before the answers come.
        using var lease = query.OnlyStudy is { } only ? await store.LeaseAsync(only, cancellation) : default;
        // Another request may have completed since the first look-up.
        if (!bypassCache && _cached.TryFind(key, out var cached)) return cached with { Status = CacheStatus.Hit };

        // 2, 3
        var asked = await Task.WhenAll(access.Backends.Select(
            backend => levels.AskAsync(access, backend, query, key.Depth, bypassCache, options.Value.Deadline, cancellation)));

        // 4
        using var merge = Spans.Start("merge");
        using var leases = new LeasedStudies(store);
        // The store knows the owners of series, and so whose instances are listed.
        if (query.Level == SearchLevel.Instances)
            await leases.AddAsync(asked.SelectMany(a => a.Rows).Select(row => row.Study), cancellation);
        var failures = asked.Select(a => a.Failure).OfType<BackendFailure>().ToList();
        var stale = stored.FindStale(query, asked);
        var maxResults = query.IsWithinStudy ? int.MaxValue : options.Value.MaxResults;
        var rows = MergedList.Merge(query, [.. asked, .. stale], store, maxResults);
        var result = new SearchResult(
            rows, failures, GetNotes(query, asked, levels.Rights.AreLimited(access)), asked.Concat(stale).Min(a => a.Asked),
            stale.Count > 0 ? CacheStatus.Stale : CacheStatus.Miss)
        {
            HasAnswer = stale.Count > 0 || asked.Any(a => a.Failure is null || a.Rows.Count > 0),
            HasMore = asked.Any(a => a.IsCut),
            IsTooBroad = asked.Any(a => a.IsCut) && key.Depth == SearchDepth.MaxRows,
        };
        if (failures.Count > 0) return result;
        result = result with { IsCached = true };
        // The result keeps the answers' rows alive, even after the answers were evicted.
        _cached.Add(key, result, rows.Count * 64L + asked.Sum(a => a.Bytes), options.Value.Freshness);
        return result;
    }

    /// <summary>The sentences for the client about the answers.</summary>
    /// <param name="query">The search.</param>
    /// <param name="answers">The answers.</param>
    /// <param name="isLimited">Whether the caller must not learn about further rows.</param>
    private static List<string> GetNotes(SearchQuery query, SearchAnswer[] answers, bool isLimited)
    {
        var notes = new List<string>();
        foreach (var answer in answers)
        {
            if (answer.LeftOut > 0) notes.Add($"{answer.Backend.Name}: {answer.LeftOut} results without a valid UID were left out");
            if (answer.AttributesLeftOut > 0)
                notes.Add($"{answer.Backend.Name}: {answer.AttributesLeftOut} attributes that are not valid DICOM JSON were left out");
            if (answer.IsCut && !isLimited)
                notes.Add($"{answer.Backend.Name} has more results than were read: the number of additional results is a minimum");
            notes.AddRange(answer.Notes);
        }
        // The exact text of PS3.18 §8.3.4.2.
        if (query.IsFuzzy && answers.Any(a => !a.Backend.FuzzyMatching))
            notes.Add("The fuzzymatching parameter is not supported. Only literal matching has been performed.");
        // PS3.18 §8.3.4.5 and §8.3.4.6. The proxy does both for servers that do not match.
        if (answers.All(a => a.IsMatchedHere)) return notes;
        if (query.MatchesEmptyValues)
            notes.Add("The emptyvaluematching parameter is not supported. Empty Value Matching has not been performed.");
        if (query.MatchesMultipleValues)
            notes.Add("The multiplevaluematching parameter is not supported. Multiple Value Matching has not been performed.");
        return notes;
    }
}
