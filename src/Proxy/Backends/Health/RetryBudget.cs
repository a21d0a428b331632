namespace Proxy.Backends.Health;

/// <summary>
/// Limits the retries of a backend to a fifth of its requests, but at least three, per window of ten seconds. A fixed number of
/// retries per request would multiply the load of a PACS when it is already failing.
/// </summary>
/// <param name="time">The clock.</param>
public sealed class RetryBudget(TimeProvider time)
{
    private const int MinRetries = 3;
    private const int RequestsPerRetry = 5;

    private static readonly TimeSpan Window = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private long _windowStart = time.GetTimestamp();
    private int _requests;
    private int _retries;

    /// <summary>Counts a request, which adds to the budget.</summary>
    public void CountRequest()
    {
        lock (_lock)
        {
            StartWindowIfDue();
            _requests++;
        }
    }

    /// <summary>Takes one retry from the budget; false when it is spent.</summary>
    public bool TryTake()
    {
        lock (_lock)
        {
            StartWindowIfDue();
            if (_retries >= Math.Max(MinRetries, _requests / RequestsPerRetry)) return false;
            _retries++;
            return true;
        }
    }

    private void StartWindowIfDue()
    {
        if (time.GetElapsedTime(_windowStart) < Window) return;
        (_windowStart, _requests, _retries) = (time.GetTimestamp(), 0, 0);
    }
}
