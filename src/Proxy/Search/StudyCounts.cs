using System.Collections.Immutable;
using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Metadata;

namespace Proxy.Search;

/// <summary>
/// Counts the series and instances of studies that several backends hold: over the union of their series, which only
/// series lists can tell. Numbers of the same series are not added up.
/// </summary>
/// <remarks>
/// A list that is kept still holds while it agrees with the numbers in the backend's new row. The others are asked for,
/// those of a backend together: <c>/series?StudyInstanceUID=1.2,1.3,…</c>
/// </remarks>
public sealed class StudyCounts(
    BackendSearch search, SeriesListReader lists, DicomMetadataStore store, Reloadable<CacheOptions> cache, TimeProvider time)
{
    /// <summary>UIDs in one question: 64 characters each, and a server may refuse a line of 4 KB.</summary>
    internal const int StudiesPerQuestion = 50;

    private readonly SingleFlight<(string Backend, string Studies), IReadOnlyList<Uid>> _asking = new();

    /// <param name="scope">Whose studies.</param>
    /// <param name="rows">A page of merged rows.</param>
    /// <param name="deadline">When the answer leaves: until then what is not known is asked for.</param>
    /// <param name="cancellation">Nobody waits any more.</param>
    /// <returns>
    /// The same rows with counts, and the backends whose lists could not be had: there a count is the largest that is known.
    /// </returns>
    public async Task<(ImmutableArray<MergedRow> Rows, IReadOnlyList<string> Lacking)> CountAsync(
        BackendScope scope, ImmutableArray<MergedRow> rows, CancellationToken deadline, CancellationToken cancellation)
    {
        if (rows.All(row => row.Sources.Length == 1)) return (rows, []);
        var unknown = FindUnknown(rows);
        if (unknown.Count > 0) await AskInTimeAsync(scope, unknown, deadline, cancellation);
        var lacking = FindUnknown(rows).ToLookup(u => u.Study, u => u.Backend);
        return (
            [.. rows.Select(row => row.Sources.Length == 1 ? row : Count(row, lacking.Contains(row.Uid)))],
            [.. lacking.SelectMany(study => study).Distinct().Order(StringComparer.Ordinal)]);
    }

    private List<(string Backend, Uid Study)> FindUnknown(ImmutableArray<MergedRow> rows)
    {
        var now = time.GetUtcNow();
        return [.. from row in rows where row.Sources.Length > 1 from source in row.Sources where !IsKnown(source, row.Uid,
            now) select (source.Backend, row.Uid)];
    }

    private bool IsKnown(SourceRow source, Uid study, DateTimeOffset now) =>
        store.GetStudy(study)?.SeriesLists.GetValueOrDefault(source.Backend) is { } list && !list.Series.IsEmpty
            && (list.IsFresh(cache.Value.MetadataFreshness, now) || list.AgreesWith(source.Row));

    private MergedRow Count(MergedRow row, bool isLacking)
    {
        var (series, instances) = store.GetStudy(row.Uid)?.CountIn(row.Sources.Select(s => s.Backend)) ?? default;
        if (!isLacking) return row.WithCounts(series, instances);
        return row.WithCounts(Most(row, Tag.NumberOfStudyRelatedSeries, series), Most(row, Tag.NumberOfStudyRelatedInstances, instances));
    }

    private static int Most(MergedRow row, Tag tag, int known) => row.Sources.Max(s => Math.Max(known, s.Row.FindInt(tag) ?? 0));

    private async Task AskInTimeAsync(
        BackendScope scope, List<(string Backend, Uid Study)> unknown, CancellationToken deadline, CancellationToken cancellation)
    {
        using var inTime = CancellationTokenSource.CreateLinkedTokenSource(deadline, cancellation);
        try
        {
            await Task.WhenAll(
                from wanted in unknown.GroupBy(u => u.Backend, u => u.Study)
                let backend = scope.Backends.FirstOrDefault(b => b.Name == wanted.Key)
                where backend is not null
                from studies in wanted.Chunk(search.SplitsStudies(backend.Name) ? 1 : StudiesPerQuestion)
                select AskAsync(scope, backend, studies, deadline, inTime.Token));
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            // What is not known now is said to be lacking.
        }
    }

    private async Task AskAsync(
        BackendScope scope, BackendOptions backend, Uid[] studies, CancellationToken deadline, CancellationToken cancellation)
    {
        IReadOnlyList<Uid> alone = studies;
        if (studies.Length > 1)
            (alone, _) = await _asking.RunAsync(
                (backend.Name, string.Join(',', studies)), stopped => AskTogetherAsync(backend, studies, deadline, stopped), cancellation);
        var one = scope with { Backends = [backend] };
        await Task.WhenAll(alone.Select(
            study => lists.LocateAsync(one, study, returnEarly: false, bypassCache: false, cancellation, IsPreferred(backend, study))));
    }

    /// <summary>To be counted is not to be asked for: what was fetched ahead stays so.</summary>
    private bool IsPreferred(BackendOptions backend, Uid study) => store.GetStudy(study)?.GetList(backend.Name).MadeInClient == true;

    /// <summary>Files what a backend says of several studies at once; gives those that have to be asked for alone.</summary>
    private async Task<IReadOnlyList<Uid>> AskTogetherAsync(
        BackendOptions backend, Uid[] studies, CancellationToken deadline, CancellationToken cancellation)
    {
        var answer = await search.AskAsync(backend, SearchQuery.ForSeries(studies), most: null, deadline, cancellation);
        // Late, or not to be reached: alone they would be, too.
        if (answer.Failure is { IsOutage: true } or { Error: BackendError.Busy or BackendError.Overloaded }) return [];
        var found = answer.Rows.ToLookup(row => row.Study);
        // It refuses such a question, or does not look at the studies in it.
        if (answer.Failure is not null || found.Count == 0) search.NoteSplitsStudies(backend.Name);
        if (!answer.IsWhole) return studies;
        foreach (var study in studies.Where(found.Contains))
            store.AddSeriesMetadata(
                backend.Name, study, [.. found[study].Select(row => row.Read())], areAll: true, madeInClient: IsPreferred(backend, study));
        return [.. studies.Where(study => !found.Contains(study))];
    }
}
