using System.Collections.Concurrent;
using System.Collections.Immutable;
using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Locating;
using Proxy.Metadata;
using Proxy.Operations;

namespace Proxy.Search;

/// <summary>
/// Counts the series and instances of studies that several backends hold: over the union of their series lists, so that a series
/// in two backends counts once.
/// </summary>
/// <remarks>
/// A stored list is valid while it agrees with the counts in the backend's new row. The other lists are requested, those of one
/// backend together: <c>/series?StudyInstanceUID=1.2,1.3,…</c>
/// </remarks>
public sealed class StudyCounts(
    IArchive archive, BackendScheduler scheduler, SeriesLocator locator, DicomMetadataStore store, Reloadable<CacheOptions> cache,
    TimeProvider time)
{
    /// <summary>The limit of UIDs in one request: each has up to 64 characters, and a server may refuse a line of 4 KB.</summary>
    internal const int StudiesPerRequest = 50;

    private readonly SharedRequests<(string Backend, string Studies), IReadOnlyList<Uid>> _asking = new(scheduler);

    /// <summary>The studies whose lists are being requested, with the other studies of the same request.</summary>
    private readonly ConcurrentDictionary<(string Backend, Uid Study), Uid[]> _asked = new();

    /// <summary>Counts the studies of a page.</summary>
    /// <param name="access">The backends that the client may use.</param>
    /// <param name="rows">A page of merged rows.</param>
    /// <param name="deadline">Ends the requests for unknown lists; the answer is sent then.</param>
    /// <param name="cancellation">Cancelled when the client disconnects.</param>
    /// <returns>
    /// The same rows with counts, and the backends whose lists are not available: counts then are the largest known ones.
    /// </returns>
    public async Task<(ImmutableArray<MergedRow> Rows, IReadOnlyList<string> Lacking)> CountAsync(
        Access access, ImmutableArray<MergedRow> rows, CancellationToken deadline, CancellationToken cancellation)
    {
        if (rows.All(row => row.Sources.Length == 1)) return (rows, []);
        var unknown = FindUnknown(rows);
        if (unknown.Count > 0) await AskInTimeAsync(access, rows, unknown, deadline, cancellation);
        var lacking = FindUnknown(rows).ToLookup(u => u.Study, u => u.Backend);
        return (
            [.. rows.Select(row => row.Sources.Length == 1 ? row : Count(row, lacking.Contains(row.Uid)))],
            [.. lacking.SelectMany(study => study).Distinct().Order(StringComparer.Ordinal)]);
    }

    private List<(string Backend, Uid Study)> FindUnknown(ImmutableArray<MergedRow> rows)
    {
        var now = time.GetUtcNow();
        return [.. from row in rows
                   where row.Sources.Length > 1
                   from source in row.Sources
                   where !IsKnown(source, row.Uid, now)
                   select (source.Backend, row.Uid)];
    }

    private bool IsKnown(SourceRow source, Uid study, DateTimeOffset now) =>
        store.GetStudy(study)?.SeriesLists.GetValueOrDefault(source.Backend) is { } list && !list.Series.IsEmpty
            && (list.IsFresh(cache.Value.MetadataFreshness, now) || list.AgreesWith(source.Row));

    private MergedRow Count(MergedRow row, bool isLacking)
    {
        var (series, instances) = store.GetStudy(row.Uid)?.CountIn(row.Sources.Select(s => s.Backend)) ?? default;
        if (!isLacking) return row.WithCounts(series, instances);
        return row.WithCounts(Max(row, Tag.NumberOfStudyRelatedSeries, series), Max(row, Tag.NumberOfStudyRelatedInstances, instances));
    }

    private static int Max(MergedRow row, Tag tag, int known) => row.Sources.Max(s => Math.Max(known, s.Row.FindInt(tag) ?? 0));

    private async Task AskInTimeAsync(
        Access access, ImmutableArray<MergedRow> rows, List<(string Backend, Uid Study)> unknown, CancellationToken deadline,
        CancellationToken cancellation)
    {
        using var inTime = CancellationTokenSource.CreateLinkedTokenSource(deadline, cancellation);
        try
        {
            await Task.WhenAll(
                from wanted in unknown.GroupBy(u => u.Backend, u => u.Study)
                let backend = access.Backends.FirstOrDefault(b => b.Name == wanted.Key)
                where backend is not null
                from studies in GroupIntoRequests(backend.Name, wanted)
                select AskAsync(access, backend, rows, studies, deadline, inTime.Token));
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            // Lists that are unknown now are reported as lacking.
        }
    }

    /// <summary>The running requests that list some of the studies, and new ones for the others.</summary>
    private IEnumerable<Uid[]> GroupIntoRequests(string backend, IEnumerable<Uid> studies)
    {
        var byRequest = studies.ToLookup(study => _asked.GetValueOrDefault((backend, study)));
        return byRequest[null].Chunk(StudiesPerRequest).Concat(byRequest.Select(request => request.Key).OfType<Uid[]>());
    }

    private async Task AskAsync(
        Access access, BackendOptions backend, ImmutableArray<MergedRow> rows, Uid[] studies, CancellationToken deadline,
        CancellationToken cancellation)
    {
        IReadOnlyList<Uid> alone = studies;
        if (studies.Length > 1)
            (alone, _) = await _asking.RunAsync(
                (backend.Name, string.Join(',', studies)), backend.Name, target: null,
                stopped => AskAgainAsync(backend, rows, studies, deadline, stopped), cancellation);
        var holder = access with { Backends = [backend] };
        // A request that was joined lists studies of other pages too.
        await Task.WhenAll(alone.Intersect(rows.Select(row => row.Uid)).Select(
            study => locator.LocateAsync(
                holder, study, IsPrefetched(backend, study) ? ReadPurpose.Prefetch : ReadPurpose.Client, cancellation)));
    }

    /// <summary>
    /// Counting is not a client request, so a prefetched list stays marked as prefetched; and what a prefetch counts, no client has seen.
    /// </summary>
    private bool IsPrefetched(BackendOptions backend, Uid study) =>
        CurrentPurpose.Value == RequestPurpose.Prefetch || store.GetStudy(study)?.GetList(backend.Name).MadeInClient == true;

    /// <summary>Requests the lists that are still unknown: a request that this one wanted to join may have just ended.</summary>
    private async Task<IReadOnlyList<Uid>> AskAgainAsync(
        BackendOptions backend, ImmutableArray<MergedRow> rows, Uid[] studies, CancellationToken deadline, CancellationToken cancellation)
    {
        foreach (var study in studies) _asked.TryAdd((backend.Name, study), studies);
        try
        {
            var listed = rows.Select(row => row.Uid).Except(FindUnknown(rows).Where(u => u.Backend == backend.Name).Select(u => u.Study));
            Uid[] unknown = [.. studies.Except(listed)];
            return unknown.Length > 1 ? await AskTogetherAsync(backend, unknown, deadline, cancellation) : unknown;
        }
        finally
        {
            foreach (var study in studies) _asked.TryRemove(new((backend.Name, study), studies));
        }
    }

    /// <summary>Files a backend's series of several studies; returns the studies that must be requested one by one.</summary>
    private async Task<IReadOnlyList<Uid>> AskTogetherAsync(
        BackendOptions backend, Uid[] studies, CancellationToken deadline, CancellationToken cancellation)
    {
        var revisions = studies.ToDictionary(study => study, study => store.GetStudy(study)?.GetList(backend.Name).Revision ?? 0);
        if (await archive.SearchSeriesAsync(backend, studies, deadline, cancellation) is not { } answer) return studies;
        // The backend is late or unreachable, and requests for single studies would fail too.
        if (answer.Failure is not null) return [];
        if (!answer.IsWhole) return studies;
        var found = answer.Rows.ToLookup(row => row.Study);
        foreach (var study in studies.Where(found.Contains))
            store.SetSeriesMetadata(
                backend.Name, study, [.. found[study].Select(row => row.Read())], IsPrefetched(backend, study), revisions[study]);
        return [.. studies.Where(study => !found.Contains(study))];
    }
}
