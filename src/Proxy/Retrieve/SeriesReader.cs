using System.Net;
using Proxy.Backends;
using Proxy.Backends.Health;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Search;
using Proxy.Metadata;
using Proxy.Wire;

namespace Proxy.Retrieve;

/// <summary>The metadata of one series, and how it was come by. Without metadata: who failed; nobody failed: it is nowhere.</summary>
/// <param name="Metadata">All instances of the series, as one backend gave them.</param>
/// <param name="Backend">That backend.</param>
/// <param name="Asked">When it gave or confirmed them.</param>
/// <param name="Status">From the store or asked for now.</param>
/// <param name="Failures">Backends that could not say.</param>
public sealed record SeriesResult(
    PackedInstances? Metadata, string Backend, DateTimeOffset Asked, CacheStatus Status, IReadOnlyList<BackendFailure> Failures)
{
    /// <summary>It was fetched ahead, and this client is the first to ask for it.</summary>
    public bool IsPrefetched { get; init; }
}

/// <summary>Gives the metadata of a series: from the store, else from the backend that the series belongs to.</summary>
/// <remarks>
/// <code>
/// 1 fresh      the owner's metadata is in the store and young enough
/// 2 old        it is looked after; when that takes long what is kept goes out, marked, and the looking goes on
/// 3 locate     which backends hold the series, and how many instances each?
/// 4 confirm    by its validators; there are none: its backend's row of the series says nothing else than before
/// 5 ask        the owner, whole; it fails: the next holder, whole; nobody is known: those that cannot say
/// 6 stale      nobody can say: what is kept, marked, as long as that may be
/// </code>
/// Whoever gives the metadata owns the series from then on, for its frames too. It changes hands when the owner fails,
/// when another holds more of it, and back to the preferred holder when that has answered well for a while.
/// </remarks>
public sealed class SeriesReader(
    BackendClient client, BackendSet backends, BackendStates states, BackendScheduler scheduler, SeriesListReader lists,
    DicomMetadataStore store, EntryCache entries,
    Reloadable<CacheOptions> cache, TimeProvider time, ILogger<SeriesReader> log)
{
    /// <summary>How long a client that could have what is kept waits for what is new.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private readonly SingleFlight<(string Backend, SeriesPath Path, bool AsksAnew), BackendAnswer<PackedInstances>> _asking = new();

    /// <summary>What a client asked for.</summary>
    public async Task<SeriesResult> ReadAsync(BackendScope scope, SeriesPath path, bool bypassCache, CancellationToken cancellation)
    {
        var result = await FindAsync(scope, path, bypassCache, cancellation);
        if (result.Metadata is null || !store.ShowMetadata(result.Backend, path)) return result;
        // A prefetch chooses no owner; the first client that reads what it fetched does.
        if (result.Status != CacheStatus.Stale) SetOwner(scope, result.Backend, path);
        return result with { IsPrefetched = true };
    }

    /// <summary>What no client asked for yet: it fires no event, and no client waits for it.</summary>
    public Task<SeriesResult> PrefetchAsync(BackendScope scope, SeriesPath path, CancellationToken cancellation) =>
        RefreshAsync(scope, path, bypassCache: false, isAhead: true, cancellation);

    private async Task<SeriesResult> FindAsync(BackendScope scope, SeriesPath path, bool bypassCache, CancellationToken cancellation)
    {
        // 1
        if (!bypassCache && FindFresh(scope, path) is { } fresh) return fresh;

        // 2
        if (bypassCache || FindKept(scope, path, []) is not { } kept)
            return await RefreshAsync(scope, path, bypassCache, isAhead: false, cancellation);
        var refreshing = CurrentPurpose.RunAsync(
            RequestPurpose.Revalidation, () => RefreshAsync(scope, path, bypassCache, isAhead: false, CancellationToken.None));
        await Task.WhenAny(refreshing, Task.Delay(Patience, time, cancellation));
        cancellation.ThrowIfCancellationRequested();
        if (refreshing.IsCompleted) return await refreshing;
        _ = refreshing.ContinueWith(
            failed => log.RequestFailed(failed.Exception!), CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted,
            TaskScheduler.Default);
        return kept;
    }

    /// <summary>The holders of a series within a scope, its owner first.</summary>
    public IEnumerable<SeriesList> GetHolders(Study? study, BackendScope scope, Uid series) =>
        study?.GetHolders(series, backends.GetPreference).Where(list => scope.Has(list.Backend)) ?? [];

    /// <summary>
    /// The backends that may hold a series although no list of theirs names it: they do not search, or only not for series.
    /// </summary>
    public static IEnumerable<SeriesList> UnlistedIn(StudyHolders places, BackendScope scope, Uid series)
    {
        var withoutSeriesSearch = places.Study?.SeriesLists.Values.Where(list => list.IsUnlisted && !places.HasFailed(list.Backend)) ?? [];
        var withoutSearch = places.Failures.Where(f => f.Status == HttpStatusCode.NotFound).Select(f => places.Study?.GetList(f.Backend)
            ?? new SeriesList(f.Backend));
        return withoutSeriesSearch.Concat(withoutSearch).Where(list => list.FindSeries(series) is null && scope.Has(list.Backend));
    }

    /// <summary>
    /// Whether a backend can give an instance in place of its owner: by the metadata that it gives itself, read now when
    /// it is not here. Pixels of one backend under the metadata of another may show the wrong picture.
    /// </summary>
    public async Task<bool> CanStandInAsync(string backend, InstancePath path, CancellationToken cancellation)
    {
        var list = store.GetStudy(path.Study)?.GetList(backend) ?? new SeriesList(backend);
        if (list.FindSeries(path.Series) is { IsMetadataComplete: true, Metadata: { } known }) return known.Has(path.Instance);
        return await TryReadAsync(
            list, path.SeriesPath, bypassCache: false, isAhead: false, [],
            cancellation) is { Metadata: { } metadata } && metadata.Has(path.Instance);
    }

    /// <summary>Binds a series to whoever gives it. The root of one backend says nothing about the others.</summary>
    public void SetOwner(BackendScope scope, string backend, SeriesPath path)
    {
        if (scope.IsAll) store.SetOwner(backend, path);
    }

    private async Task<SeriesResult> RefreshAsync(
        BackendScope scope, SeriesPath path, bool bypassCache, bool isAhead, CancellationToken cancellation)
    {
        // 3
        var places = await lists.LocateAsync(scope, path.Study, returnEarly: true, bypassCache, cancellation, isAhead);
        var failures = places.Failures.ToList();
        foreach (var list in InOrder(places, scope, path.Series))
        {
            if (await TryReadAsync(list, path, bypassCache, isAhead, failures, cancellation) is not { } result) continue;
            if (!isAhead) SetOwner(scope, list.Backend, path);
            return result;
        }
        // 6
        return FindKept(scope, path, failures) ?? new(null, "", default, CacheStatus.Miss, failures);
    }

    /// <summary>Those that may be asked for the series, whoever is to own it first.</summary>
    private List<SeriesList> InOrder(StudyHolders places, BackendScope scope, Uid series)
    {
        var holders = GetHolders(places.Study, scope, series).Where(list => !places.HasFailed(list.Backend)).ToList();
        if (holders.Count > 1)
        {
            var (owner, best) = (
                holders[0],
                holders.OrderByDescending(CountOf).ThenBy(l => backends.GetPreference(l.Backend))
                    .ThenBy(l => l.Backend, StringComparer.Ordinal).First());
            if (CountOf(best) > CountOf(owner) || states.IsSteady(best.Backend, places.Study!.Uid))
                holders = [best, .. holders.Where(l => l != best)];
        }
        return [.. holders, .. UnlistedIn(places, scope, series)];

        int CountOf(SeriesList list) => list.FindSeries(series)!.Count;
    }

    /// <summary>The whole metadata as one backend gives it; null when it does not, and then who failed is added.</summary>
    private async Task<SeriesResult?> TryReadAsync(
        SeriesList list, SeriesPath path, bool bypassCache, bool isAhead, List<BackendFailure> failures, CancellationToken cancellation)
    {
        // 4
        var series = list.FindSeries(path.Series) ?? new Series(path.Series);
        if (!bypassCache && series is { IsMetadataComplete: true, MetadataValidators: null })
        {
            var asked = list.Asked ?? time.GetUtcNow();
            store.Confirm(list.Backend, path, asked);
            return new(series.Metadata, list.Backend, asked, CacheStatus.Hit, []);
        }
        // 5
        if (backends.Find(list.Backend) is not { } backend) return null;
        var asking = _asking.RunAsync(
            (list.Backend, path, bypassCache), stopped => AskOnceAsync(backend, path, series, bypassCache, isAhead, stopped), cancellation);
        using var waiting = scheduler.BeginForeground(list.Backend, new(path.Study));
        var (answer, isShared) = await asking;
        if (answer.IsUnchanged) return new(series.Metadata, list.Backend, time.GetUtcNow(), CacheStatus.Hit, []);
        if (answer.IsFound)
            return new(answer.Value, list.Backend, time.GetUtcNow(), isShared ? CacheStatus.Collapsed : CacheStatus.Miss, []);
        if (answer.Failure is { } failure) failures.Add(failure);
        else if (isAhead) return null;
        else if (await lists.FindOutageAsync(backend, path, cancellation) is { } outage) failures.Add(outage);
        else Remove(list.Backend, path);
        return null;
    }

    private void Remove(string backend, SeriesPath path)
    {
        store.RemoveSeries(backend, path);
        entries.Remove(backend, path);
    }

    /// <summary>What is kept and young enough, for whoever needs not ask then.</summary>
    public SeriesResult? FindFresh(BackendScope scope, SeriesPath path)
    {
        var owner = GetHolders(store.GetStudy(path.Study), scope, path.Series).FirstOrDefault();
        return owner?.FindSeries(path.Series) is { } series && IsFresh(series)
            ? new(series.Metadata, owner.Backend, series.MetadataAsked, CacheStatus.Hit, [])
            : null;
    }

    private bool IsFresh(Series series) =>
        series.IsMetadataFresh(cache.Value.MetadataFreshness, time.GetUtcNow()) && series.IsMetadataComplete;

    private SeriesResult? FindKept(BackendScope scope, SeriesPath path, List<BackendFailure> failures) =>
        (from list in GetHolders(store.GetStudy(path.Study), scope, path.Series)
         let series = list.FindSeries(path.Series)!
         where series.IsMetadataFresh(cache.Value.MetadataMaxStale, time.GetUtcNow())
         select new SeriesResult(series.Metadata, list.Backend, series.MetadataAsked, CacheStatus.Stale, failures)).FirstOrDefault();

    private async Task<BackendAnswer<PackedInstances>> AskOnceAsync(
        BackendOptions backend, SeriesPath path, Series known, bool bypassCache, bool isAhead, CancellationToken cancellation)
    {
        var now = store.GetStudy(path.Study)?.GetList(backend.Name).FindSeries(path.Series);
        // Between the first look and now another's asking may have come to its end.
        if (!bypassCache && now is not null && IsFresh(now)) return new(now.Metadata!);
        var request = new BackendRequest(
            $"{path}/metadata", MediaType.DicomJson)
        { Known = known.IsMetadataComplete ? known.MetadataValidators : null };
        var answer = await client.AskAsync(backend, request, (response, stopped) => ReadAsync(response, path, stopped), cancellation);
        if (IsEmpty(answer) && HasInstances(now))
        {
            // Its row contradicts it: the row may be old, or the backend does not have its own data ready yet.
            if (await lists.DoubtAsync(backend, path.Study, cancellation) is { } failure) return new(failure);
            now = store.GetStudy(path.Study)?.GetList(backend.Name).FindSeries(path.Series);
            if (!HasInstances(now)) return default;
            answer = await client.AskAsync(
                backend, request with { Known = null }, (response, stopped) => ReadAsync(response, path, stopped), cancellation);
            if (IsEmpty(answer))
                return new(
                    new BackendFailure(backend.Name, BackendError.BadAnswer, "no metadata of a series that it lists with instances"));
        }
        if (answer.IsUnchanged)
        {
            store.Confirm(backend.Name, path, time.GetUtcNow());
            return new() { IsUnchanged = true };
        }
        if (!answer.IsFound || answer.Value.Metadata.Count == 0) return answer.Failure is { } failure ? new(failure) : default;
        if (answer.Value.Metadata.LeftOut is var (datasets, _) && datasets > 0) log.RowsLeftOut(backend.Name, datasets);
        if (answer.Value.Metadata.LeftOut is var (_, attributes) && attributes > 0) log.AttributesLeftOut(backend.Name, attributes);
        var gone = store.AddInstances(
            backend.Name, path, answer.Value.Metadata, answer.Value.Validators, now?.Summary, madeInClient: isAhead);
        foreach (var instance in gone) entries.Remove(backend.Name, new InstancePath(path.Study, path.Series, instance));
        return new(answer.Value.Metadata);
    }

    /// <summary>204, or a list of nothing. "Not found" is another answer.</summary>
    private static bool IsEmpty(BackendAnswer<(PackedInstances Metadata, Validators? Validators)> answer) =>
        answer.IsFound ? answer.Value.Metadata.Count == 0 : answer is { IsMissing: false, IsUnchanged: false, Failure: null };

    /// <summary>
    /// Whether the backend's row of the series says that it has instances. A row that does not count them stands for some.
    /// </summary>
    private static bool HasInstances(Series? series) =>
        series?.Summary is { } row && row.FindInt(Tag.NumberOfSeriesRelatedInstances) is not 0;

    private static async Task<(
        PackedInstances Metadata, Validators? Validators)> ReadAsync(BackendResponse response, SeriesPath path,
        CancellationToken cancellation)
    {
        var builder = new PackedInstances.Builder();
        await foreach (var dataset in response.ReadDatasetsAsync(cancellation))
        {
            var (study, series) = (dataset.FindUid(Tag.StudyInstanceUid), dataset.FindUid(Tag.SeriesInstanceUid));
            var instance = dataset.FindUid(Tag.SopInstanceUid);
            if (study is not null && study != path.Study || series is not null && series != path.Series)
                throw new MalformedAnswerException("A dataset is of another study or series than was asked for.");
            var isNamed = study is not null && series is not null && instance is not null;
            if (isNamed) builder.Add(instance!.Value, dataset.Json.Span);
            builder.LeftOut = (builder.LeftOut.Datasets + (isNamed ? 0 : 1), builder.LeftOut.Attributes + dataset.LeftOut);
        }
        if (builder is { Count: 0, LeftOut.Datasets: > 0 }) throw new MalformedAnswerException("No dataset names a valid instance.");
        return (builder.Build(), response.Validators);
    }
}
