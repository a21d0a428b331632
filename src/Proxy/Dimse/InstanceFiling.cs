using Proxy.Backends;
using Proxy.Cache;
using Proxy.Cache.InMemory;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Wire;
using Proxy.Wire.Part10;

namespace Proxy.Dimse;

/// <summary>Files retrieved instances in the cache, out of which frames and bulk data are cut, and reads their datasets.</summary>
/// <remarks>
/// A file up to 16 MiB is received in memory; a larger one goes into an in-flight body and from there to disk, so that the memory of a
/// retrieval does not depend on the size of an instance.
/// </remarks>
/// <param name="cache">Receives the files.</param>
/// <param name="time">The clock.</param>
internal sealed class InstanceFiling(EntryCache cache, TimeProvider time)
{
    /// <summary>The largest file that is received in memory, in bytes.</summary>
    public const int HeldBytes = 16 * 1024 * 1024;

    /// <summary>Why an instance is not available although it could be retrieved.</summary>
    public const string NoRoom = "the cache has no room for the instance (Cache:Disk:Path, Cache:Memory:MaxBytes)";

    private const int FirstBytes = 1024 * 1024;

    /// <summary>The form of the entries: a file as stored.</summary>
    private static readonly BodyFormat Format = new(BodyFormat.Dicom, BodyFormat.Any);

    /// <summary>The number of removals so far: a retrieval files no instance that a later removal selects.</summary>
    public int Removals => cache.RemovalCount;

    /// <summary>The file of an instance in the cache; null when it is not there.</summary>
    public async ValueTask<ICachedBody?> FindAsync(string backend, InstancePath path, CancellationToken cancellation) =>
        await cache.FindAsync([new(GetKey(backend, path))], cancellation) is var (_, body) ? body : null;

    /// <summary>True when the file of an instance is in the cache.</summary>
    public ValueTask<bool> HasAsync(string backend, InstancePath path, CancellationToken cancellation) =>
        cache.HasAsync([new(GetKey(backend, path))], cancellation);

    /// <summary>Reads the current instance of a retrieval to its end, and files it.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="path">The instance.</param>
    /// <param name="series">The retrieval, at the instance.</param>
    /// <param name="removals">The value of <see cref="Removals"/> before the retrieval.</param>
    /// <param name="cancellation">Cancels the retrieval.</param>
    /// <returns>The file; null when it is too large for memory and the cache has no room for it.</returns>
    public async Task<ICachedBody?> ReceiveAsync(
        BackendOptions backend, InstancePath path, ArrivingSeries series, int removals, CancellationToken cancellation)
    {
        var head = new EntryHead(BodyFormat.Dicom, series.Current!.TransferSyntax, Length: null);
        var bytes = GC.AllocateUninitializedArray<byte>(FirstBytes);
        for (var length = 0; ;)
        {
            var count = await series.ReadAsync(bytes.AsMemory(length), cancellation);
            length += count;
            if (count == 0)
            {
                var entry = new Entry(head with { Length = length }, [bytes.AsMemory(0, length).ToArray()], length, time.GetUtcNow());
                await cache.AddPrefetchedAsync(backend.Name, path, Format, entry, removals);
                return new MemoryBody(entry);
            }
            if (length < bytes.Length) continue;
            if (length >= HeldBytes) return await ReceiveLargeAsync(GetKey(backend.Name, path), head, bytes, series, cancellation);
            Array.Resize(ref bytes, 2 * length);
        }
    }

    /// <summary>Reads the dataset of a file as metadata; null when it is not a dataset of this instance.</summary>
    public static async ValueTask<Part10Dataset?> ReadDatasetAsync(
        string backend, InstancePath path, ICachedBody body, CancellationToken cancellation)
    {
        return await body.InspectAsync(Read, cancellation);

        Part10Dataset? Read(ReadAt readAt)
        {
            try
            {
                var dataset = Part10DatasetReader.Read(body.Length, readAt, FileMetadataReader.GetLinks(backend, path));
                return dataset.Path == path ? dataset : null;
            }
            catch (MalformedAnswerException)
            {
                return null;
            }
        }
    }

    private static EntryKey GetKey(string backend, InstancePath path) => new(backend, path.ToString(), Format);

    private async Task<ICachedBody?> ReceiveLargeAsync(
        EntryKey key, EntryHead head, ReadOnlyMemory<byte> start, ArrivingSeries series, CancellationToken cancellation)
    {
        var lookup = cache.Get(key, CopyAsync, Placement.Prefetched);
        lookup.Cached?.Dispose();
        if (lookup.Reader is { } reader)
        {
            using (reader)
            {
                try
                {
                    // Past the end, so that this reader holds up no window; it waits until the body is complete.
                    await reader.MoveToAsync(long.MaxValue, cancellation);
                    await reader.ReadAsync(cancellation);
                    await reader.Ended.WaitAsync(cancellation);
                }
                catch (TruncatedBodyException)
                {
                    return null;
                }
            }
        }
        return (await cache.FindAsync([new(key)], cancellation))?.Body;

        async Task<BackendAnswer<EntryHead>> CopyAsync(InFlightBody body, CancellationToken stopped)
        {
            body.Begin(head);
            await body.WriteAsync(start, stopped);
            body.Open();
            var length = (long)start.Length;
            for (int count; (count = await series.ReadAsync(await body.GetBufferAsync(stopped), stopped)) > 0; length += count)
                body.Commit(count);
            return new(head with { Length = length });
        }
    }
}
