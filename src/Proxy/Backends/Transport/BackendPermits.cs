using System.Collections.Concurrent;
using Proxy.Backends.Health;

namespace Proxy.Backends.Transport;

/// <summary>
/// Limits the requests that run at once on each backend (<see cref="BackendOptions.MaxConcurrentRequests"/>), for what the
/// proxy asks itself and for what it forwards.
/// </summary>
/// <remarks>
/// The wait for a permit is the proxy's own: it counts neither as the backend's time-out nor as its failure. While a
/// backend says that it is overloaded a quarter of its permits is given out.
/// </remarks>
public sealed class BackendPermits(BackendSet backends, BackendStates states, TimeProvider time)
{
    /// <summary>The longest wait for a permit. A request that got none by then is <see cref="BackendError.Busy"/>.</summary>
    public static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(30);

    /// <summary>Marks a message whose sender holds its permit: the HTTP handler takes no second one.</summary>
    internal static readonly HttpRequestOptionsKey<bool> IsHeld = new("Proxy.PermitIsHeld");

    /// <summary>How many requests may wait for each that runs, before more are refused.</summary>
    private const int WaitingPerPermit = 64;

    private const int OverloadDivisor = 4;
    private const int DefaultPermits = 16;

    private readonly ConcurrentDictionary<string, PermitQueue> _queues = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Waits for one of the backend's permits; it is given back when it is disposed of.</summary>
    /// <param name="backend">The backend's name.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="BackendBusyException">Too many wait already, or the wait took longer than <see cref="LongestWait"/>.</exception>
    public async ValueTask<IDisposable> AcquireAsync(string backend, CancellationToken cancellation)
    {
        var queue = _queues.GetOrAdd(backend, static _ => new());
        var configured = backends.Find(backend)?.MaxConcurrentRequests ?? DefaultPermits;
        var permits = states.IsOverloaded(backend) ? Math.Max(1, configured / OverloadDivisor) : configured;
        cancellation.ThrowIfCancellationRequested();
        if (queue.TryAcquire(permits) is { } free) return free;
        using var patience = new CancellationTokenSource(LongestWait, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellation);
        try
        {
            return await queue.AcquireAsync(permits, configured * WaitingPerPermit, either.Token);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new BackendBusyException($"its other requests took longer than {LongestWait.TotalSeconds:0} s");
        }
    }
}
