using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Security.Cryptography;
using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Events;
using Proxy.Operations;

namespace Proxy.Prefetch.Jobs;

/// <summary>All jobs: those that wait, those that run, and for a while those that have ended.</summary>
/// <remarks>
/// So many wait and no more: another one pushes out whatever would be missed least. Those that read ahead are counted by
/// themselves: whoever opens study after study pushes out nothing else. What is asked for twice is one job.
/// </remarks>
public sealed class JobRegistry(EventLog events, Counters counters, TimeProvider time)
{
    /// <summary>Live ones, besides those that read ahead.</summary>
    public const int MaxLive = 100;

    /// <summary>Live ones that read ahead.</summary>
    public const int MaxReadAhead = 50;

    /// <summary>Those that have ended are listed for so long, and so many of them.</summary>
    private static readonly TimeSpan ListedFor = TimeSpan.FromHours(1);

    private const int MaxEnded = 200;

    private readonly ConcurrentDictionary<string, JobHandle> _jobs = new();
    private readonly Lock _adding = new();
    private long _numbers;
    private long _changes;

    /// <summary>Grows with every change of a job.</summary>
    public long Changes => Interlocked.Read(ref _changes);

    /// <summary>Told of each job that is to be run.</summary>
    public event Action<JobHandle>? Added;

    /// <summary>Told once of each job that has ended, whether it ran or not. A handler must not wait.</summary>
    public event Action<JobHandle>? Ended;

    /// <summary>The newest first.</summary>
    public ImmutableArray<JobHandle> All
    {
        get
        {
            Expire();
            return [.. _jobs.Select(job => job.Value).OrderByDescending(holder => holder.Number)];
        }
    }

    public JobHandle? Find(string id)
    {
        Expire();
        return _jobs.GetValueOrDefault(id);
    }

    /// <summary>Adds a job; one for the same studies that is live already is the job.</summary>
    public JobHandle Add(PrefetchReason reason, PrefetchPriority priority, string root, ImmutableArray<Uid> studies)
    {
        JobHandle holder;
        lock (_adding)
        {
            var live = All.Where(other => other.Job.IsLive).ToList();
            if (live.Find(other => IsSame(other.Job, reason, priority, root, studies)) is { } same) return same;
            var id = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));
            holder = NewHolder(new(id, reason, priority, root, studies, time.GetUtcNow()) { Studies = new(0, studies.Length) });
            holder.Announce();
            _jobs[id] = holder;
            live.RemoveAll(other => (other.Job.Reason == PrefetchReason.ReadAhead) != (reason == PrefetchReason.ReadAhead));
            if (live.Count >= (reason == PrefetchReason.ReadAhead ? MaxReadAhead : MaxLive))
                FindVictim([holder, .. live]).Cancel(time.GetUtcNow(), "too many jobs are waiting, and this one has the lowest priority");
        }
        if (holder.Job.IsLive) Added?.Invoke(holder);
        return holder;
    }

    /// <summary>Takes a job from before this process began; one that had not ended begins again.</summary>
    public void Restore(PrefetchJob job)
    {
        if (job.IsLive)
            job = new(job.Id, job.Reason, job.Priority, job.Root, job.StudyUids, job.Created) { Studies = new(0, job.StudyUids.Length) };
        var holder = _jobs.GetOrAdd(job.Id, _ => NewHolder(job));
        if (job.IsLive) Added?.Invoke(holder);
    }

    /// <summary>Takes a job off the list that was not worth one.</summary>
    public void Remove(string id) => _jobs.TryRemove(id, out _);

    private JobHandle NewHolder(PrefetchJob job) => new(job, Interlocked.Increment(ref _numbers), PublishProgress);

    /// <summary>
    /// What would be missed least: of the lowest rank one that has not begun, and of those the oldest, for what it was for is past.
    /// </summary>
    private static JobHandle FindVictim(IEnumerable<JobHandle> live) =>
        live.OrderByDescending(holder => holder.Job.Priority).ThenBy(holder => holder.Job.State).ThenBy(holder => holder.Number).First();

    private static bool IsSame(
        PrefetchJob job, PrefetchReason reason, PrefetchPriority priority, string root, ImmutableArray<Uid> studies) =>
        job.Reason == reason && job.Priority == priority && job.Root == root && job.StudyUids.SequenceEqual(studies);

    /// <summary>Each change of its state is told, and how far it is once in a while.</summary>
    private void PublishProgress(PrefetchJob? before, PrefetchJob job, JobHandle holder)
    {
        Interlocked.Increment(ref _changes);
        if (!holder.IsToldNow(time.GetUtcNow(), isDue: before?.State != job.State)) return;
        var progress = JobJson.FindProgress(job, time.GetUtcNow());
        var told = new ProxyEvent(ProxyEvent.PrefetchProgress) { Study = job.StudyUids is [var only] ? only : null };
        events.Publish(told.With("job", progress));
        if (job.IsLive) return;
        counters.PrefetchEnded(JobJson.GetName(job.Reason), JobJson.GetName(job.State), job.Bytes.Done);
        Ended?.Invoke(holder);
    }

    private void Expire()
    {
        var now = time.GetUtcNow();
        var ended = _jobs.Values.Where(holder => !holder.Job.IsLive).OrderByDescending(holder => holder.Number).ToList();
        foreach (var (holder, place) in ended.Select((holder, place) => (holder, place)))
        {
            if (place >= MaxEnded || now - holder.Job.Ended >= ListedFor) _jobs.TryRemove(holder.Job.Id, out _);
        }
    }
}
