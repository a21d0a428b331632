namespace Proxy.Cluster;

/// <summary>Decides whether requests may use the engine: not from a failure until a probe in the background succeeds.</summary>
/// <remarks>
/// A request never probes, so that a frozen engine costs each request at most one time limit. The first probe follows a failure at once;
/// after that they are 1 to 5 s apart. Before the first probe has succeeded, the engine is not used.
/// </remarks>
/// <param name="time">The clock.</param>
internal sealed class EngineHealth(TimeProvider time)
{
    private static readonly TimeSpan MinRest = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MaxRest = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private TimeSpan _rest;
    private long _failures;
    private string? _reason = "not connected yet";
    private DateTimeOffset _probeAt;

    /// <summary>True while requests may use the engine.</summary>
    public bool IsUsable => Reason is null;

    /// <summary>Why requests do not use the engine; null while they do.</summary>
    public string? Reason => Volatile.Read(ref _reason);

    /// <summary>The number of failures so far: look-ups that got no answer in time, and lost connections.</summary>
    public long Failures => Interlocked.Read(ref _failures);

    /// <summary>Raised when the engine is no longer used; with the reason.</summary>
    public event Action<string>? Failed;

    /// <summary>Raised when the engine is used again.</summary>
    public event Action? Recovered;

    /// <summary>True when a probe is due, and always while the engine is used.</summary>
    public bool IsProbeDue
    {
        get
        {
            lock (_lock) return _reason is null || time.GetUtcNow() >= _probeAt;
        }
    }

    /// <summary>Notes a failure of a request: the next probe is due at once.</summary>
    public void Fail(string reason)
    {
        Interlocked.Increment(ref _failures);
        lock (_lock)
        {
            if (_reason is not null) return;
            (_reason, _rest, _probeAt) = (reason, TimeSpan.Zero, time.GetUtcNow());
        }
        Failed?.Invoke(reason);
    }

    /// <summary>Notes a failed probe: the next one is due later.</summary>
    public void FailProbe(string reason)
    {
        Fail(reason);
        lock (_lock)
        {
            _reason = reason;
            _rest = _rest == TimeSpan.Zero ? MinRest : _rest * 2 < MaxRest ? _rest * 2 : MaxRest;
            _probeAt = time.GetUtcNow() + _rest;
        }
    }

    /// <summary>Notes a successful probe.</summary>
    public void Succeed()
    {
        lock (_lock)
        {
            if (_reason is null) return;
            (_reason, _rest) = (null, TimeSpan.Zero);
        }
        Recovered?.Invoke();
    }
}
