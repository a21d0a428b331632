using Proxy.Dicom;
using Proxy.Operations;

namespace Proxy.Backends;

/// <summary>
/// Shares one request to backends among concurrent callers with the same key, and marks each client as foreground while it waits.
/// </summary>
/// <remarks>
/// The caller joins the request before it is marked: the mark then cancels other prefetches, and not the prefetch that the caller
/// has joined. A caller whose result is ready, and a caller in the background (<see cref="CurrentPurpose"/>), is not marked.
/// </remarks>
/// <typeparam name="TKey">Identifies the request.</typeparam>
/// <typeparam name="T">The result of the request.</typeparam>
public sealed class SharedRequests<TKey, T>(BackendScheduler scheduler) where TKey : notnull
{
    private readonly SingleFlight<TKey, T> _flights = new();

    /// <summary>Joins the running request, or starts it, at one backend.</summary>
    /// <param name="key">Identifies the request.</param>
    /// <param name="backend">The name of the backend.</param>
    /// <param name="target">What the caller waits for; null for a search of all studies.</param>
    /// <param name="work">Sends the request; cancelled when the last caller has left.</param>
    /// <param name="cancellation">Ends the wait of this caller.</param>
    /// <returns>The result, and whether another caller started the request.</returns>
    public async Task<(T Result, bool IsShared)> RunAsync(
        TKey key, string backend, FetchTarget? target, Func<CancellationToken, Task<T>> work, CancellationToken cancellation)
    {
        var running = _flights.RunAsync(key, work, cancellation);
        using var waiting = running.IsCompleted ? null : scheduler.BeginForeground(backend, target);
        return await running;
    }

    /// <summary>Joins the running search, or starts it, at all backends of an access.</summary>
    /// <param name="key">Identifies the search.</param>
    /// <param name="access">The backends.</param>
    /// <param name="study">The study that the search is within; null for none.</param>
    /// <param name="work">Sends the requests; cancelled when the last caller has left.</param>
    /// <param name="cancellation">Ends the wait of this caller.</param>
    /// <returns>The result, and whether another caller started the search.</returns>
    public async Task<(T Result, bool IsShared)> RunAsync(
        TKey key, Access access, Uid? study, Func<CancellationToken, Task<T>> work, CancellationToken cancellation)
    {
        var running = _flights.RunAsync(key, work, cancellation);
        using var waiting = running.IsCompleted ? null : scheduler.BeginForeground(access, study);
        return await running;
    }
}
