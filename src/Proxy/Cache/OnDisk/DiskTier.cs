using System.Buffers;
using System.Collections.Concurrent;
using System.IO.Hashing;
using Proxy.Cache.InMemory;
using Proxy.Disk;
using Proxy.Operations;

namespace Proxy.Cache.OnDisk;

/// <summary>
/// The tier on the disk of this process: its entries are found by the hash of their key and verified before their first byte is sent.
/// </summary>
/// <remarks>
/// Lookups need no index: the file exists or not. An invalid file is deleted, counted, and a miss.
/// </remarks>
/// <param name="folder">The cache folder.</param>
/// <param name="writer">Makes all changes to the folder.</param>
/// <param name="identityOf">The identity under which a backend's entries are stored; null when it is not configured.</param>
/// <param name="inFlight">Counts small bodies that are read into memory at once.</param>
/// <param name="time">The clock.</param>
/// <param name="counters">Counts damaged entries.</param>
/// <param name="log">Logs damaged entries.</param>
public sealed class DiskTier(
    CacheFolder folder, DiskWriter writer, Func<string, string?> identityOf, InFlightBytes inFlight, TimeProvider time, Counters counters,
    ILogger<DiskTier> log) : IBodyTier
{
    /// <summary>A file up to this size is read and verified at once; a larger one is read while it is sent.</summary>
    private const int ReadAtOnceBytes = 1024 * 1024;

    /// <summary>The size of the pooled arrays; small enough not to land on the large object heap.</summary>
    private const int PieceBytes = 64 * 1024;

    /// <summary>
    /// A body up to this size is verified before its first byte is sent; a larger one while it is sent, and damage cuts off the connection.
    /// </summary>
    private const long VerifyFirstBytes = 64L << 20;

    /// <summary>The maximum of files remembered as verified.</summary>
    private const int MaxVerified = 10_000;

    private static readonly object Present = new();

    private static readonly TimeSpan VerifiedLifetime = TimeSpan.FromMinutes(10);

    /// <summary>Large files verified recently: a file that serves frame after frame is not read as a whole for each.</summary>
    private readonly ConcurrentDictionary<EntryKey, (DateTime Written, DateTimeOffset Verified)> _verified = new();
    private long _damaged;

    /// <summary>
    /// Checks by its first bytes whether a body matches its key; one that was stored before answers were validated may not. Null accepts
    /// all.
    /// </summary>
    public BodySoundness? IsSound { get; init; }

    /// <inheritdoc/>
    public bool CanWrite => folder.State.CanWrite;

    /// <summary>The state of the cache folder.</summary>
    public FolderState State => folder.State;

    /// <summary>The writer of this tier.</summary>
    public DiskWriter Writer => writer;

    /// <summary>The number of invalid files found so far.</summary>
    public long Damaged => Interlocked.Read(ref _damaged);

    /// <inheritdoc/>
    public CacheStatistics Statistics { get; } = CountEvictions(writer);

    /// <inheritdoc/>
    public async ValueTask<(EntryKey Key, ICachedBody Body)?> FindAsync(
        IReadOnlyList<AcceptableEntry> wanted, CancellationToken cancellation)
    {
        if (!folder.State.CanRead || identityOf(wanted[0].Key.Backend) is not { } identity) return null;
        var candidates = new List<(AcceptableEntry Wanted, EntryKey Stored)>(wanted.Count);
        foreach (var acceptable in wanted)
        {
            var stored = acceptable.Key with { Backend = identity };
            if (writer.Queue.IsBeingRemoved(stored)) continue;
            if (writer.Queue.Find(stored) is { } queued && acceptable.IsSatisfiedBy(queued.Head))
            {
                Statistics.Count(acceptable.Key.Backend, isHit: true);
                if (queued.IsPrefetched) writer.Use(stored);
                return (acceptable.Key, new MemoryBody(queued));
            }
            candidates.Add((acceptable, stored));
        }
        var found = candidates.Count == 0 ? null : await folder.RunAsync(() => OpenFirst(candidates), cancellation);
        if (found?.Body is FileBody file && !await IsValidOrDisposedAsync(file, found, cancellation)) found = null;
        Statistics.Count(wanted[0].Key.Backend, isHit: found is not null);
        return found is null ? null : (found.Key, found.Body);
    }

    /// <inheritdoc/>
    /// <remarks>Judges by the head of an entry, and verifies no body.</remarks>
    public async ValueTask<bool> HasAsync(IReadOnlyList<AcceptableEntry> wanted, CancellationToken cancellation)
    {
        if (!folder.State.CanRead || identityOf(wanted[0].Key.Backend) is not { } identity) return false;
        var candidates = wanted.Select(acceptable => acceptable with { Key = acceptable.Key with { Backend = identity } })
            .Where(candidate => !writer.Queue.IsBeingRemoved(candidate.Key)).ToList();
        if (candidates.Exists(candidate => writer.Queue.Find(candidate.Key) is { } queued && candidate.IsSatisfiedBy(queued.Head)))
            return true;
        return candidates.Count > 0
            && await folder.RunAsync(() => candidates.Find(Exists) is { Key: not null } ? Present : null, cancellation) is not null;
    }

    /// <inheritdoc/>
    public void Use(EntryKey key)
    {
        if (identityOf(key.Backend) is { } identity) writer.Use(key with { Backend = identity });
    }

    /// <inheritdoc/>
    public bool HasRoomForPrefetched(long bytes) => folder.State.CanWrite && writer.HasRoomForPrefetched(bytes);

    /// <inheritdoc/>
    /// <remarks>Queues the body: its client does not wait for the disk.</remarks>
    public ValueTask AddAsync(EntryKey key, Entry entry)
    {
        if (identityOf(key.Backend) is { } identity) writer.Add(key with { Backend = identity }, entry);
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public async Task<ISpool?> BeginAsync(EntryKey key, EntryHead head) =>
        identityOf(key.Backend) is { } identity && !(head.Length > writer.MaxBytes / 4)
            ? await Spool.BeginAsync(folder, writer, key with { Backend = identity }, head)
            : null;

    /// <inheritdoc/>
    public Task<bool> AddAsync(ISpool spool, Func<bool> isPrefetched) => writer.Queue.AddAsync((Spool)spool, isPrefetched);

    /// <inheritdoc/>
    public IDisposable TrackFetch() => writer.Queue.TrackFetch();

    /// <inheritdoc/>
    public Task<bool> RemoveAsync(Removal removal)
    {
        if (!folder.IsConfigured) return Task.FromResult(true);
        if (removal.Backend is null) return writer.Queue.RemoveAsync(removal);
        if (removal.Study is not null)
            return identityOf(removal.Backend) is { } identity
                ? writer.Queue.RemoveAsync(removal with { Backend = identity })
                : Task.FromResult(true);
        // A backend that is removed or changed has another identity: its old entries can no longer be found.
        writer.Queue.RemoveUnconfigured();
        return Task.FromResult(true);
    }

    /// <summary>An entry that was found and opened.</summary>
    /// <param name="Key">The requested key.</param>
    /// <param name="Stored">The key on disk, with the backend's identity.</param>
    /// <param name="Body">The open body.</param>
    /// <param name="IsPartWanted">True when only a part of it will be sent.</param>
    private sealed record Found(EntryKey Key, EntryKey Stored, ICachedBody Body, bool IsPartWanted) : IDisposable
    {
        public void Dispose() => Body.Dispose();
    }

    /// <summary>The time of the last write to a file.</summary>
    private sealed record Written(DateTime At);

    private static CacheStatistics CountEvictions(DiskWriter writer)
    {
        var statistics = new CacheStatistics();
        writer.Evicted += statistics.CountEvictions;
        return statistics;
    }

    private Found? OpenFirst(List<(AcceptableEntry Wanted, EntryKey Stored)> candidates)
    {
        foreach (var (wanted, stored) in candidates)
        {
            if (Open(folder.GetPath("entries", EntryFile.GetPath(stored)), stored) is not { } body) continue;
            if (IsSound?.Invoke(wanted.Key, body) == false)
            {
                body.Dispose();
                DeleteDamaged(folder.GetPath("entries", EntryFile.GetPath(stored)), stored);
                continue;
            }
            if (wanted.IsSatisfiedBy(body.Head))
            {
                writer.Use(stored);
                return new(wanted.Key, stored, body, wanted.IsContainer);
            }
            body.Dispose();
        }
        return null;
    }

    private bool Exists(AcceptableEntry candidate)
    {
        var file = new FileInfo(folder.GetPath("entries", EntryFile.GetPath(candidate.Key)));
        return file.Exists && EntryFile.FindHead(file.FullName) is { } head && head.Start + head.Length == file.Length
            && head.Key == candidate.Key && candidate.IsSatisfiedBy(head.Head);
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
                if (length <= ReadAtOnceBytes && inFlight.TryReserve(length)) return ReadAtOnce(file, length, path, key);
                var bytes = ArrayPool<byte>.Shared.Rent(EntryFile.MaxHeadBytes);
                var head = EntryFile.ReadHead(bytes.AsSpan(0, RandomAccess.Read(file, bytes, 0)));
                ArrayPool<byte>.Shared.Return(bytes);
                if (head is null || head.Start + head.Length != length) return DeleteDamaged(path, key);
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

    /// <summary>Reads the file in one call into pooled arrays, which return to the pool with the body.</summary>
    private MemoryBody? ReadAtOnce(Microsoft.Win32.SafeHandles.SafeFileHandle file, long length, string path, EntryKey key)
    {
        var rented = new List<byte[]>();
        var room = new List<Memory<byte>>();
        for (var left = length; left > 0; left -= PieceBytes)
        {
            rented.Add(ArrayPool<byte>.Shared.Rent(PieceBytes));
            room.Add(rented[^1].AsMemory(0, (int)Math.Min(left, PieceBytes)));
        }
        var isOwned = false;
        try
        {
            if (room.Count == 0 || RandomAccess.Read(file, room, 0) != length || EntryFile.ReadHead(room[0].Span) is not { } head
                || head.Start + head.Length != length)
            {
                DeleteDamaged(path, key);
                return null;
            }
            if (head.Key != key) return null;
            var pieces = new List<ReadOnlyMemory<byte>>(room.Count) { room[0][head.Start..] };
            foreach (var piece in room.Skip(1)) pieces.Add(piece);
            var hash = new XxHash128();
            foreach (var piece in pieces) hash.Append(piece.Span);
            if (hash.GetCurrentHashAsUInt128() != head.Hash)
            {
                DeleteDamaged(path, key);
                return null;
            }
            isOwned = true;
            return new(head.Head, head.Stored, head.IsPrefetched, pieces, Return);
        }
        finally
        {
            if (!isOwned) Return();
        }

        void Return()
        {
            rented.ForEach(static piece => ArrayPool<byte>.Shared.Return(piece));
            inFlight.Release(length);
        }
    }

    private async ValueTask<bool> IsValidOrDisposedAsync(FileBody file, Found found, CancellationToken cancellation)
    {
        var isValid = false;
        try
        {
            return isValid = await IsValidAsync(file, found, cancellation);
        }
        finally
        {
            if (!isValid) file.Dispose();
        }
    }

    /// <summary>Verifies a large file before any byte of it is sent. A very large one that is sent whole is verified on the way.</summary>
    private async ValueTask<bool> IsValidAsync(FileBody file, Found found, CancellationToken cancellation)
    {
        if (file.Length > VerifyFirstBytes && !found.IsPartWanted) return true;
        var path = folder.GetPath("entries", EntryFile.GetPath(found.Stored));
        if (await folder.RunAsync(() => new Written(File.GetLastWriteTimeUtc(path)), cancellation) is not { At: var written }) return false;
        if (_verified.TryGetValue(found.Stored, out var verified) && verified.Written == written
            && Metadata.Freshness.IsWithin(verified.Verified, VerifiedLifetime, time.GetUtcNow()))
        {
            file.Trust();
            return true;
        }
        if (!await file.VerifyAsync(cancellation))
        {
            if (folder.State.CanRead) await folder.RunAsync(() => DeleteDamaged(path, found.Stored), cancellation);
            return false;
        }
        if (_verified.Count >= MaxVerified) _verified.Clear();
        _verified[found.Stored] = (written, time.GetUtcNow());
        return true;
    }

    private ICachedBody? DeleteDamaged(string path, EntryKey key)
    {
        Interlocked.Increment(ref _damaged);
        counters.EntryDamaged();
        log.EntryDamaged();
        if (!folder.State.CanWrite) return null;
        try
        {
            File.Delete(path);
            writer.Queue.Recount(key);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            folder.Fail(e, wasWriting: true);
        }
        return null;
    }
}
