using System.IO.Hashing;
using Proxy.Disk;

namespace Proxy.Cache.OnDisk;

/// <summary>The entries in the cache folder: how one comes in, and how series leave. For one thread.</summary>
/// <remarks>
/// <code>
/// 1 room     within the budget (<see cref="EntryBudget"/>)
/// 2 write    into tmp/, head and body
/// 3 flush    to the disk, a batch of files together
/// 4 rename   to the entry's place: from here on it is found
/// 5 index    noted, and written down about once a second
/// </code>
/// A kill leaves a file in tmp/, which the next process empties, or an entry that the index does not count, which the
/// next one looks for (<see cref="EntryScan"/>).
/// </remarks>
internal sealed class EntryFolder
{
    private readonly CacheFolder _folder;
    private readonly DiskIndex _index;
    private readonly Func<string, string?> _nameOf;
    private int _files;

    /// <param name="folder">The cache folder.</param>
    /// <param name="index">The entries and their bytes, by series.</param>
    /// <param name="nameOf">The name of the configured backend that has an identity; null when none has.</param>
    public EntryFolder(CacheFolder folder, DiskIndex index, Func<string, string?> nameOf)
    {
        (_folder, _index, _nameOf) = (folder, index, nameOf);
        Budget = new(index, nameOf, Discard);
    }

    /// <summary>How much may lie there, and what leaves for what comes.</summary>
    public EntryBudget Budget { get; }

    /// <summary>A new place in tmp/. From any thread.</summary>
    public string NextTemporary() =>
        _folder.GetPath("tmp", Interlocked.Increment(ref _files).ToString(System.Globalization.CultureInfo.InvariantCulture));

    /// <summary>
    /// Writes small bodies; gives how many are in their places, from the first on. What the disk did not take is no error here.
    /// </summary>
    public int WriteAll(IReadOnlyList<DiskJob.Write> batch)
    {
        var written = new List<(DiskJob.Write Job, FileStream File)>();
        var placed = 0;
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
                placed++;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _folder.Fail(e, wasWriting: true);
        }
        finally
        {
            Budget.Clear();
            foreach (var (_, file) in written.Take(placed)) file.Dispose();
            foreach (var (_, file) in written.Skip(placed)) Drop(file);
        }
        return placed;
    }

    /// <summary>Puts a large body in its place; false when it cannot be kept.</summary>
    /// <param name="spool">The body.</param>
    /// <param name="isAhead">Whether it was fetched ahead and nobody has asked for it by now.</param>
    public bool TryCommit(Spool spool, Func<bool> isAhead)
    {
        try
        {
            spool.ReturnRoom();
            if (!Budget.TryMakeRoom(spool.Key, spool.FileBytes, isAhead())) return false;
            spool.WriteHead(isAhead());
            RandomAccess.FlushToDisk(spool.File);
            MoveIntoPlace(spool.Key, spool.Path, spool.FileBytes, spool.Stored, isAhead());
            spool.Keep();
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

    /// <summary>Deletes what is meant, and counts what is left.</summary>
    /// <exception cref="IOException">The disk cannot be changed.</exception>
    public void Remove(Removal removal)
    {
        if (removal is { Backend: null, Study: null })
        {
            _index.Clear();
            Delete(_folder.GetPath("entries"));
            CacheFolder.CreateFolder(_folder.GetPath("entries"));
        }
        else if (removal is { Backend: null, Study: { } study })
        {
            foreach (var place in _index.OfStudy(study.ToString())) _index.Remove(place);
            var path = _folder.GetPath("entries", EntryFile.FolderOfStudy(study.ToString()));
            if (Directory.Exists(path)) Delete(path);
        }
        else if (removal is { Backend: { } owner, Study: { } whole, Series: null })
        {
            var path = _folder.GetPath("entries", EntryFile.FolderOfStudy(whole.ToString()));
            if (!Directory.Exists(path)) return;
            foreach (var series in Directory.EnumerateDirectories(path))
            {
                // All that lies in a folder is one backend's.
                var head = Directory.EnumerateFiles(series).Select(EntryFile.FindHead).FirstOrDefault(found => found is not null);
                if (head?.Key.Backend == owner) Discard(Path.Join(EntryFile.FolderOfStudy(whole.ToString()), Path.GetFileName(series)));
            }
        }
        else if (removal is { Backend: { } backend, Study: { } of, Series: { } series })
        {
            var place = EntryFile.FolderOfSeries(backend, of.ToString(), series.ToString());
            var path = _folder.GetPath("entries", place);
            if (!Directory.Exists(path)) return;
            if (removal.Instance is null)
            {
                Discard(place);
                return;
            }
            foreach (var file in Directory.EnumerateFiles(path))
            {
                if (EntryFile.FindHead(file) is { } head && removal.Has(head.Key)) File.Delete(file);
            }
            _index.Remove(place);
            Recount(place);
            _index.Count();
        }
        else
        {
            throw new ArgumentException("Not a removal of all, of a study, of a series or of an instance.", nameof(removal));
        }
    }

    /// <summary>A whole series leaves: its row, then its folder, out of sight at once.</summary>
    public void Discard(string place)
    {
        _index.Remove(place);
        var path = _folder.GetPath("entries", place);
        if (!Directory.Exists(path)) return;
        Delete(path);
        DeleteIfEmpty(Path.GetDirectoryName(path)!);
    }

    /// <summary>Discards what is left of backends that are not configured any more.</summary>
    public void RemoveStrangers()
    {
        foreach (var share in _index.Shares.Where(s => _nameOf(s.Backend) is null).ToList())
        {
            foreach (var place in _index.OfBackend(share.Backend)) Discard(place);
        }
    }

    /// <summary>Makes the index say what lies in a folder of a series; what lies there of nobody goes.</summary>
    /// <remarks>
    /// One that the index does not know was used or not like the first that is found there: how it was used is nowhere else.
    /// </remarks>
    public void Recount(string place)
    {
        // One that is damaged goes while it is counted, at the hand of whoever found it.
        var files = new DirectoryInfo(_folder.GetPath("entries", place)).EnumerateFiles().Where(f => f.Exists).ToList();
        var (count, bytes) = (files.Count, files.Sum(f => EntryBudget.OnDisk(f.Length)));
        if (count > 0 && _index.Find(place) is { } row && (row.Entries, row.Bytes) == (count, bytes)) return;
        foreach (var file in files)
        {
            if (EntryFile.FindHead(file.FullName) is not { } head || _nameOf(head.Key.Backend) is null) continue;
            _index.Set(place, head.Key, count, bytes, head.Stored, head.IsPrefetched);
            return;
        }
        Discard(place);
    }

    /// <summary>
    /// A disk that is full although the budget is not reached: a twentieth of what is kept goes, what is worth least first.
    /// Nothing can be written meanwhile, no row either; the rows are made right when the folder can be used again.
    /// </summary>
    public void GiveRoom()
    {
        var wanted = _index.Bytes / 20;
        foreach (var place in _index.LeastValuable(1000))
        {
            var series = _folder.GetPath("entries", place);
            if (_index.Find(place) is not { } row || !Directory.Exists(series)) continue;
            Directory.Delete(series, recursive: true);
            Budget.Note(row.Backend, row.Entries);
            if ((wanted -= row.Bytes) <= 0) return;
        }
    }

    public static void DeleteIfEmpty(string path)
    {
        try
        {
            if (!Directory.EnumerateFileSystemEntries(path).Any()) Directory.Delete(path);
        }
        catch (DirectoryNotFoundException)
        {
            // As wished.
        }
    }

    /// <summary>Head and body into a new file; null when there is no room for it.</summary>
    private FileStream? TryWrite(DiskJob.Write job)
    {
        var (key, entry) = job;
        var hash = new XxHash128();
        foreach (var piece in entry.Pieces) hash.Append(piece.Span);
        var head = EntryFile.WriteHead(key, entry.Head, entry.Length, hash.GetCurrentHashAsUInt128(), entry.Stored, entry.IsPrefetched);
        if (head is null || !_folder.State.CanWrite || !Budget.TryMakeRoom(key, head.Length + entry.Length, job.IsPrefetched)) return null;
        var file = new FileStream(NextTemporary(), CacheFolder.NewFile());
        try
        {
            RandomAccess.Write(file.SafeFileHandle, [head, .. entry.Pieces], 0);
            return file;
        }
        catch
        {
            Drop(file);
            throw;
        }
    }

    private void MoveIntoPlace(EntryKey key, string from, long bytes, DateTimeOffset stored, bool isAhead)
    {
        CacheFolder.CreateFolder(_folder.GetPath("entries", EntryFile.GetFolder(key)));
        var to = _folder.GetPath("entries", EntryFile.GetPath(key));
        var isNew = !File.Exists(to);
        File.Move(from, to, overwrite: true);
        if (isNew) _index.Add(key, EntryBudget.OnDisk(bytes), stored, isAhead);
    }

    /// <summary>Out of sight at once, whatever it takes to delete it.</summary>
    private void Delete(string path)
    {
        var gone = NextTemporary();
        Directory.Move(path, gone);
        Directory.Delete(gone, recursive: true);
    }

    private static void Drop(FileStream file)
    {
        file.Dispose();
        try
        {
            File.Delete(file.Name);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It goes with the others in tmp when the folder is taken next.
        }
    }
}
