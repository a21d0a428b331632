using System.Collections.Concurrent;
using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Metadata;
using Proxy.Operations;

namespace Proxy.Locating;

/// <summary>A backend that may be asked for a series.</summary>
/// <param name="Backend">The backend.</param>
/// <param name="List">What it said about the study; it need not name the series.</param>
public readonly record struct Candidate(BackendOptions Backend, SeriesList List);

/// <summary>
/// Finds the backends that hold each series of a study: from the store, else by asking all backends in parallel. <see cref="OwnerRule"/>
/// decides which of them serves a series.
/// </summary>
public sealed class SeriesLocator(
    SeriesListReader lists, OwnerRule rule, BackendSet backends, DicomMetadataStore store, SeriesListTiming timing, TimeProvider time)
{
    /// <summary>After one backend has listed the series, how long the others may take.</summary>
    private static readonly TimeSpan GraceTime = TimeSpan.FromSeconds(1);

    /// <summary>How long a request for a cached entry waits for the revalidation of its study.</summary>
    private static readonly TimeSpan MaxRevalidationWait = TimeSpan.FromMilliseconds(250);

    private readonly SingleFlight<(string Scope, Uid Study), StudyHolders> _revalidations = new();

    /// <summary>Studies whose revalidation exceeded the wait and is still running; further requests do not wait for it.</summary>
    private readonly ConcurrentDictionary<(string Scope, Uid Study), bool> _late = new();

    /// <summary>The series lists of a study in all backends that the client may use, each as fresh as metadata must be.</summary>
    /// <param name="access">The backends to ask.</param>
    /// <param name="study">The study.</param>
    /// <param name="purpose">Whether fresh stored lists are sufficient, and whether new series raise events.</param>
    /// <param name="cancellation">Cancels the requests.</param>
    public async Task<StudyHolders> LocateAsync(Access access, Uid study, ReadPurpose purpose, CancellationToken cancellation)
    {
        using var lease = await store.LeaseAsync(study, cancellation);
        var asking = AskUnknown(access, study, purpose, cancellation);
        await Task.WhenAll(asking.Values);
        return GetAnswered(study, asking);
    }

    /// <summary>
    /// <see cref="LocateAsync"/> that returns shortly after one backend has listed what is sought, because a viewer waits for pixels. The
    /// other backends count as failed. As long as none has listed it, a slow backend may be its only holder.
    /// </summary>
    /// <param name="access">The backends to ask.</param>
    /// <param name="study">The study.</param>
    /// <param name="series">The series that is sought; null for any series of the study.</param>
    /// <param name="purpose">Whether fresh stored lists are sufficient, and whether new series raise events.</param>
    /// <param name="cancellation">Cancels the requests.</param>
    public async Task<StudyHolders> LocateEarlyAsync(
        Access access, Uid study, Uid? series, ReadPurpose purpose, CancellationToken cancellation)
    {
        using var lease = await store.LeaseAsync(study, cancellation);
        var asking = AskUnknown(access, study, purpose, cancellation);
        await WaitBrieflyAsync(() => IsListed(access, study, series, asking), asking.Values, cancellation);
        return GetAnswered(study, asking);
    }

    /// <summary>
    /// The stored study, for a request for one of its cached entries: holders with old lists are asked again, with only a short wait.
    /// Null when the study is not known.
    /// </summary>
    public async Task<Study?> RevalidateAsync(Access access, Uid study, CancellationToken cancellation)
    {
        using var lease = await store.LeaseAsync(study, cancellation);
        var known = store.GetStudy(study);
        if (known is null || access.Backends.All(b => timing.IsConfirmed(known.GetList(b.Name)))) return known;
        var key = (access.Scope, study);
        if (_late.ContainsKey(key)) return known;
        var holders = access with { Backends = [.. access.Backends.Where(b => !timing.IsConfirmed(known.GetList(b.Name)))] };
        // The revalidation is not cancelled with the client: the next request uses its result.
        var revalidation = CurrentPurpose.RunAsync(
            RequestPurpose.Revalidation,
            () => _revalidations.RunAsync(
                key, stopped => LocateAsync(holders, study, ReadPurpose.Client, stopped), CancellationToken.None));
        await Task.WhenAny(revalidation, Task.Delay(MaxRevalidationWait, time, cancellation));
        cancellation.ThrowIfCancellationRequested();
        if (!revalidation.IsCompleted && _late.TryAdd(key, true))
            _ = revalidation.ContinueWith(
                _ => _late.TryRemove(key, out var _), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        return store.GetStudy(study);
    }

    /// <summary>Asks for a backend's series list again after it denied an object in its list, unless the list is recent.</summary>
    /// <returns>The failure of that request; null when it succeeded or was not needed.</returns>
    public async Task<BackendFailure?> RecheckAsync(BackendOptions backend, Uid study, CancellationToken cancellation) =>
        store.GetStudy(study)?.GetList(backend.Name) is { } list && timing.IsRecent(list)
            ? null
            : await lists.ReadAsync(backend, study, ReadPurpose.Reload, cancellation);

    /// <summary>
    /// Checks whether a backend that denied a series is out of order. The series was removed only if the backend answers a search without
    /// listing it.
    /// </summary>
    /// <returns>The outage; null when the series was removed.</returns>
    public async Task<BackendFailure?> FindOutageAsync(BackendOptions backend, SeriesPath path, CancellationToken cancellation)
    {
        if (!IsListed()) return await lists.CheckAnswersAsync(backend, path.Study, cancellation);
        if (await lists.ReadAsync(backend, path.Study, ReadPurpose.Reload, cancellation) is { } failure) return failure;
        return IsListed() ? new(backend.Name, BackendError.BadAnswer, "it lists the series but does not return it") : null;

        bool IsListed() => store.GetStudy(path.Study)?.GetList(backend.Name).FindSeries(path.Series) is not null;
    }

    /// <summary>True when the backend need not be asked for its series list of a study.</summary>
    public bool IsKnown(BackendOptions backend, Uid study) => timing.IsKnown(store.GetStudy(study)?.GetList(backend.Name));

    /// <summary>True when the metadata of a series of the study is in the store: its instances may be cached.</summary>
    public bool HasMetadata(Uid study) =>
        store.GetStudy(study)?.SeriesLists.Values.Any(list => list.Series.Values.Any(series => series.Metadata is not null)) == true;

    /// <inheritdoc cref="OwnerRule.GetHolders"/>
    public IEnumerable<SeriesList> GetHolders(Study? study, Access access, Uid series) => rule.GetHolders(study, access, series);

    /// <summary>The configured backends among those of <see cref="OwnerRule.GetCandidates"/>, the new owner first.</summary>
    public IEnumerable<Candidate> GetCandidates(StudyHolders places, Access access, Uid series)
    {
        foreach (var list in rule.GetCandidates(places, access, series))
        {
            if (backends.Find(list.Backend) is { } backend) yield return new(backend, list);
        }
    }

    /// <summary>
    /// Binds a series to the backend that gave it. The root of a single backend, and a caller who does not see all, say nothing about the
    /// others.
    /// </summary>
    public void SetOwner(Access access, string backend, SeriesPath path)
    {
        if (access is { IsAll: true, IsNarrowed: false }) store.SetOwner(backend, path);
    }

    /// <summary>Asks the backends whose list is not known.</summary>
    private Dictionary<string, Task<BackendFailure?>> AskUnknown(
        Access access, Uid study, ReadPurpose purpose, CancellationToken cancellation)
    {
        var known = store.GetStudy(study);
        var asking = new Dictionary<string, Task<BackendFailure?>>();
        foreach (var backend in access.Backends)
        {
            if (purpose == ReadPurpose.Reload || !timing.IsKnown(known?.GetList(backend.Name)))
                asking.Add(backend.Name, lists.ReadAsync(backend, study, purpose, cancellation));
        }
        return asking;
    }

    private StudyHolders GetAnswered(Uid study, Dictionary<string, Task<BackendFailure?>> asking)
    {
        var failures = asking.Select(
            a => a.Value.IsCompleted ? a.Value.Result : new BackendFailure(a.Key, BackendError.TimedOut, "slower than the others"));
        return new(store.GetStudy(study), [.. failures.OfType<BackendFailure>()], WasAsked: asking.Count > 0);
    }

    /// <summary>
    /// True when a backend lists the series, or any of the study. The old list of a backend that is still asked is no answer.
    /// </summary>
    private bool IsListed(Access access, Uid study, Uid? series, Dictionary<string, Task<BackendFailure?>> asking)
    {
        var known = store.GetStudy(study);
        return access.Backends.Any(b => known?.GetList(b.Name) is { } list
            && (series is { } uid ? list.FindSeries(uid) is not null && HasAnswered(b.Name) : !list.Series.IsEmpty));

        bool HasAnswered(string backend) =>
            !asking.TryGetValue(backend, out var answer) || answer is { IsCompletedSuccessfully: true, Result: null };
    }

    private async Task WaitBrieflyAsync(
        Func<bool> isListed, IEnumerable<Task<BackendFailure?>> asking, CancellationToken cancellation)
    {
        var waiting = asking.ToList();
        Task? grace = null;
        while (waiting.Count > 0)
        {
            if (isListed()) grace ??= Task.Delay(GraceTime, time, cancellation);
            var done = await Task.WhenAny(grace is null ? waiting : [.. waiting, grace]);
            if (done == grace) return;
            waiting.Remove((Task<BackendFailure?>)done);
            await done;
        }
    }
}
