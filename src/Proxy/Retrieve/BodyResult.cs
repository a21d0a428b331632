using Proxy.Backends;
using Proxy.Cache;
using Proxy.Metadata;
using Proxy.Operations;

namespace Proxy.Retrieve;

/// <summary>A body for a client, cached or in flight. Without a body and without failures, no backend has it.</summary>
/// <param name="Body">The body, or null.</param>
/// <param name="Status">Where the body came from.</param>
/// <param name="Failures">The backends that failed, when there is no body.</param>
public sealed record BodyResult(IBody? Body, CacheStatus Status, IReadOnlyList<BackendFailure> Failures) : IDisposable
{
    /// <summary>A result without a body.</summary>
    public static BodyResult None(IReadOnlyList<BackendFailure> failures) => new(null, CacheStatus.Miss, failures);

    /// <summary>A result with a cached body.</summary>
    public static BodyResult Hit(ICachedBody body, string backend) => new(body, CacheStatus.Hit, []) { Backend = backend };

    /// <summary>The backend that the body comes from; empty when there is no body.</summary>
    public string Backend { get; private init; } = "";

    /// <summary>Marks the fetch as a foreground request until the client has received the body.</summary>
    private IDisposable? Waiting { get; init; }

    /// <summary>
    /// Waits for the head of the body that a cache look-up found or fetches. A client that disconnects leaves the fetch.
    /// </summary>
    /// <param name="lookup">A cached body, or a reader of a fetch.</param>
    /// <param name="backend">The backend of the body.</param>
    /// <param name="target">What the caller waits for: a client is marked as foreground until it has received the body.</param>
    /// <param name="scheduler">Marks the client.</param>
    /// <param name="cancellation">Cancelled when the client disconnects.</param>
    public static Task<BodyResult> WaitAsync(
        EntryCache.Lookup lookup, string backend, FetchTarget target, BackendScheduler scheduler, CancellationToken cancellation) =>
        // The lookup has joined its fetch, so the scheduler cancels only other prefetches in favour of the client.
        FromLookupAsync(
            lookup, backend, cancellation, lookup.Reader is null ? null : scheduler.BeginForeground(backend, target));

    /// <summary>Like <see cref="WaitAsync"/>, within the foreground request of the caller.</summary>
    /// <param name="lookup">A cached body, or a reader of a fetch.</param>
    /// <param name="backend">The backend of the body.</param>
    /// <param name="cancellation">Cancelled when the client disconnects.</param>
    /// <param name="waiting">Disposed with the result, or immediately when there is no body.</param>
    public static async Task<BodyResult> FromLookupAsync(
        EntryCache.Lookup lookup, string backend, CancellationToken cancellation, IDisposable? waiting = null)
    {
        if (lookup.Cached is { } cached) return Hit(cached, backend);
        var reader = lookup.Reader!;
        try
        {
            var answer = await reader.ReadHeadAsync(cancellation);
            if (answer.IsFound)
                return new(
                    reader, lookup.IsCollapsed ? CacheStatus.Collapsed : CacheStatus.Miss, [])
                { Backend = backend, Waiting = waiting };
            reader.Dispose();
            waiting?.Dispose();
            return None(answer.Failure is { } failure ? [failure] : []);
        }
        catch
        {
            reader.Dispose();
            waiting?.Dispose();
            throw;
        }
    }

    /// <summary>The start of the answer that sends the body.</summary>
    /// <param name="body">The body of this result.</param>
    /// <param name="now">The time of the answer.</param>
    /// <param name="elapsed">The time since the request; null to report none.</param>
    internal CachedAnswer ToAnswer(IBody body, DateTimeOffset now, TimeSpan? elapsed) => new(Status)
    {
        Backend = Backend,
        IsPrefetched = body.IsPrefetched,
        Age = body.Stored is { } stored ? Freshness.GetAge(stored, now) : null,
        BackendTime = body.Stored is null ? elapsed : null,
        CacheTime = body.Stored is null ? null : elapsed,
    };

    /// <summary>Leaves the body, and ends its foreground request.</summary>
    public void Dispose()
    {
        Body?.Dispose();
        Waiting?.Dispose();
    }
}
