using Proxy.Dicom;
using Proxy.Disk;

namespace Proxy.Metadata.Persistence;

/// <summary>The studies in memory and those on disk as one: what changed is written, and what is removed is removed in both.</summary>
/// <remarks>
/// Whoever writes to the file or removes from it holds one lock, so that nothing that was removed is written again by a
/// flush that had seen it before. Requests do not wait for it; only a removal does.
/// </remarks>
internal sealed class PersistentStudyTable
{
    /// <summary>Of studies in one transaction, nearly: it is not to hold up a reader of the file for long.</summary>
    private const long BatchBytes = 8 << 20;

    private readonly StudyTable _table;
    private readonly StudyFile? _file;
    private readonly Lock _writing = new();
    private long _maxDiskBytes;
    private long _changesWritten = -1;
    private int _generation = -1;
    /// <summary>Where the cleaning goes on; -1 when there is nothing to clean.</summary>
    private long _cleanFrom;

    /// <param name="maxBytes">In memory.</param>
    /// <param name="file">Null for none.</param>
    /// <param name="maxDiskBytes">On disk.</param>
    /// <param name="changed">Hears of every change.</param>
    public PersistentStudyTable(long maxBytes, StudyFile? file, long maxDiskBytes, Action<Study, Study> changed)
    {
        _file = file;
        _maxDiskBytes = maxDiskBytes;
        _table = new(maxBytes, file) { Flush = MakeRoom, Changed = changed };
    }

    /// <summary>Asked to write, soon and elsewhere, because memory is full. Without it whoever fills the memory writes.</summary>
    public Action? Full { get; set; }

    public long Bytes => _table.Bytes;

    public int Count => _table.Count;

    /// <summary>Takes a study into memory when the file has it, without holding a thread.</summary>
    public ValueTask LoadAsync(Uid uid, CancellationToken cancellation) => _table.LoadAsync(uid, cancellation);

    public IReadOnlyDictionary<string, int> CountByBackend()
    {
        var counts = new Dictionary<string, int>(StringComparer.OrdinalIgnoreCase);
        foreach (var entry in _table.Entries)
        {
            foreach (var list in Volatile.Read(ref entry.Study)?.SeriesLists.Values ?? [])
            {
                if (list.HoldsStudy) counts[list.Backend] = counts.GetValueOrDefault(list.Backend) + 1;
            }
        }
        return counts;
    }

    public Study? Find(Uid uid) => _table.Find(uid);

    public Study? Peek(Uid uid) => _table.Peek(uid);

    public (Study Before, Study After) Update(Uid uid, Func<Study, Study> change) => _table.Update(uid, change);

    /// <summary>Writes, and lets go of what is over the budget.</summary>
    public void Shrink()
    {
        if (Flush(withUses: false)) _table.Shrink();
    }

    public void Resize(long bytes, long diskBytes)
    {
        Volatile.Write(ref _maxDiskBytes, diskBytes);
        _table.Resize(bytes);
    }

    /// <summary>All UIDs in their order, whichever come or go meanwhile.</summary>
    public IEnumerable<Uid> FindUids()
    {
        var inMemory = new SortedSet<Uid>(_table.Uids);
        if (_file is null) return inMemory;
        return Merge(inMemory, _file);
    }

    /// <summary>Writes what changed; a disk that cannot be written to gets it when it can.</summary>
    /// <param name="withUses">Also which studies were looked at: they are the last to leave the disk.</param>
    /// <returns>False when something is not written.</returns>
    public bool Flush(bool withUses)
    {
        if (_file is null) return true;
        if (!_file.CanWrite || !_writing.TryEnter(CacheFolder.Patience)) return false;
        try
        {
            var generation = _file.Generation;
            var changes = _table.Changes;
            if (generation != _generation) _table.BeginUsesAt(_file.LastUse);
            _file.ReadIndex();
            if ((generation != _generation || changes != _changesWritten || withUses || !_table.LateUses.IsEmpty)
                && !WriteAll(_file, withUses))
                return false;
            _changesWritten = changes;
            _generation = _file.Generation;
            _file.Trim(Volatile.Read(ref _maxDiskBytes));
            if (_cleanFrom >= 0) _cleanFrom = _file.Clean(_cleanFrom) is > 0 and var next ? next : -1;
            return true;
        }
        finally
        {
            _writing.Exit();
        }
    }

    /// <summary><see cref="Remove"/> on another thread; a disk that does not answer is not waited for longer than it may take.</summary>
    /// <returns>False when it is on disk still.</returns>
    public Task<bool> RemoveAsync(Uid uid) => AwayAsync(() => Remove(uid), () => _table.Drop(uid));

    /// <summary><see cref="RemoveAll"/> on another thread.</summary>
    /// <returns>False when something is on disk still.</returns>
    public Task<bool> RemoveAllAsync() => AwayAsync(RemoveAll, DropAll);

    /// <returns>False when it is on disk still.</returns>
    public bool Remove(Uid uid) => RemoveBoth(file => file.Remove([uid]), () => _table.Drop(uid));

    /// <returns>False when something is on disk still.</returns>
    public bool RemoveAll() => RemoveBoth(file => file.RemoveAll(), DropAll);

    public void RemoveBackend(string backend) => RemoveBoth(
        file =>
        {
            _cleanFrom = 0;
            return file.RemoveBackend(backend);
        },
        () =>
        {
            _table.DropReads();
            var gone = new List<Uid>();
            foreach (var uid in _table.Uids)
            {
                if (_table.Peek(uid)?.SeriesLists.ContainsKey(backend) != true) continue;
                _table.Update(
                    uid,
                    study => study with
                    {
                        SeriesLists = study.SeriesLists.Remove(backend),
                        Owners = study.Owners.RemoveRange(
                        study.Owners.Where(o => o.Value == backend).Select(o => o.Key))
                    });
                if (_table.DropIfEmpty(uid)) gone.Add(uid);
            }
            if (gone.Count > 0) _file?.Remove(gone);
        });

    private void DropAll()
    {
        _table.DropReads();
        foreach (var uid in _table.Uids) _table.Drop(uid);
    }

    /// <summary>It waits for a flush that is under way, and then for the disk: twice the patience.</summary>
    private async Task<bool> AwayAsync(Func<bool> work, Action inMemory)
    {
        if (_file is null) return work();
        try
        {
            return await Task.Run(work).WaitAsync(2 * CacheFolder.Patience);
        }
        catch (TimeoutException)
        {
            inMemory();
            return false;
        }
    }

    private bool MakeRoom()
    {
        if (Full is not { } full) return Flush(withUses: false);
        full();
        return false;
    }

    /// <summary>First on disk, then in memory: what is read from the disk in between is not taken in.</summary>
    private bool RemoveBoth(Func<StudyFile, bool> onDisk, Action inMemory)
    {
        var isAlone = _file is not null && _writing.TryEnter(CacheFolder.Patience);
        try
        {
            var isGone = _file is null || (isAlone && onDisk(_file));
            inMemory();
            UnpackedBlocks.Clear();
            return isGone;
        }
        finally
        {
            if (isAlone) _writing.Exit();
        }
    }

    private bool WriteAll(StudyFile file, bool withUses)
    {
        var uses = new List<(Uid, long)>();
        foreach (var (uid, _) in _table.LateUses)
        {
            if (_table.LateUses.TryRemove(uid, out var use)) uses.Add((uid, use));
        }
        var batch = new List<(StudyTable.Entry Entry, Study Study, long Used)>();
        var bytes = 0L;
        var generation = file.Generation;
        foreach (var entry in _table.Entries)
        {
            if (Volatile.Read(ref entry.Study) is not { } study || (study.SeriesLists.IsEmpty && entry.Written is null)) continue;
            var use = Volatile.Read(ref entry.LastUse);
            if (ReferenceEquals(study, entry.Written) && entry.WrittenTo == generation)
            {
                if (!withUses || use == entry.WrittenUse) continue;
                uses.Add((study.Uid, use));
                entry.WrittenUse = use;
                continue;
            }
            batch.Add((entry, study, use));
            bytes += study.Bytes;
            if (bytes > BatchBytes)
            {
                if (!Write(file, batch, [])) return false;
                batch.Clear();
                bytes = 0;
            }
        }
        return (batch.Count == 0 && uses.Count == 0) || Write(file, batch, uses);
    }

    private static bool Write(StudyFile file, List<(StudyTable.Entry Entry, Study Study, long Used)> batch, List<(Uid, long)> uses)
    {
        if (!file.Write([.. batch.Select(b => (b.Study, b.Used))], uses, out var generation)) return false;
        foreach (var (entry, study, used) in batch)
        {
            lock (entry) (entry.Written, entry.WrittenTo, entry.WrittenUse) = (study, generation, used);
        }
        return true;
    }

    /// <summary>Two orders as one, a page of the file at a time.</summary>
    private static IEnumerable<Uid> Merge(SortedSet<Uid> inMemory, StudyFile file)
    {
        const int Page = 500;
        using var memory = inMemory.GetEnumerator();
        var hasMemory = memory.MoveNext();
        Uid last = default;
        while (true)
        {
            var page = file.FindUids(last, Page);
            // What is no UID, in a damaged file, is none.
            foreach (var uid in page.Where(uid => uid != default))
            {
                for (; hasMemory && memory.Current < uid; hasMemory = memory.MoveNext()) yield return memory.Current;
                if (hasMemory && memory.Current == uid) hasMemory = memory.MoveNext();
                yield return last = uid;
            }
            if (page.Count < Page || page[^1] != last) break;
        }
        for (; hasMemory; hasMemory = memory.MoveNext()) yield return memory.Current;
    }
}
