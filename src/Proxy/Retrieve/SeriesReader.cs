using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Search;
using Proxy.Store;
using Proxy.Wire;

namespace Proxy.Retrieve;

/// <summary>The metadata of one series, and how it was come by. Without metadata: who failed; nobody failed: it is nowhere.</summary>
/// <param name="Metadata">All instances of the series, as one backend gave them.</param>
/// <param name="Backend">That backend.</param>
/// <param name="Asked">When it gave or confirmed them.</param>
/// <param name="Status">From the store or asked for now.</param>
/// <param name="Failures">Backends that could not say.</param>
public sealed record SeriesResult(PackedInstances? Metadata, string Backend, DateTimeOffset Asked, CacheStatus Status, IReadOnlyList<BackendFailure> Failures);

/// <summary>Gives the metadata of a series: from the store, else from the backend that the series belongs to.</summary>
/// <remarks>
/// <code>
/// 1 fresh      the owner's metadata is in the store and young enough
/// 2 locate     which backends hold the series, and how many instances each?
/// 3 confirm    the store's metadata has as many instances as its backend says now: it still holds
/// 4 ask        the owner, whole; it fails: the next holder, whole; nobody is known: those that cannot say
/// 5 stale      nobody can say: what is kept, marked
/// </code>
/// </remarks>
public sealed class SeriesReader(
    BackendClient client, BackendSet backends, SeriesListReader lists, DicomMetadataStore store, Reloadable<CacheOptions> cache, TimeProvider time)
{
    private readonly SingleFlight<(string Backend, SeriesPath Path), BackendAnswer<PackedInstances>> _asking = new();

    public async Task<SeriesResult> ReadAsync(BackendScope scope, SeriesPath path, bool asksAnew, CancellationToken cancellation)
    {
        // 1
        if (!asksAnew && FindFresh(scope, path) is { } fresh) return fresh;

        // 2
        var places = await lists.LocateAsync(scope, path.Study, isHurried: true, asksAnew, cancellation);
        var failures = places.Failures.ToList();
        foreach (var list in HoldersOf(places.Study, scope, path.Series).Concat(UnlistedIn(places.Study, scope, path.Series)))
        {
            var series = list.FindSeries(path.Series) ?? new Series(path.Series);
            var isConfirmed = failures.All(f => f.Backend != list.Backend);
            // 3
            if (!asksAnew && isConfirmed && series.IsMetadataComplete)
            {
                store.Confirm(list.Backend, path);
                return new(series.Metadata, list.Backend, list.Asked ?? time.GetUtcNow(), CacheStatus.Hit, []);
            }
            // 4
            if (!isConfirmed || backends.Find(list.Backend) is not { } backend) continue;
            var (answer, isShared) = await _asking.RunAsync((list.Backend, path), stopped => AskOnceAsync(backend, path, asksAnew, stopped), cancellation);
            if (answer.IsFound) return new(answer.Value, list.Backend, time.GetUtcNow(), isShared ? CacheStatus.Collapsed : CacheStatus.Miss, []);
            if (answer.Failure is { } failure) failures.Add(failure);
            else store.RemoveSeries(list.Backend, path);
        }
        // 5
        return FindKept(scope, path, failures) ?? new(null, "", default, CacheStatus.Miss, failures);
    }

    /// <summary>The holders of a series within a scope, its owner first.</summary>
    public IEnumerable<SeriesList> HoldersOf(Study? study, BackendScope scope, Uid series) =>
        study?.HoldersOf(series, backends.PreferenceOf).Where(list => scope.Has(list.Backend)) ?? [];

    /// <summary>The backends that may hold a series although no list of theirs names it.</summary>
    public static IEnumerable<SeriesList> UnlistedIn(Study? study, BackendScope scope, Uid series) =>
        study?.SeriesLists.Values.Where(list => list.IsUnlisted && list.FindSeries(series) is null && scope.Has(list.Backend)) ?? [];

    private SeriesResult? FindFresh(BackendScope scope, SeriesPath path)
    {
        var owner = HoldersOf(store.GetStudy(path.Study), scope, path.Series).FirstOrDefault();
        return owner?.FindSeries(path.Series) is { } series && IsFresh(series) ? new(series.Metadata, owner.Backend, series.MetadataAsked, CacheStatus.Hit, []) : null;
    }

    private bool IsFresh(Series series) => series.IsMetadataFresh(cache.Value.MetadataFreshness, time.GetUtcNow()) && series.IsMetadataComplete;

    private SeriesResult? FindKept(BackendScope scope, SeriesPath path, List<BackendFailure> failures) =>
        (from list in HoldersOf(store.GetStudy(path.Study), scope, path.Series)
         let series = list.FindSeries(path.Series)!
         where series.Metadata is not null
         select new SeriesResult(series.Metadata, list.Backend, series.MetadataAsked, CacheStatus.Stale, failures)).FirstOrDefault();

    private async Task<BackendAnswer<PackedInstances>> AskOnceAsync(BackendOptions backend, SeriesPath path, bool asksAnew, CancellationToken cancellation)
    {
        // Between the first look and now another's asking may have come to its end.
        if (!asksAnew && store.GetStudy(path.Study)?.ListOf(backend.Name).FindSeries(path.Series) is { } known && IsFresh(known)) return new(known.Metadata!);
        var answer = await client.AskAsync(backend, new($"{path}/metadata", MediaType.DicomJson), (response, stopped) => ReadAsync(response, path, stopped), cancellation);
        if (!answer.IsFound || answer.Value.Count == 0) return answer.Failure is { } failure ? new(failure) : default;
        store.AddInstances(backend.Name, path, answer.Value);
        return answer;
    }

    private static async Task<PackedInstances> ReadAsync(BackendResponse response, SeriesPath path, CancellationToken cancellation)
    {
        var builder = new PackedInstances.Builder();
        await foreach (var dataset in response.ReadDatasetsAsync(cancellation))
        {
            if (dataset.FindUid(Tag.StudyInstanceUid) != path.Study || dataset.FindUid(Tag.SeriesInstanceUid) != path.Series)
                throw new MalformedAnswerException("A dataset is of another study or series than was asked for.");
            if (dataset.FindUid(Tag.SopInstanceUid) is not { } instance) throw new MalformedAnswerException("A dataset names no valid SOP Instance UID.");
            builder.Add(instance, dataset.Json.Span);
        }
        return builder.Build();
    }
}
