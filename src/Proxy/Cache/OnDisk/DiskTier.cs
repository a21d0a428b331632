using System.Buffers;
using System.Collections.Concurrent;
using System.IO.Hashing;
using Proxy.Cache.InMemory;
using Proxy.Disk;
using Proxy.Operations;

namespace Proxy.Cache.OnDisk;

/// <summary>What is kept on disk: found by the hash of its key, proved before its first byte leaves.</summary>
/// <remarks>
/// Looks need no index: a file is there, or it is not. A file that is not what it should be is deleted, counted, and a miss.
/// </remarks>
/// <param name="folder">Where it lies.</param>
/// <param name="writer">Who changes anything there.</param>
/// <param name="identityOf">Under which name what a backend gave is kept; null for one that is not configured.</param>
/// <param name="inFlight">Where bodies are counted that are read into memory at once.</param>
/// <param name="time">The clock.</param>
/// <param name="counters">Where damage is counted.</param>
/// <param name="log">Where damage is told.</param>
public sealed class DiskTier(
    CacheFolder folder, DiskWriter writer, Func<string, string?> identityOf, InFlightBytes inFlight, TimeProvider time, Counters counters,
    ILogger<DiskTier> log)
{
    /// <summary>Up to here a file is read at once and proved; a larger one is read as it leaves.</summary>
    private const int AtOnceBytes = 1024 * 1024;

    /// <summary>Pieces that the pool gives out without making arrays that live for ever.</summary>
    private const int PieceBytes = 64 * 1024;

    /// <summary>
    /// Up to here a file is proved before its first byte leaves; a larger one while it does, and its client's connection breaks at the end.
    /// </summary>
    private const long ProvedFirstBytes = 64L << 20;

    /// <summary>So many files are known to have been proved.</summary>
    private const int MaxProved = 10_000;

    private static readonly object Yes = new();

    private static readonly TimeSpan ProvedFor = TimeSpan.FromMinutes(10);

    /// <summary>Large files that were proved a short while ago: one that gives frame after frame is not read whole for each.</summary>
    private readonly ConcurrentDictionary<EntryKey, (DateTime Written, DateTimeOffset Proved)> _proved = new();
    private long _damaged;

    /// <summary>
    /// Decides by its first bytes whether an entry can be what its key says: one that was stored before answers were checked may
    /// not be. Null: all are.
    /// </summary>
    public Func<EntryKey, ICachedBody, bool>? IsSound { get; init; }

    public bool CanWrite => folder.State.CanWrite;

    public FolderState State => folder.State;

    public DiskWriter Writer => writer;

    /// <summary>Files so far that were not what they should be.</summary>
    public long Damaged => Interlocked.Read(ref _damaged);

    /// <summary>By backend.</summary>
    public CacheStatistics Tallies { get; } = new();

    /// <summary>The first of these that is here.</summary>
    /// <param name="wanted">All of one backend.</param>
    /// <param name="cancellation">The client leaves.</param>
    public async ValueTask<(
        EntryKey Key, ICachedBody Body)?> FindAsync(IReadOnlyList<AcceptableEntry> wanted, CancellationToken cancellation)
    {
        if (!folder.State.CanRead || identityOf(wanted[0].Key.Backend) is not { } identity) return null;
        var places = new List<(AcceptableEntry Wanted, EntryKey Kept)>(wanted.Count);
        foreach (var candidate in wanted)
        {
            var kept = candidate.Key with { Backend = identity };
            if (writer.Queue.IsGoing(kept)) continue;
            if (writer.Queue.Find(kept) is { } queued && candidate.IsMetBy(queued.Head))
            {
                Tallies.Count(candidate.Key.Backend, isHit: true);
                if (queued.IsPrefetched) writer.Use(kept);
                return (candidate.Key, new MemoryBody(queued));
            }
            places.Add((candidate, kept));
        }
        var found = places.Count == 0 ? null : await folder.RunAsync(() => OpenFirst(places), cancellation);
        if (found?.Body is FileBody file && !await IsProvedOrDisposedAsync(file, found, cancellation)) found = null;
        Tallies.Count(wanted[0].Key.Backend, isHit: found is not null);
        return found is null ? null : (found.Key, found.Body);
    }

    /// <summary>Whether one of these is here, as far as a look at its head tells. Nothing is used, counted or proved.</summary>
    /// <param name="wanted">All of one backend.</param>
    /// <param name="cancellation">Who asks leaves.</param>
    public async ValueTask<bool> HasAsync(IReadOnlyList<AcceptableEntry> wanted, CancellationToken cancellation)
    {
        if (!folder.State.CanRead || identityOf(wanted[0].Key.Backend) is not { } identity) return false;
        var places = wanted.Select(candidate => candidate with { Key = candidate.Key with { Backend = identity } })
            .Where(place => !writer.Queue.IsGoing(place.Key)).ToList();
        if (places.Exists(place => writer.Queue.Find(place.Key) is { } queued && place.IsMetBy(queued.Head))) return true;
        return places.Count > 0
            && await folder.RunAsync(() => places.Find(IsThere) is { Key: not null } ? Yes : null, cancellation) is not null;
    }

    /// <summary>Notes that somebody uses what is kept here too.</summary>
    public void Use(EntryKey key)
    {
        if (identityOf(key.Backend) is { } identity) writer.Use(key with { Backend = identity });
    }

    /// <summary>
    /// Whether so many bytes that are fetched ahead would be kept, and nothing leave for them that was used not long ago.
    /// </summary>
    public bool HasRoomForPrefetched(long bytes) => folder.State.CanWrite && writer.HasRoomForPrefetched(bytes);

    /// <summary>Keeps a body that is whole, some time soon.</summary>
    public void Add(EntryKey key, Entry entry)
    {
        if (identityOf(key.Backend) is { } identity) writer.Add(key with { Backend = identity }, entry);
    }

    /// <summary>Begins a body that is too large for memory; null when it cannot be kept.</summary>
    public Task<Spool?> BeginAsync(EntryKey key, EntryHead head) =>
        identityOf(key.Backend) is { } identity && !(head.Length > writer.MaxBytes / 4)
            ? Spool.BeginAsync(folder, writer, key with { Backend = identity }, head)
            : Task.FromResult<Spool?>(null);

    /// <summary>Keeps a large body that is whole.</summary>
    /// <param name="spool">The body.</param>
    /// <param name="isAhead">Whether it was fetched ahead and nobody has asked for it by now.</param>
    public Task<bool> AddAsync(Spool spool, Func<bool> isAhead) => writer.Queue.AddAsync(spool, isAhead);

    /// <summary>From now on it is not found; true when no trace is left on disk.</summary>
    public Task<bool> RemoveAsync(Removal removal)
    {
        if (!folder.IsConfigured) return Task.FromResult(true);
        if (removal.Backend is null) return writer.Queue.RemoveAsync(removal);
        if (removal.Study is not null)
            return identityOf(removal.Backend) is { } identity
                ? writer.Queue.RemoveAsync(removal with { Backend = identity })
                : Task.FromResult(true);
        // One that is configured no more, or otherwise: nothing of it can be found under the name that it has now.
        writer.Queue.RemoveStrangers();
        return Task.FromResult(true);
    }

    /// <param name="Key">By which it was wanted.</param>
    /// <param name="Kept">By which it lies here.</param>
    /// <param name="Body">Open.</param>
    /// <param name="IsPartWanted">Only a part of it will leave.</param>
    private sealed record Found(EntryKey Key, EntryKey Kept, ICachedBody Body, bool IsPartWanted) : IDisposable
    {
        public void Dispose() => Body.Dispose();
    }

    /// <summary>When a file was last written.</summary>
    private sealed record Written(DateTime At);

    private Found? OpenFirst(List<(AcceptableEntry Wanted, EntryKey Kept)> places)
    {
        foreach (var (wanted, kept) in places)
        {
            if (Open(folder.GetPath("entries", EntryFile.GetPath(kept)), kept) is not { } body) continue;
            if (IsSound?.Invoke(wanted.Key, body) == false)
            {
                body.Dispose();
                Drop(folder.GetPath("entries", EntryFile.GetPath(kept)), kept);
                continue;
            }
            if (wanted.IsMetBy(body.Head))
            {
                writer.Use(kept);
                return new(wanted.Key, kept, body, wanted.IsContainer);
            }
            body.Dispose();
        }
        return null;
    }

    private bool IsThere(AcceptableEntry place)
    {
        var file = new FileInfo(folder.GetPath("entries", EntryFile.GetPath(place.Key)));
        return file.Exists && EntryFile.FindHead(file.FullName) is { } head && head.Start + head.Length == file.Length
            && head.Key == place.Key && place.IsMetBy(head.Head);
    }

    private ICachedBody? Open(string path, EntryKey key)
    {
        FileBody? body = null;
        try
        {
            var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            try
            {
                var length = RandomAccess.GetLength(file);
                if (length <= AtOnceBytes && inFlight.TryReserve(length)) return ReadAtOnce(file, length, path, key);
                var bytes = ArrayPool<byte>.Shared.Rent(EntryFile.MaxHeadBytes);
                var head = EntryFile.ReadHead(bytes.AsSpan(0, RandomAccess.Read(file, bytes, 0)));
                ArrayPool<byte>.Shared.Return(bytes);
                if (head is null || head.Start + head.Length != length) return Drop(path, key);
                if (head.Key != key) return null;
                return body = new FileBody(
                    folder, file, head.Head, head.Stored, head.IsPrefetched, head.Start, [(0, head.Length)], head.Hash);
            }
            finally
            {
                if (body is null) file.Dispose();
            }
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    /// <summary>One call, into pieces that are given back when they have left.</summary>
    private MemoryBody? ReadAtOnce(Microsoft.Win32.SafeHandles.SafeFileHandle file, long length, string path, EntryKey key)
    {
        var rented = new List<byte[]>();
        var room = new List<Memory<byte>>();
        for (var left = length; left > 0; left -= PieceBytes)
        {
            rented.Add(ArrayPool<byte>.Shared.Rent(PieceBytes));
            room.Add(rented[^1].AsMemory(0, (int)Math.Min(left, PieceBytes)));
        }
        var isGiven = false;
        try
        {
            if (room.Count == 0 || RandomAccess.Read(file, room, 0) != length || EntryFile.ReadHead(room[0].Span) is not { } head
                || head.Start + head.Length != length)
            {
                Drop(path, key);
                return null;
            }
            if (head.Key != key) return null;
            var pieces = new List<ReadOnlyMemory<byte>>(room.Count) { room[0][head.Start..] };
            foreach (var piece in room.Skip(1)) pieces.Add(piece);
            var hash = new XxHash128();
            foreach (var piece in pieces) hash.Append(piece.Span);
            if (hash.GetCurrentHashAsUInt128() != head.Hash)
            {
                Drop(path, key);
                return null;
            }
            isGiven = true;
            return new(head.Head, head.Stored, head.IsPrefetched, pieces, GiveBack);
        }
        finally
        {
            if (!isGiven) GiveBack();
        }

        void GiveBack()
        {
            rented.ForEach(static piece => ArrayPool<byte>.Shared.Return(piece));
            inFlight.Release(length);
        }
    }

    private async ValueTask<bool> IsProvedOrDisposedAsync(FileBody file, Found found, CancellationToken cancellation)
    {
        var isProved = false;
        try
        {
            return isProved = await IsProvedAsync(file, found, cancellation);
        }
        finally
        {
            if (!isProved) file.Dispose();
        }
    }

    /// <summary>A large file is read before its first byte leaves, or part of it does; a very large one as it leaves.</summary>
    private async ValueTask<bool> IsProvedAsync(FileBody file, Found found, CancellationToken cancellation)
    {
        if (file.Length > ProvedFirstBytes && !found.IsPartWanted) return true;
        var path = folder.GetPath("entries", EntryFile.GetPath(found.Kept));
        if (await folder.RunAsync(() => new Written(File.GetLastWriteTimeUtc(path)), cancellation) is not { At: var written }) return false;
        if (_proved.TryGetValue(found.Kept, out var proved) && proved.Written == written
            && Metadata.Freshness.IsWithin(proved.Proved, ProvedFor, time.GetUtcNow()))
        {
            file.Trust();
            return true;
        }
        if (!await file.ProveAsync(cancellation))
        {
            if (folder.State.CanRead) await folder.RunAsync(() => Drop(path, found.Kept), cancellation);
            return false;
        }
        if (_proved.Count >= MaxProved) _proved.Clear();
        _proved[found.Kept] = (written, time.GetUtcNow());
        return true;
    }

    private ICachedBody? Drop(string path, EntryKey key)
    {
        Interlocked.Increment(ref _damaged);
        counters.EntryDamaged();
        log.EntryDamaged();
        if (!folder.State.CanWrite) return null;
        try
        {
            File.Delete(path);
            writer.Queue.CountAgain(key);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            folder.Fail(e, wasWriting: true);
        }
        return null;
    }
}
