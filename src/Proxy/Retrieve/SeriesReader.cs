using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Locating;
using Proxy.Metadata;
using Proxy.Operations;
using Proxy.Operations.Telemetry;

namespace Proxy.Retrieve;

/// <summary>The metadata of one series and its origin. Without metadata and without failures, no backend has the series.</summary>
/// <param name="Metadata">All instances of the series as one backend gave them, or null.</param>
/// <param name="Backend">The backend of the metadata.</param>
/// <param name="Asked">The time at which the backend gave or confirmed the metadata.</param>
/// <param name="Status">Whether the metadata comes from the store or from a request.</param>
/// <param name="Failures">The backends that failed; with metadata, one of them may hold more instances of the series.</param>
public sealed record SeriesResult(
    PackedInstances? Metadata, string Backend, DateTimeOffset Asked, CacheStatus Status, IReadOnlyList<BackendFailure> Failures)
{
    /// <summary>True when a prefetch fetched the metadata and this client is the first to request it.</summary>
    public bool IsPrefetched { get; init; }
}

/// <summary>Reads the metadata of a series: from the store, else from the backend that owns the series.</summary>
/// <remarks>
/// <code>
/// 1 fresh      the owner's metadata is in the store and fresh
/// 2 old        revalidate it; when that takes long, return the stored metadata, marked stale, and continue in the background
/// 3 locate     find the backends that hold the series, and how many instances each has
/// 4 confirm    by validators; without validators, when its backend's row of the series is unchanged; or from the instances' own files
/// 5 ask        the owner for all metadata; if it fails, the next holder; with no known holder, the backends without a series search
/// 6 stale      when no backend answers, return the stored metadata, marked stale, up to its maximum age
/// </code>
/// The backend that gives the metadata owns the series from then on, for its frames too (<see cref="OwnerRule"/>).
/// </remarks>
public sealed class SeriesReader(
    MetadataFetch fetch, BackendScheduler scheduler, SeriesLocator locator, DicomMetadataStore store, Reloadable<CacheOptions> cache,
    TimeProvider time, ILogger<SeriesReader> log)
{
    /// <summary>How long a client waits for fresh metadata when stale metadata is available.</summary>
    private static readonly TimeSpan MaxRevalidationWait = TimeSpan.FromSeconds(1);

    private readonly SharedRequests<(string Backend, SeriesPath Path, bool IsReload, int Revision), BackendAnswer<PackedInstances>>
        _asking = new(scheduler);

    /// <summary>Reads the metadata of a series for a client.</summary>
    public async Task<SeriesResult> ReadAsync(Access access, SeriesPath path, bool bypassCache, CancellationToken cancellation)
    {
        using var span = Spans.Start("retrieve");
        var result = await FindAsync(access, path, bypassCache, cancellation);
        span?.SetTag("source", result.Status.ToString());
        if (result.Metadata is null || !store.MarkMetadataRequested(result.Backend, path)) return result;
        // A prefetch sets no owner; the first client that reads the prefetched metadata does.
        if (result.Status != CacheStatus.Stale) locator.SetOwner(access, result.Backend, path);
        return result with { IsPrefetched = true };
    }

    /// <summary>Reads the metadata of a series in the background: a client has its instances, and will probably ask for it.</summary>
    public void ReadLater(Access access, SeriesPath path) => LogFailure(CurrentPurpose.RunAsync(
        RequestPurpose.Revalidation, () => ReadAsync(access, path, bypassCache: false, CancellationToken.None)));

    /// <summary>Fetches metadata before a client requests it: it raises no event and sets no owner.</summary>
    public Task<SeriesResult> PrefetchAsync(Access access, SeriesPath path, CancellationToken cancellation) =>
        RefreshAsync(access, path, ReadPurpose.Prefetch, cancellation);

    private async Task<SeriesResult> FindAsync(Access access, SeriesPath path, bool bypassCache, CancellationToken cancellation)
    {
        // 1
        if (!bypassCache && FindFresh(access, path) is { } fresh) return fresh;

        // 2
        if (bypassCache || FindStale(access, path, [], static series => !series.IsChanged) is not { } stale)
            return await RefreshAsync(access, path, bypassCache ? ReadPurpose.Reload : ReadPurpose.Client, cancellation);
        var refreshing = CurrentPurpose.RunAsync(
            RequestPurpose.Revalidation, () => RefreshAsync(access, path, ReadPurpose.Client, CancellationToken.None));
        await Task.WhenAny(refreshing, Task.Delay(MaxRevalidationWait, time, cancellation));
        cancellation.ThrowIfCancellationRequested();
        if (refreshing.IsCompleted) return await refreshing;
        LogFailure(refreshing);
        return stale;
    }

    private void LogFailure(Task background) => _ = background.ContinueWith(
        failed => log.UnhandledException(failed.Exception!), CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted,
        TaskScheduler.Default);

    /// <summary>
    /// True when a backend can give an instance in place of its owner: its own metadata, read now if necessary, has the instance.
    /// Pixels of one backend under the metadata of another may show the wrong picture.
    /// </summary>
    public async Task<bool> CanStandInAsync(BackendOptions backend, InstancePath path, CancellationToken cancellation)
    {
        var list = store.GetStudy(path.Study)?.GetList(backend.Name) ?? new SeriesList(backend.Name);
        if (list.FindSeries(path.Series) is { IsMetadataComplete: true, Metadata: { } known }) return known.Has(path.Instance);
        var result = await TryReadAsync(new(backend, list), path.SeriesPath, ReadPurpose.Client, [], cancellation);
        return result?.Metadata?.Has(path.Instance) == true;
    }

    /// <summary>The dataset of an instance in the metadata of one backend, read now if necessary; null when it is not there.</summary>
    public async Task<ReadOnlyMemory<byte>?> FindDatasetAsync(
        BackendOptions backend, InstancePath path, CancellationToken cancellation)
    {
        if (Find() is { } known) return known;
        return await CanStandInAsync(backend, path, cancellation) ? Find() : null;

        ReadOnlyMemory<byte>? Find() =>
            store.GetStudy(path.Study)?.GetList(backend.Name).FindSeries(path.Series)?.Metadata?.FindJson(path.Instance);
    }

    private async Task<SeriesResult> RefreshAsync(Access access, SeriesPath path, ReadPurpose purpose, CancellationToken cancellation)
    {
        // 3
        var places = await locator.LocateEarlyAsync(access, path.Study, path.Series, purpose, cancellation);
        var failures = places.Failures.ToList();
        foreach (var candidate in locator.GetCandidates(places, access, path.Series))
        {
            if (await TryReadAsync(candidate, path, purpose, failures, cancellation) is not { } result) continue;
            if (purpose != ReadPurpose.Prefetch) locator.SetOwner(access, candidate.Backend.Name, path);
            return result with { Failures = failures };
        }
        // 6
        return FindStale(access, path, failures, static _ => true) ?? new(null, "", default, CacheStatus.Miss, failures);
    }

    /// <summary>All metadata of the series from one backend. On failure null, and the failure is added to the list.</summary>
    private async Task<SeriesResult?> TryReadAsync(
        Candidate candidate, SeriesPath path, ReadPurpose purpose, List<BackendFailure> failures, CancellationToken cancellation)
    {
        // 4
        var (backend, list) = candidate;
        var series = list.FindSeries(path.Series) ?? new Series(path.Series);
        if (purpose != ReadPurpose.Reload && !series.FileMetadata.IsEmpty)
            series = store.AddMetadataOfFiles(backend.Name, path, time.GetUtcNow() - cache.Value.MetadataFreshness) ?? series;
        if (purpose != ReadPurpose.Reload && series is { IsMetadataComplete: true, MetadataValidators: null })
        {
            var asked = list.ListedAt ?? time.GetUtcNow();
            store.Confirm(backend.Name, path, asked);
            return new(series.Metadata, backend.Name, asked, CacheStatus.Hit, []);
        }
        // 5
        var (answer, isShared) = await _asking.RunAsync(
            (backend.Name, path, purpose == ReadPurpose.Reload, list.Revision), backend.Name, new(path.Study),
            stopped => AskOnceAsync(backend, path, series, purpose, stopped), cancellation);
        if (answer.IsUnchanged) return new(series.Metadata, backend.Name, time.GetUtcNow(), CacheStatus.Hit, []);
        if (answer.IsFound)
            return new(answer.Value, backend.Name, time.GetUtcNow(), isShared ? CacheStatus.Collapsed : CacheStatus.Miss, []);
        if (answer.Failure is { } failure) failures.Add(failure);
        else if (purpose == ReadPurpose.Prefetch) return null;
        else if (await locator.FindOutageAsync(backend, path, cancellation) is { } outage) failures.Add(outage);
        else fetch.Remove(backend.Name, path);
        return null;
    }

    private async Task<BackendAnswer<PackedInstances>> AskOnceAsync(
        BackendOptions backend, SeriesPath path, Series known, ReadPurpose purpose, CancellationToken cancellation)
    {
        // The caller may leave before the answer comes.
        using var lease = await store.LeaseAsync(path.Study, cancellation);
        var now = store.GetStudy(path.Study)?.GetList(backend.Name).FindSeries(path.Series);
        // Another request may have completed since the first look-up.
        return purpose != ReadPurpose.Reload && now is not null && IsFresh(now)
            ? new(now.Metadata!)
            : await fetch.AskAsync(backend, path, known, purpose, cancellation);
    }

    /// <summary>Fresh metadata from the store; null when a backend must be asked.</summary>
    public SeriesResult? FindFresh(Access access, SeriesPath path)
    {
        var owner = locator.GetHolders(store.GetStudy(path.Study), access, path.Series).FirstOrDefault();
        return owner?.FindSeries(path.Series) is { } series && IsFresh(series)
            ? new(series.Metadata, owner.Backend, series.MetadataConfirmedAt, CacheStatus.Hit, [])
            : null;
    }

    private bool IsFresh(Series series) =>
        series.IsMetadataFresh(cache.Value.MetadataFreshness, time.GetUtcNow()) && series.IsMetadataComplete;

    private SeriesResult? FindStale(Access access, SeriesPath path, List<BackendFailure> failures, Func<Series, bool> isAllowed) =>
        (from list in locator.GetHolders(store.GetStudy(path.Study), access, path.Series)
         let series = list.FindSeries(path.Series)!
         where series.IsMetadataFresh(cache.Value.MetadataMaxStale, time.GetUtcNow()) && isAllowed(series)
         select new SeriesResult(series.Metadata, list.Backend, series.MetadataConfirmedAt, CacheStatus.Stale, failures)).FirstOrDefault();
}
