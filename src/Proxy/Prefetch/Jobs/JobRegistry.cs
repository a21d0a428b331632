using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text.Json;
using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Events;
using Proxy.Identity;
using Proxy.Operations;

namespace Proxy.Prefetch.Jobs;

/// <summary>All jobs: queued, running, and for an hour those that have ended.</summary>
/// <remarks>
/// The number of live jobs is limited; a new job over the limit cancels the least important one. Read-ahead has a limit of its
/// own, so a viewer that opens many studies cancels no other jobs. Equal requests share one job.
/// </remarks>
public sealed class JobRegistry(EventLog events, Counters counters, TimeProvider time)
{
    /// <summary>The most live jobs, apart from read-ahead.</summary>
    public const int MaxLive = 100;

    /// <summary>The most live read-ahead jobs.</summary>
    public const int MaxReadAhead = 50;

    /// <summary>The time for which ended jobs stay listed.</summary>
    private static readonly TimeSpan ListedFor = TimeSpan.FromHours(1);

    private const int MaxEnded = 200;

    private readonly ConcurrentDictionary<string, JobHandle> _jobs = new();
    private readonly Lock _adding = new();
    private long _numbers;
    private long _changes;

    /// <summary>The number of changes to jobs; increases with every change.</summary>
    public long Changes => Interlocked.Read(ref _changes);

    /// <summary>Raised for each job to run.</summary>
    public event Action<JobHandle>? Added;

    /// <summary>Raised once for each job that has ended, even if it never ran. A handler must not block.</summary>
    public event Action<JobHandle>? Ended;

    /// <summary>All jobs, newest first.</summary>
    public ImmutableArray<JobHandle> All
    {
        get
        {
            Expire();
            return [.. _jobs.Select(job => job.Value).OrderByDescending(handle => handle.Number)];
        }
    }

    /// <summary>The jobs within an access, newest first: for a user without the role operator, the user's own.</summary>
    public IEnumerable<JobHandle> ReadAll(Access access) => All.Where(handle => IsWithin(access, handle));

    /// <summary>Finds a job by its id; null when the job is unknown or outside the access.</summary>
    public JobHandle? Find(Access access, string id) => Find(id) is { } handle && IsWithin(access, handle) ? handle : null;

    /// <summary>Finds a job by its id; null when the job is unknown.</summary>
    public JobHandle? Find(string id)
    {
        Expire();
        return _jobs.GetValueOrDefault(id);
    }

    /// <summary>Adds a job, or returns the caller's live job with the same reason, priority, root and studies.</summary>
    public JobHandle Add(PrefetchReason reason, PrefetchPriority priority, Access access, ImmutableArray<Uid> studies)
    {
        var (root, caller) = (access.Name, access.Caller);
        JobHandle handle;
        lock (_adding)
        {
            var live = All.Where(other => other.Job.IsLive).ToList();
            var same = live.Find(
                other => other.Caller.Identity == caller.Identity && IsSame(other.Job, reason, priority, root, studies));
            if (same is not null) return same;
            var id = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));
            var job = new PrefetchJob(id, reason, priority, root, studies, time.GetUtcNow())
            {
                Studies = new(0, studies.Length),
                Owner = JobOwner.Create(caller),
            };
            handle = CreateHandle(job, caller);
            handle.Announce();
            _jobs[id] = handle;
            live.RemoveAll(other => (other.Job.Reason == PrefetchReason.ReadAhead) != (reason == PrefetchReason.ReadAhead));
            if (live.Count >= (reason == PrefetchReason.ReadAhead ? MaxReadAhead : MaxLive))
                GetVictim([handle, .. live]).Cancel("too many jobs are waiting, and this one has the lowest priority");
        }
        if (handle.Job.IsLive) Added?.Invoke(handle);
        return handle;
    }

    /// <summary>Adds a job of the previous process; a job that has not ended restarts.</summary>
    public void Restore(PrefetchJob job)
    {
        if (job.IsLive)
        {
            job = new(job.Id, job.Reason, job.Priority, job.Root, job.StudyUids, job.Created)
            {
                Studies = new(0, job.StudyUids.Length),
                Owner = job.Owner,
            };
        }
        var caller = job.Owner?.ToCaller() ?? (job.Reason == PrefetchReason.Rule ? Caller.Proxy : Caller.Anonymous);
        var handle = _jobs.GetOrAdd(job.Id, _ => CreateHandle(job, caller));
        if (job.IsLive) Added?.Invoke(handle);
    }

    /// <summary>Removes a job from the list.</summary>
    public void Remove(string id) => _jobs.TryRemove(id, out _);

    /// <summary>Cancels and forgets the jobs that name one of these studies; all jobs for null.</summary>
    public void Purge(IReadOnlySet<Uid>? studies)
    {
        foreach (var (id, handle) in _jobs)
        {
            if (studies is not null && !handle.Job.StudyUids.Any(studies.Contains)) continue;
            handle.Cancel("a study of the job was purged");
            _jobs.TryRemove(id, out _);
        }
        Interlocked.Increment(ref _changes);
    }

    private JobHandle CreateHandle(PrefetchJob job, Caller caller) =>
        new(job, Interlocked.Increment(ref _numbers), time, PublishProgress) { Caller = caller };

    private static bool IsWithin(Access access, JobHandle handle) => access.Sees(handle.Job.Root) && handle.IsOf(access.Caller);

    /// <summary>The job to cancel: lowest priority, then not started, then oldest.</summary>
    private static JobHandle GetVictim(IEnumerable<JobHandle> live) =>
        live.OrderByDescending(handle => handle.Job.Priority).ThenBy(handle => handle.Job.State).ThenBy(handle => handle.Number).First();

    private static bool IsSame(
        PrefetchJob job, PrefetchReason reason, PrefetchPriority priority, string root, ImmutableArray<Uid> studies) =>
        job.Reason == reason && job.Priority == priority && job.Root == root && job.StudyUids.SequenceEqual(studies);

    /// <summary>Publishes each change of the state, and progress at most once per second.</summary>
    private void PublishProgress(PrefetchJob? before, PrefetchJob job, JobHandle handle)
    {
        Interlocked.Increment(ref _changes);
        if (!handle.ShouldPublish(time.GetUtcNow(), isDue: before?.State != job.State)) return;
        var progress = JsonSerializer.SerializeToElement(
            new JobProgressReport(job, time.GetUtcNow()), JobJson.Default.JobProgressReport);
        var published = new ProxyEvent(ProxyEvent.PrefetchProgress)
        {
            Study = job.StudyUids is [var only] ? only : null,
            Scope = job.Root.Length == 0 ? null : job.Root,
            Owner = handle.Caller.Identity,
        };
        events.Publish(published.With("job", progress));
        if (job.IsLive) return;
        counters.PrefetchJobEnded(JobProgressReport.GetName(job.Reason), JobProgressReport.GetName(job.State), job.Bytes.Done);
        Ended?.Invoke(handle);
    }

    private void Expire()
    {
        var now = time.GetUtcNow();
        var ended = _jobs.Values.Where(handle => !handle.Job.IsLive).OrderByDescending(handle => handle.Number).ToList();
        foreach (var (index, handle) in ended.Index())
        {
            if (index >= MaxEnded || now - handle.Job.Ended >= ListedFor) _jobs.TryRemove(handle.Job.Id, out _);
        }
    }
}
