using System.Collections.Immutable;
using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Store;

namespace Proxy.Search;

/// <summary>The merged answer of all backends to one search: the whole list, in its order; pages are cut from it.</summary>
/// <param name="Rows">In a total order: newest study first, then by number, then by UID.</param>
/// <param name="Failures">Who did not answer. With none answering there is no list.</param>
/// <param name="Notes">What else the client should know, one warning each.</param>
/// <param name="Asked">When the backends were asked.</param>
/// <param name="Status">Whether it was kept.</param>
public sealed record SearchResult(
    ImmutableArray<MergedRow> Rows, IReadOnlyList<BackendFailure> Failures, IReadOnlyList<string> Notes, DateTimeOffset Asked, CacheStatus Status)
{
    public bool HasAnswer { get; init; } = true;
}

/// <summary>Searches every backend at once and merges what they say (PS3.18 §10.6).</summary>
/// <remarks>
/// <code>
/// 1 kept?      the same search a moment ago, one study by its UID, the series of a study that the store knows
/// 2 ask        every backend at once, from its first row on, under one deadline
/// 3 file       every row into its backend's series list
/// 4 merge      by UID; order; count what two backends hold over the union of their series
/// </code>
/// A backend orders its rows as it likes and so a page of it is no part of a page of ours: each is asked for all its
/// matches, up to <see cref="SearchOptions.MaxResults"/>, and the merged list is kept for the next page.
/// </remarks>
public sealed class FederatedSearch(
    BackendClient client, SeriesListReader lists, DicomMetadataStore store, MemoryTier memory,
    Reloadable<SearchOptions> options, Reloadable<CacheOptions> cache, TimeProvider time, ILogger<FederatedSearch> log)
{
    private readonly SingleFlight<ResultKey, SearchResult> _searching = new();

    private sealed record ResultKey(string Scope, string Backends, string Text);

    private sealed record Answered(BackendOptions Backend, BackendAnswer<SearchAnswer> Answer);

    public async Task<SearchResult> SearchAsync(BackendScope scope, SearchQuery query, bool asksAnew, CancellationToken cancellation)
    {
        // 1
        if (query is { Level: SearchLevel.Series, Study: { } study } && query.AsksWhole) return await ListSeriesAsync(scope, study, asksAnew, cancellation);
        var key = new ResultKey(scope.Name, string.Join(',', scope.Backends.Select(b => b.Name)), query.CanonicalText);
        if (!asksAnew)
        {
            if (memory.TryFind<SearchResult>(key, out var kept)) return kept with { Status = CacheStatus.Hit };
            if (query.OnlyStudy is { } only && FindStudy(scope, only) is { } found) return found;
        }
        var (result, isShared) = await _searching.RunAsync(key, stopped => AskAllAsync(scope, query, key, asksAnew, stopped), cancellation);
        return isShared ? result with { Status = CacheStatus.Collapsed } : result;
    }

    /// <summary>Sets what only the union of the backends' series can tell: how many series and instances a study has.</summary>
    public async Task<MergedRow> CountAsync(BackendScope scope, MergedRow row, CancellationToken cancellation)
    {
        var places = await lists.LocateAsync(scope with { Backends = [.. scope.Backends.Where(b => row.Holders.Contains(b.Name))] }, row.Uid, isHurried: false, asksAnew: false, cancellation);
        if (places.Study is null || places.Failures.Count > 0) return row;
        var owned = places.Study.OwnedSeries(PreferenceIn(scope)).ToList();
        return row.With(Tag.NumberOfStudyRelatedSeries, MergedRow.Number(owned.Count))
            .With(Tag.NumberOfStudyRelatedInstances, MergedRow.Number(owned.Sum(o => o.Series.Count)));
    }

    private async Task<SearchResult> AskAllAsync(BackendScope scope, SearchQuery query, ResultKey key, bool asksAnew, CancellationToken cancellation)
    {
        // Between the first look and now another's search may have come to its end.
        if (!asksAnew && memory.TryFind<SearchResult>(key, out var kept)) return kept with { Status = CacheStatus.Hit };

        // 2
        var asked = time.GetUtcNow();
        using var deadline = new CancellationTokenSource(options.Value.Deadline, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellation);
        var answers = await Task.WhenAll(scope.Backends.Select(backend => AskAsync(backend, query, both.Token, cancellation)));

        // 3
        var most = options.Value.MaxResults;
        var notes = new List<string>();
        var rows = new List<(BackendOptions Backend, Dataset Row)>();
        foreach (var (backend, answer) in answers)
        {
            if (!answer.IsFound) continue;
            if (answer.Value.LeftOut > 0) log.RowsLeftOut(backend.Name, answer.Value.LeftOut);
            if (answer.Value.LeftOut > 0) notes.Add($"{backend.Name}: {answer.Value.LeftOut} results without a valid UID were left out");
            if (answer.Value.Rows.Count > most) notes.Add($"{backend.Name} has more than the {most} results that are read; a narrower search shows the others");
            var taken = answer.Value.Rows.Take(most).ToList();
            File(backend.Name, query, taken, isAll: answer.Value.Rows.Count <= most);
            rows.AddRange(taken.Select(row => (backend, row)));
        }
        if (query.IsFuzzy) notes.Add("The fuzzymatching parameter is not supported by every backend. There only literal matching has been performed.");

        // 4
        var failures = answers.Select(a => a.Answer.Failure).OfType<BackendFailure>().ToList();
        var result = new SearchResult(Merge(query, rows), failures, notes, asked, CacheStatus.Miss) { HasAnswer = failures.Count < answers.Length };
        if (failures.Count == 0) memory.Add(key, result, 512 + rows.Sum(r => 256L + r.Row.Json.Length), options.Value.Freshness);
        return result;
    }

    private async Task<Answered> AskAsync(BackendOptions backend, SearchQuery query, CancellationToken inTime, CancellationToken cancellation)
    {
        try
        {
            // Only a study that the path names may be unknown: else a 404 says that the configured address is wrong.
            return new(backend, await client.AskAsync(
                backend,
                new(query.ToRequest(options.Value.MaxResults + 1), MediaType.DicomJson) { IsMissing = status => query.Study is not null && (int)status is 404 or 410 },
                (r, c) => SearchAnswer.ReadAsync(r, query, c), inTime));
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return new(backend, new(client.GiveUp(backend, new(query.ToRequest(0), MediaType.DicomJson))));
        }
    }

    private void File(string backend, SearchQuery query, List<Dataset> rows, bool isAll)
    {
        switch (query.Level)
        {
            case SearchLevel.Studies:
                foreach (var row in rows) store.AddStudy(backend, row);
                break;
            case SearchLevel.Series:
                foreach (var study in rows.GroupBy(r => r.FindUid(Tag.StudyInstanceUid) ?? query.Study!.Value))
                    store.AddSeriesMetadata(backend, study.Key, [.. study], areAll: isAll && query.Study is not null && query.Matches.IsEmpty);
                break;
            default:
                store.AddInstanceRows(backend, rows);
                break;
        }
    }

    private static ImmutableArray<MergedRow> Merge(SearchQuery query, IEnumerable<(BackendOptions Backend, Dataset Row)> rows)
    {
        var merged = query.Level switch
        {
            SearchLevel.Studies => MergeBy(rows, query.Key, _ => 0).Select(row => row.With(Tag.RetrieveUrl, MergedRow.RetrieveUrl(new StudyPath(row.Uid).ToString()))),
            SearchLevel.Series => MergeBy(rows, query.Key, row => -row.FindInt(Tag.NumberOfSeriesRelatedInstances) ?? 0)
                .Select(row => row.With(Tag.RetrieveUrl, MergedRow.RetrieveUrl(new SeriesPath(StudyOf(row), row.Uid).ToString()))),
            _ => MergeInstances(query, rows),
        };
        return SearchOrder.Sort(query.Level, merged);

        Uid StudyOf(MergedRow row) => query.Study ?? row.Dataset.FindUid(Tag.StudyInstanceUid)!.Value;
    }

    private static IEnumerable<MergedRow> MergeBy(IEnumerable<(BackendOptions Backend, Dataset Row)> rows, Tag key, Func<Dataset, int> rank) =>
        from row in rows
        group row by row.Row.FindUid(key)!.Value into same
        select MergedRow.Merge(same.Key, [.. same.OrderBy(r => rank(r.Row)).ThenBy(r => r.Backend.Preference).ThenBy(r => r.Backend.Name, StringComparer.Ordinal).Select(r => (r.Backend.Name, r.Row))]);

    /// <summary>A series belongs to one backend: only its owner's instances can be retrieved, and only they are listed.</summary>
    private static IEnumerable<MergedRow> MergeInstances(SearchQuery query, IEnumerable<(BackendOptions Backend, Dataset Row)> rows) =>
        from row in rows
        let path = new SeriesPath(query.Study ?? row.Row.FindUid(Tag.StudyInstanceUid)!.Value, query.Series ?? row.Row.FindUid(Tag.SeriesInstanceUid) ?? default)
        group row by path into series
        let owner = series.GroupBy(r => r.Backend).OrderByDescending(b => b.Count()).ThenBy(b => b.Key.Preference).ThenBy(b => b.Key.Name, StringComparer.Ordinal).First()
        from row in owner
        let uid = row.Row.FindUid(query.Key)!.Value
        select MergedRow.Merge(uid, [(row.Backend.Name, row.Row)])
            .With(Tag.RetrieveUrl, MergedRow.RetrieveUrl(new InstancePath(series.Key.Study, series.Key.Series, uid).ToString()));

    /// <summary>The series of a study, from the store when every backend's list is fresh there.</summary>
    private async Task<SearchResult> ListSeriesAsync(BackendScope scope, Uid study, bool asksAnew, CancellationToken cancellation)
    {
        var places = await lists.LocateAsync(scope, study, isHurried: false, asksAnew, cancellation);
        var failed = places.Failures.Select(f => f.Backend).ToHashSet();
        var known = scope.Backends.Where(b => !failed.Contains(b.Name)).Select(b => (Backend: b, List: places.Study?.ListOf(b.Name) ?? new SeriesList(b.Name))).ToList();
        var rows = from held in known
                   from series in held.List.Series.Values
                   where series.Summary is not null
                   select (held.Backend, series.Summary!);
        var asked = known.Select(k => k.List.Asked).Min() ?? time.GetUtcNow();
        return new(Merge(SearchQuery.SeriesOf(study), rows), places.Failures, [], asked, places.WasAsked ? CacheStatus.Miss : CacheStatus.Hit) { HasAnswer = known.Count > 0 };
    }

    /// <summary>One study's row, from the store when every backend said of late that it has it, or that it has not.</summary>
    private SearchResult? FindStudy(BackendScope scope, Uid uid)
    {
        if (store.GetStudy(uid) is not { } study) return null;
        var (now, lifetime) = (time.GetUtcNow(), cache.Value.MetadataFreshness);
        var rows = new List<(BackendOptions, Dataset)>();
        var asked = now;
        foreach (var backend in scope.Backends)
        {
            var list = study.ListOf(backend.Name);
            var hasRow = list.StudyRow is not null && Ages.IsWithin(list.StudyRowAsked, lifetime, now);
            if (hasRow) rows.Add((backend, list.StudyRow!));
            else if (!list.IsFresh(options.Value.Freshness, now) || !list.Series.IsEmpty) return null;
            if (hasRow && list.StudyRowAsked < asked) asked = list.StudyRowAsked;
        }
        return rows.Count == 0 ? null : new(Merge(SearchQuery.AllStudies, rows), [], [], asked, CacheStatus.Hit);
    }

    private static Func<string, int> PreferenceIn(BackendScope scope) => name => scope.Backends.FirstOrDefault(b => b.Name == name)?.Preference ?? int.MaxValue;
}
