using System.IO.Hashing;
using Proxy.Disk;

namespace Proxy.Cache.OnDisk;

/// <summary>The entries in the cache folder: adds entries, removes series. Single-threaded unless stated.</summary>
/// <remarks>
/// <code>
/// 1 room     reserve it in the budget (<see cref="EntryBudget"/>)
/// 2 write    head and body into tmp/
/// 3 flush    a batch of files together
/// 4 rename   to the entry's path: from here on it is found
/// 5 index    record it; written about once a second
/// </code>
/// A kill leaves a file in tmp/, which the next start empties, or an entry that is missing in the index, which the next
/// <see cref="EntryScan"/> finds.
/// </remarks>
internal sealed partial class EntryFolder
{
    private readonly CacheFolder _folder;
    private readonly DiskIndex _index;
    private readonly OpenFiles _open;
    private readonly Func<string, string?> _nameOf;
    private int _files;

    /// <summary>Creates the folder of the entries.</summary>
    /// <param name="folder">The cache folder.</param>
    /// <param name="index">The entries and their bytes, by series.</param>
    /// <param name="open">The files to close when they are deleted or replaced.</param>
    /// <param name="nameOf">Maps a backend's identity to its configured name; null when it is not configured.</param>
    public EntryFolder(CacheFolder folder, DiskIndex index, OpenFiles open, Func<string, string?> nameOf)
    {
        (_folder, _index, _open, _nameOf) = (folder, index, open, nameOf);
        Budget = new(index, nameOf, Discard);
    }

    /// <summary>The budget and its evictions.</summary>
    public EntryBudget Budget { get; }

    /// <summary>A new path in tmp/. From any thread.</summary>
    public string NextTemporary() =>
        _folder.GetPath("tmp", Interlocked.Increment(ref _files).ToString(System.Globalization.CultureInfo.InvariantCulture));

    /// <summary>Writes small bodies. A disk failure is not an error here.</summary>
    /// <returns>The number of bodies stored, counted from the first.</returns>
    public int WriteAll(IReadOnlyList<DiskJob.Write> batch)
    {
        var written = new List<(DiskJob.Write Job, FileStream File)>();
        var stored = 0;
        try
        {
            // 1, 2
            foreach (var job in batch)
            {
                if (TryWrite(job) is { } file) written.Add((job, file));
            }
            // 3
            foreach (var (_, file) in written) file.Flush(flushToDisk: true);
            // 4, 5
            foreach (var (job, file) in written)
            {
                MoveIntoPlace(job.Key, file.Name, file.Length, job.Entry.Stored, job.IsPrefetched);
                stored++;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _folder.Fail(e, wasWriting: true);
        }
        finally
        {
            Budget.Clear();
            foreach (var (_, file) in written.Take(stored)) file.Dispose();
            foreach (var (_, file) in written.Skip(stored)) DeleteTemporary(file);
        }
        return stored;
    }

    /// <summary>Stores a spooled body; false when the disk or the budget refuses it.</summary>
    /// <param name="spool">The body.</param>
    /// <param name="isPrefetched">True when it was prefetched and no client has asked for it by now.</param>
    public bool TryCommit(Spool spool, Func<bool> isPrefetched)
    {
        try
        {
            spool.ReleaseReservation();
            if (!Budget.TryMakeRoom(spool.Key, spool.FileBytes, isPrefetched())) return false;
            spool.WriteHead(isPrefetched());
            RandomAccess.FlushToDisk(spool.File);
            MoveIntoPlace(spool.Key, spool.Path, spool.FileBytes, spool.Stored, isPrefetched());
            spool.MarkAsStored();
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _folder.Fail(e, wasWriting: true);
            return false;
        }
        finally
        {
            Budget.Clear();
        }
    }

    /// <summary>Corrects the row of a series folder; deletes the folder when its backend is not configured or it has no entry.</summary>
    /// <remarks>
    /// For a folder without a row, the first entry decides whether the series counts as prefetched: its usage is stored nowhere else.
    /// </remarks>
    public void Recount(string seriesFolder)
    {
        // A lookup may delete a damaged file during the count.
        var files = new DirectoryInfo(_folder.GetPath("entries", seriesFolder)).EnumerateFiles().Where(f => f.Exists).ToList();
        var (count, bytes) = (files.Count, files.Sum(f => EntryBudget.RoundUpToBlocks(f.Length)));
        if (count > 0 && _index.Find(seriesFolder) is { } row && (row.Entries, row.Bytes) == (count, bytes)) return;
        foreach (var file in files)
        {
            if (FindHead(file.FullName) is not { } head || _nameOf(head.Key.Backend) is null) continue;
            // A file is written when its body was received: the first of all is the oldest.
            var oldest = files.Min(f => new DateTimeOffset(f.LastWriteTimeUtc));
            _index.Set(seriesFolder, head.Key, count, bytes, oldest < head.Stored ? oldest : head.Stored, head.IsPrefetched);
            return;
        }
        Discard(seriesFolder);
    }

    /// <summary>
    /// Deletes the least valuable twentieth of the entries when the disk is full before the budget is reached. The index cannot be written
    /// meanwhile; the scan corrects it once the folder is usable again.
    /// </summary>
    public void EvictWhenFull()
    {
        var remaining = _index.Bytes / 20;
        foreach (var seriesFolder in _index.LeastValuable(1000))
        {
            var series = _folder.GetPath("entries", seriesFolder);
            if (_index.Find(seriesFolder) is not { } row || !Directory.Exists(series)) continue;
            try
            {
                Directory.Delete(series, recursive: true);
            }
            finally
            {
                _open.CloseBelow(series);
            }
            Budget.CountEviction(row.Backend, row.Entries);
            if ((remaining -= row.Bytes) <= 0) return;
        }
    }

    /// <summary>Deletes a folder when it is empty; does nothing when it does not exist.</summary>
    public static void DeleteIfEmpty(string path)
    {
        try
        {
            if (!Directory.EnumerateFileSystemEntries(path).Any()) Directory.Delete(path);
        }
        catch (DirectoryNotFoundException)
        {
            // Already deleted.
        }
    }

    private EntryFile.Found? FindHead(string path) => EntryFile.FindHead(path, _folder.Keys);

    /// <summary>Writes head and body into a new file; null when there is no room.</summary>
    private FileStream? TryWrite(DiskJob.Write job)
    {
        var (key, entry) = job;
        var hash = new XxHash128();
        foreach (var piece in entry.Pieces) hash.Append(piece.Span);
        var head = EntryFile.WriteHead(key, entry.Head, entry.Length, hash.GetCurrentHashAsUInt128(), entry.Stored, entry.IsPrefetched);
        if (head is null || !_folder.State.CanWrite) return null;
        var bytes = FileOutput.GetFileBytes(_folder.Keys, head.Length, entry.Length);
        if (!Budget.TryMakeRoom(key, bytes, job.IsPrefetched)) return null;
        var file = new FileStream(NextTemporary(), CacheFolder.NewFile());
        try
        {
            if (_folder.Keys is null)
            {
                RandomAccess.Write(file.SafeFileHandle, [head, .. entry.Pieces], 0);
                return file;
            }
            using var output = new FileOutput(file.SafeFileHandle, _folder.Keys, head.Length);
            foreach (var piece in entry.Pieces) output.Append(piece.Span);
            output.End(head);
            return file;
        }
        catch
        {
            DeleteTemporary(file);
            throw;
        }
    }

    private void MoveIntoPlace(EntryKey key, string from, long bytes, DateTimeOffset stored, bool isPrefetched)
    {
        CacheFolder.CreateFolder(_folder.GetPath("entries", EntryFile.GetFolder(key)));
        var to = _folder.GetPath("entries", EntryFile.GetPath(key));
        var isNew = !File.Exists(to);
        File.Move(from, to, overwrite: true);
        if (isNew) _index.Add(key, EntryBudget.RoundUpToBlocks(bytes), stored, isPrefetched);
        else _open.CloseBelow(to);
    }

    private static void DeleteTemporary(FileStream file)
    {
        file.Dispose();
        try
        {
            File.Delete(file.Name);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The next start empties tmp/.
        }
    }
}
