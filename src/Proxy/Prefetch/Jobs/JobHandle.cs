namespace Proxy.Prefetch.Jobs;

/// <summary>The one mutable holder of a job: what it is now, and how it is ended.</summary>
/// <param name="job">As it begins.</param>
/// <param name="number">Of two of one rank the lower goes first.</param>
/// <param name="changed">Hears of every change in its order, before (null for a new job) and after it; must not wait.</param>
public sealed class JobHandle(PrefetchJob job, long number, Action<PrefetchJob?, PrefetchJob, JobHandle> changed)
{
    /// <summary>How long a job waits for a backend that is not asked, and for room.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    /// <summary>How often it looks whether that is over.</summary>
    public static readonly TimeSpan RecheckInterval = TimeSpan.FromSeconds(1);

    /// <summary>How often one that only comes further is told of.</summary>
    private static readonly TimeSpan ToldEvery = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _stop = new();
    private PrefetchJob _job = job;
    private DateTimeOffset _told;

    public PrefetchJob Job => Volatile.Read(ref _job);

    public long Number { get; } = number;

    /// <summary>It is cancelled.</summary>
    public CancellationToken Stopped => _stop.Token;

    /// <summary>Where a viewer looks, for one that reads ahead of him.</summary>
    public ViewportHint Focus { get; } = new();

    /// <summary>Publishes a new job, before anybody else can change it.</summary>
    public void Announce()
    {
        lock (_lock) changed(null, _job, this);
    }

    /// <summary>Changes what it is; one that has ended does not change any more.</summary>
    public bool Update(Func<PrefetchJob, PrefetchJob> change)
    {
        // Told under the lock: changes are told in their order, and the end once.
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

    /// <summary>Says what it waits for.</summary>
    public void Wait(string what) => Update(job => job.Waiting == what ? job : job with { Waiting = what });

    /// <summary>Whether it is to be told of now: it is due, or was not told of for a while.</summary>
    public bool IsToldNow(DateTimeOffset now, bool isDue)
    {
        lock (_lock)
        {
            if (!isDue && now - _told < ToldEvery) return false;
            _told = now;
            return true;
        }
    }

    /// <summary>Cancels the job, whatever it is doing, and aborts its requests.</summary>
    /// <param name="now">The time of the end.</param>
    /// <param name="reason">Why; names no patient and no address.</param>
    /// <returns>False when it had ended before.</returns>
    public bool Cancel(DateTimeOffset now, string reason)
    {
        var isCancelled = Update(job => job with { State = JobState.Cancelled, Ended = now, Waiting = null, CancelledBecause = reason });
        if (isCancelled) _ = _stop.CancelAsync();
        return isCancelled;
    }
}
