using Proxy.Backends;
using Proxy.Cache;
using Proxy.Cache.InMemory;
using Proxy.Dicom;
using Proxy.Retrieve.Checks;
using Proxy.Wire;
using Proxy.Wire.Part10;

namespace Proxy.Retrieve;

/// <summary>Prefetches all instances of a series in one answer: some archives send that many times faster than single frames.</summary>
/// <remarks>Each instance is cached as it arrives, so a truncated answer is not lost. Frames are cut out of the instances.</remarks>
public sealed class WholeSeries(IArchive archive, EntryCache cache, TimeProvider time)
{
    /// <summary>The largest instance that is used; it is read into memory.</summary>
    public const int MaxInstanceBytes = 16 * 1024 * 1024;

    /// <summary>The limit of unwanted parts, such as duplicates; beyond it the answer fails.</summary>
    private const int MaxUnwantedParts = 1000;

    private const int FirstBytes = 64 * 1024;

    /// <summary>As stored, so that the archive need not transcode.</summary>
    private static readonly BodyFormat Format = new(BodyFormat.Dicom, BodyFormat.Any);

    /// <summary>Fetches a series before a client requests it.</summary>
    /// <param name="backend">The owner of the series.</param>
    /// <param name="path">The series.</param>
    /// <param name="isWanted">Whether an instance is wanted and has not arrived; others are skipped.</param>
    /// <param name="received">Called for each cached instance, with its size in bytes.</param>
    /// <param name="cancellation">Cancels the prefetch.</param>
    /// <returns>The number of received instances that frames can be cut out of.</returns>
    public Task<BackendAnswer<int>> PrefetchAsync(
        BackendOptions backend, SeriesPath path, Predicate<Uid> isWanted, Action<Uid, long> received, CancellationToken cancellation)
    {
        var removals = cache.RemovalCount;
        return archive.OpenSeriesAsync(backend, path, RequestedForms.One(Format), ReadAsync, cancellation);

        async Task<int> ReadAsync(ArchiveSeries series, CancellationToken stopped)
        {
            var (count, unwanted) = (0, 0);
            while (await series.ReadNextAsync(stopped))
            {
                if (await ReadEntryAsync(series, stopped) is not { } read) continue;
                var identity = Part10Identity.Read(read.Pieces[0], Tag.SeriesInstanceUid, isAll: true)!;
                if (!isWanted(SeriesCheck.Read(identity, new(path.Study, path.Series)).Instance))
                {
                    if (++unwanted > MaxUnwantedParts) throw new MalformedAnswerException("A series answer has too many parts.");
                    continue;
                }
                // The file's own transfer syntax takes precedence over the answer's headers (PS3.18 §8.7.9).
                var entry = read with { Head = read.Head with { TransferSyntax = identity.TransferSyntaxUid.ToString() } };
                using var body = new MemoryBody(entry);
                if (Part10Reader.FindFrames(entry.Length, body.ReadAt, out _) is not { } frames) continue;
                var instance = new InstancePath(path.Study, path.Series, frames.SopInstanceUid);
                if (!await cache.AddPrefetchedAsync(backend.Name, instance, Format, entry, removals)) continue;
                received(frames.SopInstanceUid, entry.Length);
                count++;
            }
            return count;
        }
    }

    /// <summary>Reads one whole instance; null when it is too large.</summary>
    private async Task<Entry?> ReadEntryAsync(ArchiveSeries series, CancellationToken cancellation)
    {
        if (series.Length > MaxInstanceBytes) return null;
        var bytes = GC.AllocateUninitializedArray<byte>((int)(series.Length ?? FirstBytes) + 1);
        var length = 0;
        for (int count; (count = await series.ReadAsync(bytes.AsMemory(length), cancellation)) > 0;)
        {
            length += count;
            if (length > MaxInstanceBytes) return null;
            if (length == bytes.Length) Array.Resize(ref bytes, bytes.Length * 2);
        }
        if (series.Length is { } declared && declared != length)
            throw new MalformedAnswerException("The length of a part differs from its declared length.");
        Array.Resize(ref bytes, length);
        return new(new(BodyFormat.Dicom, null, length), [bytes], length, time.GetUtcNow());
    }
}
