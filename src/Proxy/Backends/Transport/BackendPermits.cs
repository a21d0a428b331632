using System.Collections.Concurrent;
using Proxy.Backends.Health;

namespace Proxy.Backends.Transport;

/// <summary>
/// Limits the concurrent requests to each backend (<see cref="BackendOptions.MaxConcurrentRequests"/>), the proxy's own and the
/// forwarded ones.
/// </summary>
/// <remarks>
/// The wait for a permit counts neither against the backend's timeout nor as its failure. While a backend is overloaded, only a
/// quarter of its permits is granted.
/// </remarks>
public sealed class BackendPermits(BackendSet backends, BackendStates states, TimeProvider time)
{
    /// <summary>The longest wait for a permit; after it the request fails with <see cref="BackendError.Busy"/>.</summary>
    public static readonly TimeSpan MaxWait = TimeSpan.FromSeconds(30);

    /// <summary>Marks a message whose sender holds a permit already, so that the HTTP handler takes none.</summary>
    internal static readonly HttpRequestOptionsKey<bool> PermitHeldKey = new("Proxy.PermitIsHeld");

    /// <summary>The most waiting requests per permit; further requests are refused.</summary>
    private const int MaxWaitingPerPermit = 64;

    private const int OverloadDivisor = 4;
    private const int DefaultPermits = 16;

    private readonly ConcurrentDictionary<string, PermitQueue> _queues = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Waits for one of the backend's permits; disposing the result returns it.</summary>
    /// <param name="backend">The backend's name.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="BackendBusyException">The queue is full, or the wait took longer than <see cref="MaxWait"/>.</exception>
    public async ValueTask<IDisposable> AcquireAsync(string backend, CancellationToken cancellation)
    {
        var queue = _queues.GetOrAdd(backend, static _ => new());
        var (permits, configured) = GetLimits(backend);
        cancellation.ThrowIfCancellationRequested();
        if (queue.TryAcquire(permits) is { } free) return free;
        using var timeout = new CancellationTokenSource(MaxWait, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellation);
        try
        {
            return await queue.AcquireAsync(permits, configured * MaxWaitingPerPermit, either.Token);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new BackendBusyException($"no permit was free within {MaxWait.TotalSeconds:0} s");
        }
    }

    /// <summary>The use of the permits of a backend.</summary>
    /// <param name="InFlight">The requests that hold a permit.</param>
    /// <param name="Waiting">The requests that wait for one.</param>
    /// <param name="Limit">The permits that are granted now.</param>
    public readonly record struct Usage(int InFlight, int Waiting, int Limit);

    /// <summary>The current use of the permits of a backend.</summary>
    public Usage Count(string backend)
    {
        var (held, waiting) = _queues.GetValueOrDefault(backend)?.Count() ?? default;
        return new(held, waiting, GetLimits(backend).Permits);
    }

    private (int Permits, int Configured) GetLimits(string backend)
    {
        var configured = backends.Find(backend)?.MaxConcurrentRequests ?? DefaultPermits;
        return (states.IsOverloaded(backend) ? Math.Max(1, configured / OverloadDivisor) : configured, configured);
    }
}
