using System.Buffers;
using System.Collections.Concurrent;
using System.IO.Hashing;
using Proxy.Cache.InMemory;
using Proxy.Operations;

namespace Proxy.Cache.OnDisk;

/// <summary>Opening and verifying the files of entries.</summary>
public sealed partial class DiskTier
{
    /// <summary>A file up to this size is read and verified at once; a larger or verified one is read while it is sent.</summary>
    internal const int ReadAtOnceBytes = 1024 * 1024;

    /// <summary>The size of the pooled arrays; small enough not to land on the large object heap.</summary>
    private const int PieceBytes = 64 * 1024;

    /// <summary>
    /// A body up to this size is verified before its first byte is sent; a larger one while it is sent, and damage cuts off the connection.
    /// </summary>
    private const long VerifyFirstBytes = 64L << 20;

    /// <summary>The maximum of files remembered as verified.</summary>
    private const int MaxVerified = 10_000;

    private static readonly TimeSpan VerifiedLifetime = TimeSpan.FromMinutes(10);

    /// <summary>The first read of a file: a head has some hundred bytes.</summary>
    private const int UsualHeadBytes = 2048;

    /// <summary>Files verified recently, by the time of their last write: their hits read and hash nothing before they are sent.</summary>
    private readonly ConcurrentDictionary<EntryKey, (DateTime Written, DateTimeOffset Verified)> _verified = new();

    /// <summary>An entry that was found and opened.</summary>
    /// <param name="Key">The requested key.</param>
    /// <param name="Stored">The key on disk, with the backend's identity.</param>
    /// <param name="Body">The open body.</param>
    /// <param name="IsPartWanted">True when only a part of it will be sent.</param>
    private sealed record Found(EntryKey Key, EntryKey Stored, ICachedBody Body, bool IsPartWanted) : IDisposable
    {
        public void Dispose() => Body.Dispose();
    }

    /// <summary>A verified body whose file is still open: nothing is opened or read.</summary>
    private FileBody? FindOpen(AcceptableEntry wanted, EntryKey stored)
    {
        if (writer.OpenFiles.Find(stored, folder.OwnershipEpoch) is not { } file) return null;
        if (!IsVerified(stored, file.Written)) writer.OpenFiles.Close(stored);
        else if (wanted.IsSatisfiedBy(file.Found.Head))
        {
            writer.Use(stored, file.SeriesFolder);
            var body = new FileBody(folder, file, file.Found) { InFlight = inFlight };
            body.Trust();
            return body;
        }
        file.Release();
        return null;
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
        return file.Exists && EntryFile.FindHead(file.FullName, folder.Keys) is { } head && head.FileBytes == file.Length
            && head.Key == candidate.Key && candidate.IsSatisfiedBy(head.Head);
    }

    private ICachedBody? Open(string path, EntryKey key)
    {
        FileBody? body = null;
        // Most lookups try several keys, and an exception costs more than a look.
        if (!File.Exists(path)) return null;
        try
        {
            var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            try
            {
                var (length, written) = (RandomAccess.GetLength(file), File.GetLastWriteTimeUtc(file));
                if (folder.Keys is null && length <= ReadAtOnceBytes && !IsVerified(key, written) && inFlight.TryReserve(length))
                    return ReadAtOnce(file, length, path, key, written);
                var (head, isLocked) = ReadHead(file, folder.Keys is null ? UsualHeadBytes : EntryFile.MaxHeadBytes);
                if (head is null && folder.Keys is null) (head, _) = ReadHead(file, EntryFile.MaxHeadBytes);
                if (isLocked) return null;
                if (head is null || head.FileBytes != length) return DeleteDamaged(path, key);
                if (head.Key != key) return null;
                if (folder.Keys is not null && head.Length <= ReadAtOnceBytes && inFlight.TryReserve(head.Length))
                    return DecryptAtOnce(file, head, path);
                var opened = new OpenFile(file, head, path)
                {
                    Written = written,
                    OwnershipEpoch = folder.OwnershipEpoch,
                    SeriesFolder = EntryFile.GetFolder(key),
                };
                return body = new FileBody(folder, opened, head) { InFlight = inFlight };
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

    private (EntryFile.Found? Head, bool IsLocked) ReadHead(Microsoft.Win32.SafeHandles.SafeFileHandle file, int maxBytes)
    {
        var bytes = ArrayPool<byte>.Shared.Rent(maxBytes);
        var first = bytes.AsSpan(0, RandomAccess.Read(file, bytes.AsSpan(0, maxBytes), 0));
        var found = (EntryFile.ReadHead(first, folder.Keys), FileSeal.IsLocked(first, folder.Keys));
        ArrayPool<byte>.Shared.Return(bytes);
        return found;
    }

    /// <summary>Reads the file in one call into pooled arrays, which return to the pool with the body.</summary>
    private MemoryBody? ReadAtOnce(
        Microsoft.Win32.SafeHandles.SafeFileHandle file, long length, string path, EntryKey key, DateTime written)
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
            SetVerified(key, written);
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

    /// <summary>Decrypts a small body into pooled arrays, which return to the pool with it.</summary>
    private MemoryBody? DecryptAtOnce(Microsoft.Win32.SafeHandles.SafeFileHandle file, EntryFile.Found found, string path)
    {
        using var seal = found.Seal;
        var rented = new List<byte[]>();
        var pieces = new List<ReadOnlyMemory<byte>>();
        var isOwned = false;
        try
        {
            for (var at = 0L; at < found.Length; at += FileSeal.ChunkBytes)
            {
                rented.Add(ArrayPool<byte>.Shared.Rent(FileSeal.ChunkBytes));
                var piece = rented[^1].AsMemory(0, (int)Math.Min(FileSeal.ChunkBytes, found.Length - at));
                if (found.Read(file, at, piece.Span) != piece.Length)
                {
                    DeleteDamaged(path, found.Key);
                    return null;
                }
                pieces.Add(piece);
            }
            isOwned = true;
            return new(found.Head, found.Stored, found.IsPrefetched, pieces, Return);
        }
        finally
        {
            if (!isOwned) Return();
        }

        void Return()
        {
            rented.ForEach(static piece => ArrayPool<byte>.Shared.Return(piece));
            inFlight.Release(found.Length);
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
        if (file.Length <= VerifyFirstBytes || found.IsPartWanted) return await VerifyAsync(file, found, cancellation);
        file.VerifyFirst = stopped => VerifyAsync(file, found, stopped);
        return true;
    }

    private async ValueTask<bool> VerifyAsync(FileBody file, Found found, CancellationToken cancellation)
    {
        var written = file.File!.Written;
        if (IsVerified(found.Stored, written))
        {
            file.Trust();
            return true;
        }
        if (!await file.VerifyAsync(cancellation))
        {
            var path = folder.GetPath("entries", EntryFile.GetPath(found.Stored));
            if (folder.State.CanRead) await folder.RunAsync(() => DeleteDamaged(path, found.Stored), cancellation);
            return false;
        }
        SetVerified(found.Stored, written);
        return true;
    }

    private bool IsVerified(EntryKey stored, DateTime written) =>
        _verified.TryGetValue(stored, out var verified) && verified.Written == written
            && Metadata.Freshness.IsWithin(verified.Verified, VerifiedLifetime, time.GetUtcNow());

    private void SetVerified(EntryKey stored, DateTime written)
    {
        if (_verified.Count >= MaxVerified) _verified.Clear();
        _verified[stored] = (written, time.GetUtcNow());
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
            writer.OpenFiles.CloseBelow(path);
            writer.Queue.Recount(key);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            folder.Fail(e, wasWriting: true);
        }
        return null;
    }
}
