using Proxy.Backends;
using Proxy.Cache;
using Proxy.Cache.InMemory;
using Proxy.Dicom;
using Proxy.Retrieve.Checks;
using Proxy.Wire;
using Proxy.Wire.Part10;

namespace Proxy.Retrieve;

/// <summary>Fetches all instances of a series in one answer: some archives give that many times faster than frame after frame.</summary>
/// <remarks>Each instance is kept as it comes, so that an answer which breaks off is not lost. Frames are cut out of them.</remarks>
public sealed class WholeSeries(BackendClient client, EntryCache cache, TimeProvider time)
{
    /// <summary>A larger instance is left out: it is fetched frame by frame.</summary>
    private const int MostBytes = 16 * 1024 * 1024;

    private const int FirstBytes = 64 * 1024;

    /// <summary>As stored: the archive has nothing to do for it.</summary>
    private static readonly BodyFormat Format = new(BodyFormat.Dicom, BodyFormat.Any);

    /// <summary>Fetches what no client asked for yet.</summary>
    /// <param name="backend">Whose series it is.</param>
    /// <param name="path">The series.</param>
    /// <param name="came">Told of each instance that is kept, and of its bytes.</param>
    /// <param name="cancellation">Leaves it.</param>
    /// <returns>How many instances came that frames can be cut out of.</returns>
    public Task<BackendAnswer<int>> PrefetchAsync(
        BackendOptions backend, SeriesPath path, Action<Uid, long> came, CancellationToken cancellation)
    {
        var removals = cache.Removals;
        return client.AskAsync(backend, new(path.ToString(), Format.ToAccept()), ReadAsync, cancellation);

        async Task<int> ReadAsync(BackendResponse response, CancellationToken stopped)
        {
            var count = 0;
            using var multipart = response.OpenMultipart();
            while (await multipart.ReadPartAsync(stopped) is { } part)
            {
                if (await ReadEntryAsync(multipart, part, stopped) is not { } read) continue;
                var identity = Part10Identity.Read(read.Pieces[0], Tag.SeriesInstanceUid, isAll: true)!;
                SeriesCheck.Read(identity, path);
                // What the file says goes before what the answer says of it (PS3.18 §8.7.9).
                var entry = read with { Head = read.Head with { TransferSyntax = identity.TransferSyntaxUid.ToString() } };
                using var body = new MemoryBody(entry);
                if (Part10Reader.FindFrames(entry.Length, body.ReadAt, out _) is not { } frames) continue;
                cache.AddPrefetched(backend.Name, new(path.Study, path.Series, frames.SopInstanceUid), Format, entry, removals);
                came(frames.SopInstanceUid, entry.Length);
                count++;
            }
            return count;
        }
    }

    /// <summary>One part, whole, by the delimiter behind it; null when it is too large.</summary>
    private async Task<Entry?> ReadEntryAsync(MultipartReader multipart, MultipartReader.Part part, CancellationToken cancellation)
    {
        if (part.Length > MostBytes) return null;
        var bytes = GC.AllocateUninitializedArray<byte>((int)(part.Length ?? FirstBytes) + 1);
        var length = 0;
        for (int count; (count = await multipart.ReadBodyAsync(bytes.AsMemory(length), cancellation)) > 0;)
        {
            length += count;
            if (length > MostBytes) return null;
            if (length == bytes.Length) Array.Resize(ref bytes, bytes.Length * 2);
        }
        if (part.Length is { } declared && declared != length) throw new MalformedAnswerException("A part is not as long as it says.");
        Array.Resize(ref bytes, length);
        return new(new(BodyFormat.Dicom, part.ContentType?.Find("transfer-syntax"), length), [bytes], length, time.GetUtcNow());
    }
}
