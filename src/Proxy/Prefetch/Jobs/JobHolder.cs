using Proxy.Dicom;

namespace Proxy.Prefetch.Jobs;

/// <summary>The one mutable holder of a job: what it is now, and how it is ended.</summary>
/// <param name="job">As it begins.</param>
/// <param name="number">Of two of one rank the lower goes first.</param>
/// <param name="changed">Hears of every change.</param>
public sealed class JobHolder(PrefetchJob job, long number, Action<PrefetchJob, JobHolder> changed)
{
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
    public Focus Focus { get; } = new();

    /// <summary>Changes what it is; one that has ended does not change any more.</summary>
    public bool Update(Func<PrefetchJob, PrefetchJob> change)
    {
        PrefetchJob before;
        lock (_lock)
        {
            before = _job;
            if (!before.IsLive) return false;
            var after = change(before);
            if (ReferenceEquals(before, after)) return true;
            Volatile.Write(ref _job, after);
        }
        changed(before, this);
        return true;
    }

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

    /// <summary>Ends it, whatever it is doing.</summary>
    public bool Cancel(DateTimeOffset now, string? reason = null)
    {
        var isCancelled = Update(job => (reason is null ? job : job.With(new(job.StudyUids[0], null, reason))) with { State = JobState.Cancelled, Ended = now, Waiting = null });
        if (isCancelled) _ = _stop.CancelAsync();
        return isCancelled;
    }
}

/// <summary>Where a viewer looks: the series that he asks most of, and the frame of it that he asked for last.</summary>
public sealed class Focus
{
    private readonly Lock _lock = new();
    private readonly Dictionary<Uid, int> _asked = [];
    private readonly TaskCompletionSource _first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private (Uid Series, Uid Instance, int Frame)? _at;

    /// <summary>He has asked for a frame.</summary>
    public Task First => _first.Task;

    public (Uid Series, Uid Instance, int Frame)? At
    {
        get
        {
            lock (_lock) return _at;
        }
    }

    /// <summary>He asks for a frame. One of a series is a thumbnail; more of it, and it is what he looks at.</summary>
    public void Set(Uid series, Uid instance, int frame)
    {
        lock (_lock)
        {
            var count = _asked[series] = _asked.GetValueOrDefault(series) + 1;
            if (_at is null || count > 1 || _at.Value.Series == series) _at = (series, instance, frame);
        }
        _first.TrySetResult();
    }
}
