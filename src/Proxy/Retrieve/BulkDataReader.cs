using Proxy.Backends;
using Proxy.Cache;
using Proxy.Operations;
using Proxy.Wire;

namespace Proxy.Retrieve;

/// <summary>Reads bulk data: from the cache, else from the backend whose metadata named it.</summary>
/// <remarks>No other backend is asked, because a bulk data path is valid only at the backend that named it.</remarks>
public sealed class BulkDataReader(BodyFetch fetch, BackendScheduler scheduler, EntryCache cache)
{
    /// <summary>Reads bulk data for a client.</summary>
    /// <param name="backend">The backend that named it.</param>
    /// <param name="item">The bulk data item.</param>
    /// <param name="cancellation">Cancelled when the client disconnects; the fetch continues while another client waits.</param>
    /// <returns>Without a body and without failures, the backend does not have it.</returns>
    public async Task<BodyResult> ReadAsync(BackendOptions backend, BulkDataPath item, CancellationToken cancellation)
    {
        var key = GetKey(backend, item);
        if (await cache.FindAsync([new(key)], cancellation) is { } found) return BodyResult.Hit(found.Body, backend.Name);
        var lookup = cache.Get(key, (inFlight, stopped) => fetch.AskBulkDataAsync(backend, item, inFlight, stopped));
        return await BodyResult.WaitAsync(lookup, backend.Name, FetchTarget.ForBulkData(item), scheduler, cancellation);
    }

    /// <summary>True when the item is cached.</summary>
    public ValueTask<bool> IsCachedAsync(BackendOptions backend, BulkDataPath item, CancellationToken cancellation) =>
        cache.HasAsync([new(GetKey(backend, item))], cancellation);

    /// <summary>Fetches bulk data before a client requests it.</summary>
    /// <param name="backend">The backend that named it.</param>
    /// <param name="item">The item, as <see cref="BulkDataPath.TryReadLink"/> reads it from stored metadata.</param>
    /// <param name="cancellation">Cancels the prefetch; the fetch continues when a client has joined it.</param>
    /// <returns>The number of bytes received; missing when the backend does not have it.</returns>
    public async Task<BackendAnswer<long>> PrefetchAsync(BackendOptions backend, BulkDataPath item, CancellationToken cancellation)
    {
        var lookup = cache.Get(
            GetKey(backend, item), (inFlight, stopped) => fetch.AskBulkDataAsync(backend, item, inFlight, stopped), Placement.Prefetched);
        using var result = await BodyResult.WaitAsync(lookup, backend.Name, FetchTarget.ForBulkData(item), scheduler, cancellation);
        if (result.Body is not { } body) return result.Failures.Count > 0 ? new(result.Failures[0]) : new() { IsMissing = true };
        try
        {
            var bytes = 0L;
            for (ReadOnlyMemory<byte> piece; !(piece = await body.ReadAsync(cancellation)).IsEmpty;) bytes += piece.Length;
            return new(bytes);
        }
        catch (TruncatedBodyException)
        {
            return new(new BackendFailure(backend.Name, BackendError.BadAnswer, "the body was truncated"));
        }
    }

    internal static EntryKey GetKey(BackendOptions backend, BulkDataPath item) => new(backend.Name, item.CacheKey, null);
}
