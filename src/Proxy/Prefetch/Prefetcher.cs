using System.Collections.Concurrent;
using System.Collections.Immutable;
using Proxy.Backends;
using Proxy.Backends.Queries;
using Proxy.Dicom;
using Proxy.Identity;
using Proxy.Metadata;
using Proxy.Operations;
using Proxy.Operations.Telemetry;
using Proxy.Prefetch.Fetching;
using Proxy.Prefetch.Jobs;
using Proxy.Prefetch.Planning;
using Proxy.Search;

namespace Proxy.Prefetch;

/// <summary>Follows viewer activity, plans the next studies to fetch, and runs the jobs.</summary>
/// <remarks>
/// <code>
/// 1 record   a work list, an opened study, a requested frame; the client request continues at once
/// 2 plan     the rest of the study, the next studies of the list, the patient's prior studies
/// 3 run      a limited number of jobs, highest priority first
/// </code>
/// </remarks>
public sealed class Prefetcher : BackgroundService
{
    /// <summary>The most jobs that run at once, apart from read-ahead; the scheduler limits their requests.</summary>
    private const int MaxRunning = 8;

    /// <summary>The delay before planning the next studies: a viewer that only passes through a study needs none.</summary>
    private static readonly TimeSpan PlanDelay = TimeSpan.FromSeconds(1);

    private readonly PriorityQueue<JobHandle, (PrefetchPriority, long)> _waiting = new();
    private readonly ConcurrentDictionary<(string Root, string Caller, Uid Study), JobHandle> _readAhead = new();
    private readonly ConcurrentDictionary<Viewer, JobHandle> _next = new();
    private readonly Lock _lock = new();
    private readonly DicomMetadataStore _store;
    private readonly WorkLists _lists;
    private readonly PriorSearch _priors;
    private readonly JobFetch _fetch;
    private readonly JobRegistry _registry;
    private readonly Reloadable<PrefetchOptions> _options;
    private readonly ILogger<Prefetcher> _log;
    private CancellationToken _stopping;
    private bool _isRunning;
    private int _running;

    /// <summary>Creates the prefetcher and subscribes it to the registry.</summary>
    public Prefetcher(
        DicomMetadataStore store, WorkLists lists, PriorSearch priors, JobFetch fetch, JobRegistry registry,
        Reloadable<PrefetchOptions> options, ILogger<Prefetcher> log)
    {
        (_store, _lists, _priors, _fetch, _registry, _options, _log) = (store, lists, priors, fetch, registry, options, log);
        _registry.Added += Enqueue;
        _registry.Ended += Remove;
    }

    /// <summary>The number of jobs that wait to run.</summary>
    public int WaitingCount
    {
        get
        {
            lock (_lock) return _waiting.Count;
        }
    }

    /// <summary>Whether client activity triggers prefetching.</summary>
    public bool FollowsClients => _options.Value.FollowsClients;

    // 1
    /// <summary>Records the studies of a search result.</summary>
    public void NoteListed(Viewer viewer, SearchedStudies shown)
    {
        // A search for one patient or one study is no work list.
        if (!shown.Query.Matches.ContainsKey(Tag.PatientId.ToString()) && !shown.Query.Matches.ContainsKey(Tag.StudyInstanceUid.ToString()))
            _lists.Add(viewer, shown.Studies);
    }

    /// <summary>True when a request for this study opens it: the viewer had another one open, or none.</summary>
    public bool IsNew(Viewer viewer, Uid study) => !_lists.IsOpen(viewer, study);

    /// <summary>Whether a job reads ahead of a viewer, which the requested frames direct.</summary>
    public bool ReadsAhead => !_readAhead.IsEmpty;

    /// <summary>Records a request within a study; the first one opens it.</summary>
    /// <param name="viewer">The client.</param>
    /// <param name="access">The backends that the client may use.</param>
    /// <param name="study">The study.</param>
    /// <param name="isWhole">
    /// True for a request for all instances. It caches them itself, and read-ahead beside it would only slow it down.
    /// </param>
    public void NoteOpened(Viewer viewer, Access access, Uid study, bool isWhole)
    {
        if (!_lists.Open(viewer, study)) return;
        if (!isWhole) ReadAhead(access, study);
        _ = PlanAsync(viewer, access, study);
    }

    /// <summary>
    /// Records a search for a study before it is answered. If it is the one with which OHIF opens a study, its series lists and metadata
    /// are requested at the same time: over a slow line each answer that OHIF waits for before the next request costs a round trip.
    /// </summary>
    public void NoteStudyAsked(Access access, SearchQuery query)
    {
        if (PrefetchSearch.FindOpenedByOhif(query) is { } study) ReadAhead(access, study);
    }

    /// <summary>Records a search for a study by its UID; OHIF sends it just before it opens the study.</summary>
    public void NoteSearched(Access access, Uid study)
    {
        if (_store.GetStudy(study)?.HasHolder != true) return;
        ReadAhead(access, study);
        if (_options.Value.SeriesReadAhead) _ = SearchPatientAsync(access, study);
    }

    /// <summary>Records a frame request.</summary>
    public void NoteFrame(Access access, FramePath path)
    {
        if (_readAhead.TryGetValue((access.Name, access.Caller.Identity, path.Instance.Study), out var job))
            job.Viewport.Set(path.Instance.Series, path.Instance.Instance, path.Frame);
    }

    /// <inheritdoc/>
    protected override Task ExecuteAsync(CancellationToken stoppingToken)
    {
        lock (_lock)
        {
            _stopping = stoppingToken;
            _isRunning = true;
        }
        StartWaiting();
        return Task.CompletedTask;
    }

    // 2
    private async Task PlanAsync(Viewer viewer, Access access, Uid study)
    {
        try
        {
            if (!await _lists.IsOpenAfterAsync(viewer, study, PlanDelay, _stopping)) return;
            var options = _options.Value;
            PlanNext(viewer, access, PrefetchPlan.NextStudies(_lists.FindList(viewer, study), study, options.NextStudies));
            if (options.Priors == 0) return;
            var priors = await _priors.FindAsync(access, study, options.Priors, _stopping);
            if (!priors.IsEmpty) _registry.Add(PrefetchReason.Priors, PrefetchPriority.Priors, access, priors);
        }
        catch (OperationCanceledException)
        {
            // The process is stopping, or the search was cancelled.
        }
        catch (Exception e)
        {
            _log.PrefetchFailed(e);
        }
    }

    /// <summary>Searches for the patient's studies at once: OHIF requests them next.</summary>
    private async Task SearchPatientAsync(Access access, Uid study)
    {
        try
        {
            await _priors.FindOfPatientAsync(access, study, PrefetchPriority.ReadAhead, _stopping);
        }
        catch (OperationCanceledException)
        {
            // The process is stopping.
        }
        catch (Exception e)
        {
            _log.PrefetchFailed(e);
        }
    }

    private void PlanNext(Viewer viewer, Access access, ImmutableArray<Uid> next)
    {
        // Cancel the job of the previous study, unless another viewer with the same list shares it.
        if (_next.TryRemove(viewer, out var previous) && !previous.Job.StudyUids.SequenceEqual(next) && !_next.Values.Contains(previous))
            previous.Cancel("another study was opened");
        if (next.IsEmpty) return;
        var job = _next[viewer] = _registry.Add(PrefetchReason.Next, PrefetchPriority.Next, access, next);
        // The job may already have been evicted or have ended.
        if (!job.Job.IsLive) _next.TryRemove(new(viewer, job));
    }

    /// <summary>Starts read-ahead at once: the viewer's next request may be for the first frame.</summary>
    private void ReadAhead(Access access, Uid study)
    {
        if (!_options.Value.SeriesReadAhead) return;
        var key = (access.Name, access.Caller.Identity, study);
        var job = _readAhead.GetOrAdd(key, _ => _registry.Add(PrefetchReason.ReadAhead, PrefetchPriority.ReadAhead, access, [study]));
        // The job may already have been evicted or have ended.
        if (!job.Job.IsLive) _readAhead.TryRemove(new(key, job));
    }

    // 3
    private void Enqueue(JobHandle job)
    {
        _log.PrefetchPlanned(job.Job.Id, JobProgressReport.GetName(job.Job.Reason), job.Job.StudyUids.Length);
        lock (_lock)
        {
            // A job that has ended was already removed.
            if (job.Job.IsLive) _waiting.Enqueue(job, (job.Job.Priority, job.Number));
        }
        StartWaiting();
    }

    /// <summary>Removes a job that has ended from every table.</summary>
    private void Remove(JobHandle job)
    {
        _log.PrefetchEnded(job.Job.Id, JobProgressReport.GetName(job.Job.State), job.Job.Bytes.Done);
        lock (_lock) _waiting.Remove(job, out _, out _);
        _readAhead.TryRemove(new((job.Job.Root, job.Caller.Identity, job.Job.StudyUids[0]), job));
        foreach (var (viewer, next) in _next)
        {
            if (next == job) _next.TryRemove(new(viewer, next));
        }
    }

    private void StartWaiting()
    {
        lock (_lock)
        {
            while (_isRunning && !_stopping.IsCancellationRequested && _waiting.TryPeek(out var job, out _)
                && (_running < MaxRunning || job.Job.Priority == PrefetchPriority.ReadAhead))
            {
                _waiting.Dequeue();
                if (!job.Job.IsLive) continue;
                if (job.Job.Priority != PrefetchPriority.ReadAhead) _running++;
                _ = CurrentPurpose.RunAsync(RequestPurpose.Prefetch, () => CurrentCaller.RunAsync(job.Caller, () => RunAsync(job)));
            }
        }
    }

    private async Task RunAsync(JobHandle job)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(job.Cancelled, _stopping);
        using var span = Spans.StartRoot("prefetch job");
        span?.SetTag("why", job.Job.Reason.ToString());
        try
        {
            job.Begin();
            await _fetch.RunAsync(job, ending.Token);
            job.End(j => j with { State = HasFailed(j) ? JobState.Failed : JobState.Done });
        }
        catch (OperationCanceledException) when (ending.IsCancellationRequested)
        {
            // The job was cancelled, or the process is stopping and the next one restarts the job.
        }
        catch (Exception e)
        {
            _log.PrefetchFailed(e);
            job.End(j => j.With(new(j.StudyUids[0], null, "internal error of the proxy")) with { State = JobState.Failed });
        }
        finally
        {
            Complete(job);
        }
    }

    private void Complete(JobHandle job)
    {
        // Everything was already cached, or a client searched for a study that does not exist: drop the job from the list.
        if (job.Job is { Reason: PrefetchReason.ReadAhead, Fetched: 0 }
            && (job.Job.State == JobState.Done || _store.GetStudy(job.Job.StudyUids[0])?.HasHolder != true))
            _registry.Remove(job.Job.Id);
        if (job.Job.Priority == PrefetchPriority.ReadAhead) return;
        lock (_lock) _running--;
        StartWaiting();
    }

    /// <summary>True when no series of any study was fetched.</summary>
    private static bool HasFailed(PrefetchJob job) => !job.Errors.IsEmpty && job.Series.Done == 0;
}
