using System.Collections.Concurrent;
using System.Collections.Immutable;
using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Prefetch.Fetching;
using Proxy.Prefetch.Jobs;
using Proxy.Prefetch.Planning;
using Proxy.Search;
using Proxy.Metadata;

namespace Proxy.Prefetch;

/// <summary>Hears what viewers do, plans what they will want, and runs the jobs.</summary>
/// <remarks>
/// <code>
/// 1 hear     a list was shown, a study is opened, a frame is asked for: noted, and the request goes on
/// 2 plan     the rest of the study, the next of the list, the patient's others
/// 3 run      the jobs, some at a time, the one that would be missed most first
/// </code>
/// </remarks>
public sealed class Prefetcher : BackgroundService
{
    /// <summary>So many run at once, besides those that read ahead; each asks for its turns.</summary>
    private const int MostRunning = 8;

    /// <summary>
    /// What comes after an open study is planned when it has been opened: who only passes through wants nothing behind it.
    /// </summary>
    private static readonly TimeSpan Settled = TimeSpan.FromSeconds(1);

    private readonly PriorityQueue<JobHandle, (PrefetchPriority, long)> _waiting = new();
    private readonly ConcurrentDictionary<(string Root, Uid Study), JobHandle> _readAhead = new();
    private readonly ConcurrentDictionary<Viewer, JobHandle> _next = new();
    private readonly Lock _lock = new();
    private readonly DicomMetadataStore _store;
    private readonly WorkLists _lists;
    private readonly PriorSearch _priors;
    private readonly StudyFetch _fetch;
    private readonly JobRegistry _registry;
    private readonly Reloadable<PrefetchOptions> _options;
    private readonly TimeProvider _time;
    private readonly ILogger<Prefetcher> _log;
    private CancellationToken _stopping;
    private bool _isRunning;
    private int _running;

    public Prefetcher(
        DicomMetadataStore store, WorkLists lists, PriorSearch priors, StudyFetch fetch, JobRegistry registry,
        Reloadable<PrefetchOptions> options, TimeProvider time, ILogger<Prefetcher> log)
    {
        (_store, _lists, _priors, _fetch, _registry, _options, _time, _log) = (store, lists, priors, fetch, registry, options, time, log);
        _registry.Added += Wait;
        _registry.Ended += Forget;
    }

    /// <summary>Jobs that wait until others have ended.</summary>
    public int Waiting
    {
        get
        {
            lock (_lock) return _waiting.Count;
        }
    }

    /// <summary>Whether what viewers do is of interest.</summary>
    public bool FollowsClients => _options.Value.FollowsClients;

    // 1
    /// <summary>A viewer was shown a list of studies.</summary>
    public void NoteListed(Viewer viewer, SearchedStudies shown)
    {
        // Of one patient or one study: that is no work list.
        if (!shown.Query.Matches.ContainsKey(Tag.PatientId.ToString()) && !shown.Query.Matches.ContainsKey(Tag.StudyInstanceUid.ToString()))
            _lists.Add(viewer, shown.Studies);
    }

    /// <summary>A viewer opens a study, or does something in the one that he has opened.</summary>
    public void NoteOpened(Viewer viewer, BackendScope scope, Uid study)
    {
        if (!_lists.Open(viewer, study)) return;
        ReadAhead(scope, study);
        _ = PlanAsync(viewer, scope, study);
    }

    /// <summary>A viewer looks up a study by its UID that he was shown before, as he does just before he opens it.</summary>
    public void NoteSearched(BackendScope scope, Uid study)
    {
        if (_store.GetStudy(study)?.HasHolder == true) ReadAhead(scope, study);
    }

    /// <summary>A viewer asks for a frame.</summary>
    public void NoteFrame(BackendScope scope, FramePath path)
    {
        if (_readAhead.TryGetValue((scope.Name, path.Instance.Study), out var job))
            job.Focus.Set(path.Instance.Series, path.Instance.Instance, path.Frame);
    }

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
    private async Task PlanAsync(Viewer viewer, BackendScope scope, Uid study)
    {
        try
        {
            await Task.Delay(Settled, _time, _stopping);
            if (!_lists.IsOpen(viewer, study)) return;
            var options = _options.Value;
            PlanNext(viewer, scope, PrefetchPlan.NextStudies(_lists.FindList(viewer, study), study, options.NextStudies));
            if (options.Priors == 0) return;
            var priors = await _priors.FindAsync(scope, study, options.Priors, _stopping);
            if (!priors.IsEmpty) _registry.Add(PrefetchReason.Priors, PrefetchPriority.Priors, scope.Name, priors);
        }
        catch (OperationCanceledException)
        {
            // The process ends, or nobody could be asked.
        }
        catch (Exception e)
        {
            _log.PrefetchFailed(e);
        }
    }

    private void PlanNext(Viewer viewer, BackendScope scope, ImmutableArray<Uid> next)
    {
        // What stood behind the study before is past; unless another viewer is there, with the same list.
        if (_next.TryRemove(viewer, out var past) && !past.Job.StudyUids.SequenceEqual(next) && !_next.Values.Contains(past))
            past.Cancel(_time.GetUtcNow(), "another study was opened");
        if (next.IsEmpty) return;
        var job = _next[viewer] = _registry.Add(PrefetchReason.Next, PrefetchPriority.Next, scope.Name, next);
        // It may have been pushed out at once, or have ended just now.
        if (!job.Job.IsLive) _next.TryRemove(new(viewer, job));
    }

    /// <summary>At once: the viewer's next request may be for the first frame.</summary>
    private void ReadAhead(BackendScope scope, Uid study)
    {
        if (!_options.Value.SeriesReadAhead) return;
        var job = _readAhead.GetOrAdd(
            (scope.Name, study), _ => _registry.Add(PrefetchReason.ReadAhead, PrefetchPriority.ReadAhead, scope.Name, [study]));
        // It may have been dropped at once, or have ended just now.
        if (!job.Job.IsLive) _readAhead.TryRemove(new((scope.Name, study), job));
    }

    // 3
    private void Wait(JobHandle job)
    {
        lock (_lock)
        {
            // One that has ended by now was forgotten before it came here.
            if (job.Job.IsLive) _waiting.Enqueue(job, (job.Job.Priority, job.Number));
        }
        StartWaiting();
    }

    /// <summary>A job has ended: no table holds it any longer.</summary>
    private void Forget(JobHandle job)
    {
        lock (_lock) _waiting.Remove(job, out _, out _);
        _readAhead.TryRemove(new((job.Job.Root, job.Job.StudyUids[0]), job));
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
                && (_running < MostRunning || job.Job.Priority == PrefetchPriority.ReadAhead))
            {
                _waiting.Dequeue();
                if (!job.Job.IsLive) continue;
                if (job.Job.Priority != PrefetchPriority.ReadAhead) _running++;
                _ = CurrentPurpose.RunAsync(RequestPurpose.Prefetch, () => RunAsync(job));
            }
        }
    }

    private async Task RunAsync(JobHandle job)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(job.Stopped, _stopping);
        try
        {
            job.Update(j => j with { State = JobState.Running, Started = _time.GetUtcNow() });
            foreach (var study in job.Job.StudyUids)
            {
                await _fetch.RunAsync(job, study, ending.Token);
                job.Update(j => j with { Studies = j.Studies.Add(1) });
            }
            job.Update(j => j with { State = IsLost(j) ? JobState.Failed : JobState.Done, Ended = _time.GetUtcNow(), Waiting = null });
        }
        catch (OperationCanceledException) when (ending.IsCancellationRequested)
        {
            // Cancelled; or the process ends, and the next one begins it again.
        }
        catch (Exception e)
        {
            _log.PrefetchFailed(e);
            job.Update(j => j.With(
                new(j.StudyUids[0], null, "a fault of the proxy")) with
            {
                State = JobState.Failed,
                Ended = _time.GetUtcNow(),
                Waiting = null
            });
        }
        finally
        {
            Leave(job);
        }
    }

    private void Leave(JobHandle job)
    {
        // A study that was kept whole was read ahead of nobody.
        if (job.Job is { Reason: PrefetchReason.ReadAhead, State: JobState.Done, Fetched: 0 }) _registry.Remove(job.Job.Id);
        if (job.Job.Priority == PrefetchPriority.ReadAhead) return;
        lock (_lock) _running--;
        StartWaiting();
    }

    /// <summary>Nothing of any study came.</summary>
    private static bool IsLost(PrefetchJob job) => !job.Errors.IsEmpty && job.Series.Done == 0;
}
