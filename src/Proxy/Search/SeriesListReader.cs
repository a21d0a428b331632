using System.Collections.Concurrent;
using System.Net;
using Proxy.Backends;
using Proxy.Backends.Health;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Metadata;

namespace Proxy.Search;

/// <summary>What is known of a study's place: its series lists, and the backends that could not say.</summary>
/// <param name="Study">Null when no backend named it.</param>
/// <param name="Failures">Backends whose list is old or was never given.</param>
/// <param name="WasAsked">Whether a backend had to be asked.</param>
public sealed record StudyHolders(Study? Study, IReadOnlyList<BackendFailure> Failures, bool WasAsked)
{
    /// <summary>Every series of the study that a backend of the scope holds, in order of their UIDs.</summary>
    public IReadOnlyList<Uid> SeriesIn(BackendScope scope) =>
        [.. Study?.SeriesLists.Values.Where(list => scope.Has(list.Backend)).SelectMany(list => list.Series.Keys).Distinct().Order()
            ?? Enumerable.Empty<Uid>()];

    public bool HasFailed(string backend) => Failures.Any(f => f.Backend == backend);

    /// <summary>The failures of a series' holders when all of them failed; empty when one answers.</summary>
    public IReadOnlyList<BackendFailure> FindFailedHolders(BackendScope scope, Uid series)
    {
        if (Failures.Count == 0 || Study is null) return [];
        var holders = Study.SeriesLists.Values.Where(list => scope.Has(list.Backend) && list.FindSeries(series) is not null).ToList();
        return holders.TrueForAll(list => HasFailed(list.Backend))
            ? [.. Failures.Where(f => holders.Exists(list => list.Backend == f.Backend))]
            : [];
    }
}

/// <summary>Finds out which backend holds which series of a study: from the store, else by asking all backends at once.</summary>
public sealed class SeriesListReader(
    BackendSearch search, BackendStates states, BackendScheduler scheduler, DicomMetadataStore store, EntryCache entries,
    Reloadable<SearchOptions> options, Reloadable<CacheOptions> cache, TimeProvider time)
{
    /// <summary>When one backend has named the series, how long the others may still take to name theirs.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(1);

    /// <summary>How long what is kept waits to hear that it is still there.</summary>
    private static readonly TimeSpan RevalidationPatience = TimeSpan.FromMilliseconds(250);

    private readonly SingleFlight<(string Backend, Uid Study), SearchAnswer> _asking = new();

    private readonly SingleFlight<(string Scope, Uid Study), StudyHolders> _looking = new();

    /// <summary>Studies that were waited for in vain, while a backend is still being asked: nobody waits for them again.</summary>
    private readonly ConcurrentDictionary<(string Scope, Uid Study), bool> _late = new();

    /// <summary>The series lists of a study in every backend of the scope, each at most as old as metadata may be.</summary>
    /// <param name="scope">Whose lists.</param>
    /// <param name="study">Which study.</param>
    /// <param name="returnEarly">Do not wait for every backend once one has named the study: a picture is waited for.</param>
    /// <param name="bypassCache">Ask although what is kept is fresh.</param>
    /// <param name="cancellation">Ends the asking.</param>
    /// <param name="isAhead">No client asked for them: they fire no event, and no client waits.</param>
    public async Task<StudyHolders> LocateAsync(
        BackendScope scope, Uid study, bool returnEarly, bool bypassCache, CancellationToken cancellation, bool isAhead = false)
    {
        await store.LoadAsync(study, cancellation);
        var known = store.GetStudy(study);
        var unknown = bypassCache ? scope.Backends : FindUnknown(scope, known);
        if (unknown.Count == 0) return new(known, [], WasAsked: false);

        var asking = unknown.ToDictionary(b => b.Name, b => AskInTimeAsync(b, study, bypassCache, isAhead, cancellation));
        if (returnEarly) await WaitBrieflyAsync(scope, study, asking.Values, cancellation);
        else await Task.WhenAll(asking.Values);

        var failures = asking.Select(
            a => a.Value.IsCompleted ? a.Value.Result : new BackendFailure(a.Key, BackendError.TimedOut, "slower than the others"));
        return new(store.GetStudy(study), [.. failures.OfType<BackendFailure>()], WasAsked: true);
    }

    /// <summary>
    /// The study as it is known, for something of it that is kept: holders whose lists are old are asked what they still
    /// have, and only briefly waited for. Null when nothing is known.
    /// </summary>
    public async Task<Study?> RevalidateAsync(BackendScope scope, Uid study, CancellationToken cancellation)
    {
        await store.LoadAsync(study, cancellation);
        var now = time.GetUtcNow();
        var known = store.GetStudy(study);
        if (known is null || scope.Backends.All(b => IsLookedAfter(known.GetList(b.Name)))) return known;
        var key = (scope.Name, study);
        if (_late.ContainsKey(key)) return known;
        var holders = scope with { Backends = [.. scope.Backends.Where(b => !IsLookedAfter(known.GetList(b.Name)))] };
        // It goes on when its client leaves, and when nobody waits: the next one profits.
        var looking = CurrentPurpose.RunAsync(
            RequestPurpose.Revalidation,
            () => _looking.RunAsync(
                key, stopped => LocateAsync(holders, study, returnEarly: false, bypassCache: false, stopped), CancellationToken.None));
        await Task.WhenAny(looking, Task.Delay(RevalidationPatience, time, cancellation));
        cancellation.ThrowIfCancellationRequested();
        if (!looking.IsCompleted && _late.TryAdd(key, true))
            _ = looking.ContinueWith(
                _ => _late.TryRemove(key, out var _), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        return store.GetStudy(study);

        bool IsLookedAfter(SeriesList list) => list.Series.IsEmpty || list.IsFresh(cache.Value.MetadataFreshness, now);
    }

    /// <summary>A backend denied something of a study that its list names: unless the list is quite young, it is asked for anew.</summary>
    /// <returns>Why the backend could not say; null when it could.</returns>
    public async Task<BackendFailure?> DoubtAsync(BackendOptions backend, Uid study, CancellationToken cancellation) =>
        store.GetStudy(study)?.GetList(backend.Name).IsFresh(options.Value.Freshness, time.GetUtcNow()) == true
            ? null
            : await AskInTimeAsync(backend, study, bypassCache: true, isAhead: false, cancellation);

    /// <summary>
    /// Whether a backend that denied a series is out of order: servers answer 404 to everything while they start. The
    /// series is gone only when the backend answers a search and does not list it.
    /// </summary>
    /// <returns>The outage; null when the series is gone.</returns>
    public async Task<BackendFailure?> FindOutageAsync(BackendOptions backend, SeriesPath path, CancellationToken cancellation)
    {
        if (store.GetStudy(path.Study)?.GetList(backend.Name).FindSeries(path.Series) is null)
            return states.HasAnswered(backend.Name)
                ? null
                : (await FindRowAsync(backend, path.Study, CancellationToken.None, cancellation)).Failure;
        if (await AskInTimeAsync(backend, path.Study, bypassCache: true, isAhead: false, cancellation) is { } failure) return failure;
        return store.GetStudy(path.Study)?.GetList(backend.Name).FindSeries(path.Series) is null
            ? null
            : new(backend.Name, BackendError.BadAnswer, "it lists the series and does not give it");
    }

    /// <summary>Whether a backend need not be asked what it has of a study.</summary>
    public bool IsKnown(BackendOptions backend, Uid study) => IsKnown(store.GetStudy(study)?.GetList(backend.Name), time.GetUtcNow());

    private IReadOnlyList<BackendOptions> FindUnknown(BackendScope scope, Study? known)
    {
        var now = time.GetUtcNow();
        return scope.Backends.All(b => IsKnown(known?.GetList(b.Name), now))
            ? []
            : [.. scope.Backends.Where(b => !IsKnown(known?.GetList(b.Name), now))];
    }

    /// <summary>"Not here" is believed as briefly as a search's result.</summary>
    private bool IsKnown(SeriesList? list, DateTimeOffset now) =>
        list?.IsFresh(list.Series.IsEmpty ? options.Value.Freshness : cache.Value.MetadataFreshness, now) == true;

    private async Task<BackendFailure?> AskInTimeAsync(
        BackendOptions backend, Uid study, bool bypassCache, bool isAhead, CancellationToken cancellation)
    {
        var asking = _asking.RunAsync(
            (backend.Name, study), stopped => AskOnceAsync(backend, study, bypassCache, isAhead, stopped), cancellation);
        using var waiting = scheduler.BeginForeground(backend.Name, new(study));
        return (await asking).Result.Failure;
    }

    /// <summary>One backend's list of a study, asked for now and filed.</summary>
    private async Task<SearchAnswer> AskOnceAsync(
        BackendOptions backend, Uid study, bool bypassCache, bool isAhead, CancellationToken cancellation)
    {
        // Between the first look and now another's asking may have come to its end.
        if (!bypassCache && store.GetStudy(study)?.GetList(backend.Name) is { } known && IsKnown(known, time.GetUtcNow()))
            return new(backend, [], known.Asked!.Value);
        using var deadline = new CancellationTokenSource(options.Value.Deadline, time);
        var answer = await search.AskAsync(backend, SearchQuery.ForSeries(study), most: null, deadline.Token, cancellation);
        if (answer.IsUnlisted) answer = answer with { Failure = await FindOutageAsync(backend, study, deadline.Token, cancellation) };
        if (answer.Failure is not null) return answer;
        var gone = answer.IsUnlisted
            ? store.AddUnlisted(backend.Name, study)
            : store.AddSeriesMetadata(
                backend.Name, study, [.. answer.Rows.Select(row => row.Read())], areAll: !answer.IsCut, madeInClient: isAhead);
        foreach (var series in gone) entries.Remove(backend.Name, new SeriesPath(study, series));
        return answer;
    }

    /// <summary>
    /// Whether a backend that denied a study is out of order, by a search for the study: null when it answers that and does
    /// not list the study, or lists it and gave no series before, as one that does not search for series.
    /// </summary>
    private async Task<BackendFailure?> FindOutageAsync(
        BackendOptions backend, Uid study, CancellationToken deadline, CancellationToken cancellation)
    {
        var known = store.GetStudy(study)?.GetList(backend.Name);
        // Nothing can get lost by it.
        if (known?.HoldsStudy != true && states.HasAnswered(backend.Name)) return null;
        var row = await FindRowAsync(backend, study, deadline, cancellation);
        if (row.Failure is not null) return row.Failure;
        return row.Rows.Count > 0 && known is { Series.IsEmpty: false }
            ? new(backend.Name, BackendError.BadStatus, "status 404 for the series of a study that it lists", HttpStatusCode.NotFound)
            : null;
    }

    private Task<SearchAnswer> FindRowAsync(
        BackendOptions backend, Uid study, CancellationToken deadline, CancellationToken cancellation) =>
        search.AskAsync(backend, SearchQuery.AllStudies.OnlyStudies([study]), most: 1, deadline, cancellation);

    private async Task WaitBrieflyAsync(
        BackendScope scope, Uid study, IEnumerable<Task<BackendFailure?>> asking, CancellationToken cancellation)
    {
        var waiting = asking.ToList();
        Task? grace = null;
        while (waiting.Count > 0)
        {
            var isHere = scope.Backends.Any(b => store.GetStudy(study)?.GetList(b.Name).Series.IsEmpty == false);
            if (isHere) grace ??= Task.Delay(Grace, time, cancellation);
            var done = await Task.WhenAny(grace is null ? waiting : [.. waiting, grace]);
            if (done == grace) return;
            waiting.Remove((Task<BackendFailure?>)done);
            await done;
        }
    }
}
