using Proxy.Identity;

namespace Proxy.Prefetch.Jobs;

/// <summary>The mutable holder of a job: its current state and its cancellation.</summary>
/// <param name="job">The initial state.</param>
/// <param name="number">Within a priority, the lower number goes first.</param>
/// <param name="time">The clock.</param>
/// <param name="changed">Called in order for every change with the states before (null for a new job) and after; must not block.</param>
public sealed class JobHandle(PrefetchJob job, long number, TimeProvider time, Action<PrefetchJob?, PrefetchJob, JobHandle> changed)
{
    /// <summary>The longest wait for an unavailable backend or for free cache space.</summary>
    public static readonly TimeSpan MaxWait = TimeSpan.FromMinutes(5);

    /// <summary>The interval between checks while a job waits.</summary>
    public static readonly TimeSpan RecheckInterval = TimeSpan.FromSeconds(1);

    /// <summary>The interval between progress events of a job whose state does not change.</summary>
    private static readonly TimeSpan PublishInterval = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _stop = new();
    private PrefetchJob _job = job;
    private DateTimeOffset _publishedAt;

    /// <summary>The current state of the job.</summary>
    public PrefetchJob Job => Volatile.Read(ref _job);

    /// <summary>The caller who caused the job, with the credential while the process runs.</summary>
    public Caller Caller { get; init; } = Caller.Anonymous;

    /// <summary>Whether a caller may see and cancel the job: its owner, and operators.</summary>
    public bool IsOf(Caller caller) => caller.Has(Roles.Operator) || caller.Identity == Caller.Identity;

    /// <summary>The order of the job within its priority.</summary>
    public long Number { get; } = number;

    /// <summary>Cancelled when the job is cancelled.</summary>
    public CancellationToken Cancelled => _stop.Token;

    /// <summary>The viewer's position in the study, for read-ahead.</summary>
    public ViewportHint Viewport { get; } = new();

    /// <summary>Publishes a new job before it can change.</summary>
    public void Announce()
    {
        lock (_lock) changed(null, _job, this);
    }

    /// <summary>Changes the job; false when it has ended and cannot change.</summary>
    public bool Update(Func<PrefetchJob, PrefetchJob> change)
    {
        // Notify under the lock, so that changes arrive in order and the end arrives once.
        lock (_lock)
        {
            var before = _job;
            if (!before.IsLive) return false;
            var after = change(before);
            if (ReferenceEquals(before, after)) return true;
            Volatile.Write(ref _job, after);
            changed(before, after, this);
        }
        return true;
    }

    /// <summary>Sets the reason why the job waits.</summary>
    public void SetWaiting(string reason) => Update(job => job.Waiting == reason ? job : job with { Waiting = reason });

    /// <summary>Whether to publish the job now: the change is important, or the last event is more than a second old.</summary>
    public bool ShouldPublish(DateTimeOffset now, bool isDue)
    {
        lock (_lock)
        {
            if (!isDue && now - _publishedAt < PublishInterval) return false;
            _publishedAt = now;
            return true;
        }
    }

    /// <summary>Marks the job as running.</summary>
    public void Begin() => Update(job => job with { State = JobState.Running, Started = time.GetUtcNow() });

    /// <summary>Ends the job.</summary>
    /// <param name="end">Sets its last state.</param>
    /// <returns>False when the job had already ended.</returns>
    public bool End(Func<PrefetchJob, PrefetchJob> end) => Update(job => end(job) with { Ended = time.GetUtcNow(), Waiting = null });

    /// <summary>Cancels the job and its requests.</summary>
    /// <param name="reason">The reason; it names no patient and no address.</param>
    /// <returns>False when the job had already ended.</returns>
    public bool Cancel(string reason)
    {
        var isCancelled = End(job => job with { State = JobState.Cancelled, CancelledBecause = reason });
        if (isCancelled) _ = _stop.CancelAsync();
        return isCancelled;
    }
}
