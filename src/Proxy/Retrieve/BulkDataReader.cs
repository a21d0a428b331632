using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Wire;

namespace Proxy.Retrieve;

/// <summary>Reads bulk data: from the cache, also out of a whole instance, else from the backend whose metadata named it.</summary>
/// <remarks>No other backend is asked, because a bulk data path is valid only at the backend that named it.</remarks>
public sealed class BulkDataReader(
    BodyFetch fetch, BackendScheduler scheduler, EntryCache cache, ValueCutter values, FileBulkData files)
{
    /// <summary>Reads bulk data for a client.</summary>
    /// <param name="backend">The backend that named it.</param>
    /// <param name="item">The bulk data item.</param>
    /// <param name="forms">The forms that the client accepts; at least one.</param>
    /// <param name="cancellation">Cancelled when the client disconnects; the fetch continues while another client waits.</param>
    /// <returns>Without a body and without failures, the backend does not have it.</returns>
    internal async Task<BodyResult> ReadAsync(
        BackendOptions backend, BulkDataPath item, BulkDataForms forms, CancellationToken cancellation)
    {
        if (item.FilePath is not null) return await ReadFileAsync(backend, item, forms, cancellation);
        foreach (var asked in forms.Requests)
        {
            if (await cache.FindAsync([new(GetKey(backend, item, asked))], cancellation) is not { } found) continue;
            if (forms.Choose(found.Body.Head) is not null) return BodyResult.Hit(found.Body, backend.Name);
            found.Body.Dispose();
        }
        if (await values.CutAsync(backend.Name, item, cancellation) is { } cut)
        {
            if (forms.Choose(cut.Head) is not null) return BodyResult.Hit(cut, backend.Name);
            cut.Dispose();
        }
        BodyResult? failed = null;
        foreach (var asked in forms.Requests)
        {
            var result = await AskAsync(backend, item, asked, Placement.MemoryAndDisk, cancellation);
            if (result.Body is { } body)
            {
                if (forms.Choose(body.Head) is not null) return result;
                result.Dispose();
                continue;
            }
            if (result.Failures.Count == 0 || !result.Failures[0].IsAboutTheForm) return result;
            // A named type that is refused says less than octets that are refused.
            if (asked is null) failed = result;
        }
        return failed ?? BodyResult.None(
            [new(backend.Name, BackendError.NotInThisForm, "it does not give this bulk data in an acceptable form")]);
    }

    /// <summary>Reads a value of an instance's own file.</summary>
    private async Task<BodyResult> ReadFileAsync(
        BackendOptions backend, BulkDataPath item, BulkDataForms forms, CancellationToken cancellation)
    {
        var result = await files.ReadAsync(backend, item, cancellation);
        if (result.Body is not { } body || forms.Choose(body.Head) is not null) return result;
        result.Dispose();
        return BodyResult.None([new(backend.Name, BackendError.NotInThisForm, "the file has this bulk data in another form")]);
    }

    /// <summary>True when the item is cached.</summary>
    public ValueTask<bool> IsCachedAsync(BackendOptions backend, BulkDataPath item, CancellationToken cancellation) =>
        cache.HasAsync([new(GetKey(backend, item, asked: null))], cancellation);

    /// <summary>Fetches bulk data before a client requests it.</summary>
    /// <param name="backend">The backend that named it.</param>
    /// <param name="item">The item, as <see cref="BulkDataPath.TryReadLink"/> reads it from stored metadata.</param>
    /// <param name="cancellation">Cancels the prefetch; the fetch continues when a client has joined it.</param>
    /// <returns>The number of bytes received; missing when the backend does not have it.</returns>
    public async Task<BackendAnswer<long>> PrefetchAsync(BackendOptions backend, BulkDataPath item, CancellationToken cancellation)
    {
        using var result = await AskAsync(backend, item, asked: null, Placement.Prefetched, cancellation);
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

    /// <summary>The key of the item in a requested form, or in the archive's choice.</summary>
    internal static EntryKey GetKey(BackendOptions backend, BulkDataPath item, BodyFormat? asked) =>
        new(backend.Name, item.CacheKey, asked);

    private Task<BodyResult> AskAsync(
        BackendOptions backend, BulkDataPath item, BodyFormat? asked, Placement placement, CancellationToken cancellation)
    {
        var lookup = cache.Get(
            GetKey(backend, item, asked),
            (inFlight, stopped) => fetch.AskBulkDataAsync(backend, item, asked, inFlight, stopped), placement);
        return BodyResult.WaitAsync(lookup, backend.Name, FetchTarget.ForBulkData(item), scheduler, cancellation);
    }
}
