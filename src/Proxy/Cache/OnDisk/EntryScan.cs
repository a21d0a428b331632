using Proxy.Disk;

namespace Proxy.Cache.OnDisk;

/// <summary>
/// Looks through what an earlier process left, a little at a time: the index is made to say what lies there. For one thread.
/// </summary>
/// <remarks>After an end in order there is nothing to look for; after a kill the index is behind; a lost one says nothing.</remarks>
internal sealed class EntryScan(CacheFolder folder, DiskIndex index, EntryFolder entries)
{
    /// <summary>So many folders of series at a time.</summary>
    private const int Step = 16;

    private IEnumerator<string>? _rest;
    private int _taken;
    private int _made;

    /// <summary>Something is left to be looked through.</summary>
    public bool IsRunning => Volatile.Read(ref _rest) is not null;

    /// <summary>The folder was ours once.</summary>
    public bool HasBegun => _taken != 0;

    /// <summary>The next <see cref="Begin"/> begins again: not all that was to be changed could be.</summary>
    public void Doubt() => _taken = -1;

    /// <summary>
    /// The folder was taken, for the first time or anew, or its index was lost: what lies there is looked through as far as needed.
    /// </summary>
    public void Begin()
    {
        if (_taken == folder.OwnershipEpoch && _made == index.Generation) return;
        _taken = folder.OwnershipEpoch;
        var trust = index.Open();
        _made = index.Generation;
        Volatile.Write(ref _rest, trust == DiskIndex.Trust.Whole ? null : Scan().GetEnumerator());
        // Who does not know how much is there cannot keep a budget: first that, then what is new.
        while (trust == DiskIndex.Trust.Lost && IsRunning && folder.State.CanWrite) GoOn();
        entries.RemoveStrangers();
    }

    public void GoOn()
    {
        for (var i = 0; i < Step && _rest is not null && folder.State.CanWrite; i++)
        {
            if (!_rest.MoveNext()) Volatile.Write(ref _rest, null);
        }
    }

    /// <summary>Folder by folder: the row is made to say what lies there. Then row by row: those of which nothing lies there go.</summary>
    private IEnumerable<string> Scan()
    {
        var root = folder.GetPath("entries");
        foreach (var shard in Directory.EnumerateDirectories(root))
        {
            foreach (var study in Directory.EnumerateDirectories(shard))
            {
                foreach (var series in Directory.EnumerateDirectories(study))
                {
                    var place = Path.GetRelativePath(root, series);
                    entries.Recount(place);
                    yield return place;
                }
                EntryFolder.DeleteIfEmpty(study);
            }
        }
        for (var rows = index.After("", 256); rows.Count > 0; rows = index.After(rows[^1], 256))
        {
            foreach (var place in rows)
            {
                if (!Directory.Exists(folder.GetPath("entries", place))) index.Remove(place);
                yield return place;
            }
        }
        index.Count();
    }
}
