namespace Proxy.Backends.Health;

/// <summary>
/// How many requests to a backend may be sent once more: a fifth of its traffic, and three where there is little. A
/// fixed number of retries for each request would multiply the load of a PACS just when it cannot bear it.
/// </summary>
/// <param name="time">The clock; counting begins anew every ten seconds.</param>
public sealed class RetryBudget(TimeProvider time)
{
    private const int LeastRetries = 3;
    private const int RequestsPerRetry = 5;

    private static readonly TimeSpan Window = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private long _began = time.GetTimestamp();
    private int _requests;
    private int _retries;

    public void CountRequest()
    {
        lock (_lock)
        {
            Roll();
            _requests++;
        }
    }

    /// <summary>Takes one retry out of the budget; false when it is spent.</summary>
    public bool TryTake()
    {
        lock (_lock)
        {
            Roll();
            if (_retries >= Math.Max(LeastRetries, _requests / RequestsPerRetry)) return false;
            _retries++;
            return true;
        }
    }

    private void Roll()
    {
        if (time.GetElapsedTime(_began) < Window) return;
        (_began, _requests, _retries) = (time.GetTimestamp(), 0, 0);
    }
}
