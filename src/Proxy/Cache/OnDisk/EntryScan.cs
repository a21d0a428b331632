using Proxy.Disk;

namespace Proxy.Cache.OnDisk;

/// <summary>
/// Compares the index with the files that an earlier process left, a few folders at a time, and corrects it. Single-threaded.
/// </summary>
/// <remarks>After an orderly shutdown there is nothing to scan; after a kill the index is behind; a lost index is empty.</remarks>
internal sealed class EntryScan(CacheFolder folder, DiskIndex index, EntryFolder entries)
{
    /// <summary>The number of series folders per step.</summary>
    private const int Step = 16;

    private IEnumerator<string>? _remaining;
    private int _ownershipEpoch;
    private int _generation;

    /// <summary>True while folders are left to scan.</summary>
    public bool IsRunning => Volatile.Read(ref _remaining) is not null;

    /// <summary>True once this process has owned the folder.</summary>
    public bool HasBegun => _ownershipEpoch != 0;

    /// <summary>Makes the next <see cref="Begin"/> scan again, after a change to the disk failed.</summary>
    public void RequestRescan() => _ownershipEpoch = -1;

    /// <summary>
    /// Starts a scan after the folder was acquired or its index was recreated; does nothing when neither happened since the last call.
    /// </summary>
    public void Begin()
    {
        if (_ownershipEpoch == folder.OwnershipEpoch && _generation == index.Generation) return;
        _ownershipEpoch = folder.OwnershipEpoch;
        var trust = index.Open();
        _generation = index.Generation;
        Volatile.Write(ref _remaining, trust == DiskIndex.Trust.Whole ? null : Scan().GetEnumerator());
        // A lost index cannot enforce the budget: scan completely before anything is written.
        while (trust == DiskIndex.Trust.Lost && IsRunning && folder.State.CanWrite) Continue();
        entries.RemoveUnconfigured();
    }

    public void Continue()
    {
        for (var i = 0; i < Step && _remaining is not null && folder.State.CanWrite; i++)
        {
            if (!_remaining.MoveNext()) Volatile.Write(ref _remaining, null);
        }
    }

    /// <summary>Corrects the row of each folder, then removes the rows without a folder.</summary>
    private IEnumerable<string> Scan()
    {
        var root = folder.GetPath("entries");
        foreach (var shard in Directory.EnumerateDirectories(root))
        {
            foreach (var study in Directory.EnumerateDirectories(shard))
            {
                foreach (var series in Directory.EnumerateDirectories(study))
                {
                    var relativePath = Path.GetRelativePath(root, series);
                    entries.Recount(relativePath);
                    yield return relativePath;
                }
                EntryFolder.DeleteIfEmpty(study);
            }
        }
        for (var rows = index.GetFoldersAfter("", 256); rows.Count > 0; rows = index.GetFoldersAfter(rows[^1], 256))
        {
            foreach (var relativePath in rows)
            {
                if (!Directory.Exists(folder.GetPath("entries", relativePath))) index.Remove(relativePath);
                yield return relativePath;
            }
        }
        index.Count();
    }
}
