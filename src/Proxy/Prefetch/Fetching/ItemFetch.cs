using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Prefetch.Planning;
using Proxy.Retrieve;

namespace Proxy.Prefetch.Fetching;

/// <summary>Fetches the items of a series into the cache: frames, whole instances and bulk data.</summary>
/// <remarks>The frames are transcoded for every client, because the one that will request them is not known.</remarks>
public sealed class ItemFetch(
    BodyReader bodies, BulkDataReader bulkData, WholeSeries wholeSeries, TranscodedFrames transcoded, Reloadable<RetrieveOptions> options)
{
    /// <summary>True when the item is cached.</summary>
    public ValueTask<bool> IsCachedAsync(BackendOptions backend, SeriesPath path, FetchItem item, CancellationToken cancellation) =>
        item.BulkData is { } bulk
            ? bulkData.IsCachedAsync(backend, bulk, cancellation)
            : bodies.IsCachedAsync(
                backend.Name, new(path.Study, path.Series, item.Instance), item.Frame, isCut: !item.NeedsOwnEntry, cancellation);

    /// <summary>Fetches one item.</summary>
    /// <returns>The number of bytes received; missing when the backend does not have the item.</returns>
    public async Task<BackendAnswer<long>> FetchAsync(
        BackendOptions backend, SeriesPath path, FetchItem item, CancellationToken cancellation)
    {
        if (item.BulkData is { } bulk) return await bulkData.PrefetchAsync(backend, bulk, cancellation);
        var instance = new InstancePath(path.Study, path.Series, item.Instance);
        var answer = await bodies.PrefetchAsync(backend, instance, item.Frame, cancellation);
        if (answer.IsFound && item.Frame is { } frame) Transcode(backend, instance, frame);
        return answer;
    }

    /// <summary>Fetches an instance as stored, so that its frames can be cut out of it.</summary>
    /// <returns>The number of bytes received; missing when the backend does not have the instance.</returns>
    public Task<BackendAnswer<long>> FetchFileAsync(
        BackendOptions backend, SeriesPath path, Uid instance, CancellationToken cancellation) =>
        bodies.PrefetchFileAsync(backend, new(path.Study, path.Series, instance), cancellation);

    /// <summary>Transcodes a frame that was cut out of its instance.</summary>
    public void Transcode(BackendOptions backend, SeriesPath path, FetchItem item) =>
        Transcode(backend, new(path.Study, path.Series, item.Instance), item.Frame ?? 1);

    /// <summary>Fetches all instances of a series in one request.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="path">The series.</param>
    /// <param name="isWanted">Whether an instance is wanted and has not arrived; others are skipped.</param>
    /// <param name="finished">Called for each instance with its size in bytes.</param>
    /// <param name="cancellation">Cancels the request.</param>
    /// <returns>The number of instances that frames can be cut out of.</returns>
    public Task<BackendAnswer<int>> FetchAllAsync(
        BackendOptions backend, SeriesPath path, Predicate<Uid> isWanted, Action<Uid, long> finished, CancellationToken cancellation) =>
        wholeSeries.PrefetchAsync(
            backend, path, isWanted,
            (instance, bytes) =>
            {
                Transcode(backend, new(path.Study, path.Series, instance), frame: 1);
                finished(instance, bytes);
            },
            cancellation);

    private void Transcode(BackendOptions backend, InstancePath instance, int frame)
    {
        if (options.Value.Transcoded is { } form) transcoded.EnqueuePrefetched(new(backend.Name, new(instance, frame), form));
    }
}
