using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Prefetch.Planning;
using Proxy.Retrieve;

namespace Proxy.Prefetch.Fetching;

/// <summary>Fetches the items of a series into the cache: frames, whole instances and bulk data.</summary>
public sealed class ItemFetch(BodyReader bodies, BulkDataReader bulkData, WholeSeries wholeSeries)
{
    /// <summary>True when the item is cached.</summary>
    public ValueTask<bool> IsCachedAsync(BackendOptions backend, SeriesPath path, FetchItem item, CancellationToken cancellation) =>
        item.BulkData is { } bulk
            ? bulkData.IsCachedAsync(backend, bulk, cancellation)
            : bodies.IsCachedAsync(
                backend.Name, new(path.Study, path.Series, item.Instance), item.Frame, isCut: !item.NeedsOwnEntry, cancellation);

    /// <summary>Fetches one item.</summary>
    /// <returns>The number of bytes received; missing when the backend does not have the item.</returns>
    public Task<BackendAnswer<long>> FetchAsync(
        BackendOptions backend, SeriesPath path, FetchItem item, CancellationToken cancellation) =>
        item.BulkData is { } bulk
            ? bulkData.PrefetchAsync(backend, bulk, cancellation)
            : bodies.PrefetchAsync(backend, new(path.Study, path.Series, item.Instance), item.Frame, cancellation);

    /// <summary>Fetches all instances of a series in one request.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="path">The series.</param>
    /// <param name="finished">Called for each instance with its size in bytes.</param>
    /// <param name="cancellation">Cancels the request.</param>
    public Task FetchAllAsync(
        BackendOptions backend, SeriesPath path, Action<Uid, long> finished, CancellationToken cancellation) =>
        wholeSeries.PrefetchAsync(backend, path, finished, cancellation);
}
