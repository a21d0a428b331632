using System.Collections.Concurrent;
using System.Net;
using Proxy.Backends;
using Proxy.Backends.DicomWeb;
using Proxy.Backends.Health;
using Proxy.Backends.Queries;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Metadata;
using Proxy.Operations;

namespace Proxy.Locating;

/// <summary>Finds the backends that hold each series of a study: from the store, else by asking all backends in parallel.</summary>
public sealed class SeriesListReader(
    BackendSearch search, BackendStates states, BackendScheduler scheduler, DicomMetadataStore store, EntryCache entries,
    Reloadable<SearchOptions> options, Reloadable<CacheOptions> cache, TimeProvider time)
{
    /// <summary>After one backend has listed the series, how long the others may take.</summary>
    private static readonly TimeSpan GraceTime = TimeSpan.FromSeconds(1);

    /// <summary>How long a request for a cached entry waits for the revalidation of its study.</summary>
    private static readonly TimeSpan MaxRevalidationWait = TimeSpan.FromMilliseconds(250);

    private readonly SingleFlight<(string Backend, Uid Study), SearchAnswer> _asking = new();

    private readonly SingleFlight<(string Scope, Uid Study), StudyHolders> _revalidations = new();

    /// <summary>Studies whose revalidation exceeded the wait and is still running; further requests do not wait for it.</summary>
    private readonly ConcurrentDictionary<(string Scope, Uid Study), bool> _late = new();

    /// <summary>The series lists of a study in all backends that the client may use, each as fresh as metadata must be.</summary>
    /// <param name="access">The backends to ask.</param>
    /// <param name="study">The study.</param>
    /// <param name="returnEarly">Return shortly after one backend has listed the study, because a viewer waits for pixels.</param>
    /// <param name="bypassCache">Ask the backends even when the stored lists are fresh.</param>
    /// <param name="cancellation">Cancels the requests.</param>
    /// <param name="isPrefetch">True for a prefetch, which raises no event.</param>
    public async Task<StudyHolders> LocateAsync(
        Access access, Uid study, bool returnEarly, bool bypassCache, CancellationToken cancellation, bool isPrefetch = false)
    {
        await store.LoadAsync(study, cancellation);
        var known = store.GetStudy(study);
        var unknown = bypassCache ? access.Backends : FindUnknown(access, known);
        if (unknown.Count == 0) return new(known, [], WasAsked: false);

        var asking = unknown.ToDictionary(b => b.Name, b => AskInTimeAsync(b, study, bypassCache, isPrefetch, cancellation));
        if (returnEarly) await WaitBrieflyAsync(access, study, asking.Values, cancellation);
        else await Task.WhenAll(asking.Values);

        var failures = asking.Select(
            a => a.Value.IsCompleted ? a.Value.Result : new BackendFailure(a.Key, BackendError.TimedOut, "slower than the others"));
        return new(store.GetStudy(study), [.. failures.OfType<BackendFailure>()], WasAsked: true);
    }

    /// <summary>
    /// The stored study, for a request for one of its cached entries: holders with old lists are asked again, with only a short wait.
    /// Null when the study is not known.
    /// </summary>
    public async Task<Study?> RevalidateAsync(Access access, Uid study, CancellationToken cancellation)
    {
        await store.LoadAsync(study, cancellation);
        var now = time.GetUtcNow();
        var known = store.GetStudy(study);
        if (known is null || access.Backends.All(b => IsFresh(known.GetList(b.Name)))) return known;
        var key = (access.Name, study);
        if (_late.ContainsKey(key)) return known;
        var holders = access with { Backends = [.. access.Backends.Where(b => !IsFresh(known.GetList(b.Name)))] };
        // The revalidation is not cancelled with the client: the next request uses its result.
        var revalidation = CurrentPurpose.RunAsync(
            RequestPurpose.Revalidation,
            () => _revalidations.RunAsync(
                key, stopped => LocateAsync(holders, study, returnEarly: false, bypassCache: false, stopped), CancellationToken.None));
        await Task.WhenAny(revalidation, Task.Delay(MaxRevalidationWait, time, cancellation));
        cancellation.ThrowIfCancellationRequested();
        if (!revalidation.IsCompleted && _late.TryAdd(key, true))
            _ = revalidation.ContinueWith(
                _ => _late.TryRemove(key, out var _), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        return store.GetStudy(study);

        bool IsFresh(SeriesList list) => list.Series.IsEmpty || list.IsFresh(cache.Value.MetadataFreshness, now);
    }

    /// <summary>Asks for a backend's series list again after it denied an object in its list, unless the list is recent.</summary>
    /// <returns>The failure of that request; null when it succeeded or was not needed.</returns>
    public async Task<BackendFailure?> RecheckAsync(BackendOptions backend, Uid study, CancellationToken cancellation) =>
        store.GetStudy(study)?.GetList(backend.Name).IsFresh(options.Value.Freshness, time.GetUtcNow()) == true
            ? null
            : await AskInTimeAsync(backend, study, bypassCache: true, isPrefetch: false, cancellation);

    /// <summary>
    /// Checks whether a backend that denied a series is out of order: servers answer 404 to every request while they start. The series
    /// was removed only if the backend answers a search without listing it.
    /// </summary>
    /// <returns>The outage; null when the series was removed.</returns>
    public async Task<BackendFailure?> FindOutageAsync(BackendOptions backend, SeriesPath path, CancellationToken cancellation)
    {
        if (store.GetStudy(path.Study)?.GetList(backend.Name).FindSeries(path.Series) is null)
            return states.HasAnswered(backend.Name)
                ? null
                : (await FindRowAsync(backend, path.Study, CancellationToken.None, cancellation)).Failure;
        if (await AskInTimeAsync(backend, path.Study, bypassCache: true, isPrefetch: false, cancellation) is { } failure) return failure;
        return store.GetStudy(path.Study)?.GetList(backend.Name).FindSeries(path.Series) is null
            ? null
            : new(backend.Name, BackendError.BadAnswer, "it lists the series but does not return it");
    }

    /// <summary>True when the backend need not be asked for its series list of a study.</summary>
    public bool IsKnown(BackendOptions backend, Uid study) => IsKnown(store.GetStudy(study)?.GetList(backend.Name), time.GetUtcNow());

    private IReadOnlyList<BackendOptions> FindUnknown(Access access, Study? known)
    {
        var now = time.GetUtcNow();
        return access.Backends.All(b => IsKnown(known?.GetList(b.Name), now))
            ? []
            : [.. access.Backends.Where(b => !IsKnown(known?.GetList(b.Name), now))];
    }

    /// <summary>The absence of a study is fresh only as long as a search result.</summary>
    private bool IsKnown(SeriesList? list, DateTimeOffset now) =>
        list?.IsFresh(list.Series.IsEmpty ? options.Value.Freshness : cache.Value.MetadataFreshness, now) == true;

    private async Task<BackendFailure?> AskInTimeAsync(
        BackendOptions backend, Uid study, bool bypassCache, bool isPrefetch, CancellationToken cancellation)
    {
        var asking = _asking.RunAsync(
            (backend.Name, study), stopped => AskOnceAsync(backend, study, bypassCache, isPrefetch, stopped), cancellation);
        using var waiting = scheduler.BeginForeground(backend.Name, new(study));
        return (await asking).Result.Failure;
    }

    /// <summary>Requests one backend's list of a study and files it.</summary>
    private async Task<SearchAnswer> AskOnceAsync(
        BackendOptions backend, Uid study, bool bypassCache, bool isPrefetch, CancellationToken cancellation)
    {
        // Another request may have completed since the first look-up.
        if (!bypassCache && store.GetStudy(study)?.GetList(backend.Name) is { } known && IsKnown(known, time.GetUtcNow()))
            return new(backend, [], known.ListedAt!.Value);
        using var deadline = new CancellationTokenSource(options.Value.Deadline, time);
        var answer = await search.AskAsync(backend, SearchQuery.ForSeries(study), maxRows: null, deadline.Token, cancellation);
        if (answer.IsUnlisted) answer = answer with { Failure = await FindOutageAsync(backend, study, deadline.Token, cancellation) };
        if (answer.Failure is not null) return answer;
        var gone = answer.IsUnlisted
            ? store.RecordUnlisted(backend.Name, study)
            : store.AddSeriesMetadata(
                backend.Name, study, [.. answer.Rows.Select(row => row.Read())], areAll: !answer.IsCut, madeInClient: isPrefetch);
        foreach (var series in gone) entries.Remove(backend.Name, new SeriesPath(study, series));
        return answer;
    }

    /// <summary>
    /// Searches for the study, to check whether a backend that denied it is out of order. Null when the answer does not list the study,
    /// or lists it and the backend never returned series: it then does not support the search for series.
    /// </summary>
    private async Task<BackendFailure?> FindOutageAsync(
        BackendOptions backend, Uid study, CancellationToken deadline, CancellationToken cancellation)
    {
        var known = store.GetStudy(study)?.GetList(backend.Name);
        // Nothing is stored that a wrong "not found" could remove.
        if (known?.HoldsStudy != true && states.HasAnswered(backend.Name)) return null;
        var row = await FindRowAsync(backend, study, deadline, cancellation);
        if (row.Failure is not null) return row.Failure;
        return row.Rows.Count > 0 && known is { Series.IsEmpty: false }
            ? new(backend.Name, BackendError.BadStatus, "status 404 for the series of a study that it lists", HttpStatusCode.NotFound)
            : null;
    }

    private Task<SearchAnswer> FindRowAsync(
        BackendOptions backend, Uid study, CancellationToken deadline, CancellationToken cancellation) =>
        search.AskAsync(backend, SearchQuery.AllStudies.OnlyStudies([study]), maxRows: 1, deadline, cancellation);

    private async Task WaitBrieflyAsync(
        Access access, Uid study, IEnumerable<Task<BackendFailure?>> asking, CancellationToken cancellation)
    {
        var waiting = asking.ToList();
        Task? grace = null;
        while (waiting.Count > 0)
        {
            var isListed = access.Backends.Any(b => store.GetStudy(study)?.GetList(b.Name).Series.IsEmpty == false);
            if (isListed) grace ??= Task.Delay(GraceTime, time, cancellation);
            var done = await Task.WhenAny(grace is null ? waiting : [.. waiting, grace]);
            if (done == grace) return;
            waiting.Remove((Task<BackendFailure?>)done);
            await done;
        }
    }
}
