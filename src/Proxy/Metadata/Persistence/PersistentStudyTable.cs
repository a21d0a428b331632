using Proxy.Dicom;
using Proxy.Disk;

namespace Proxy.Metadata.Persistence;

/// <summary>The studies in memory and on disk as one table: changes are written, removals apply to both.</summary>
/// <remarks>
/// Writes to the file and removals share one lock, so that a flush cannot write a study that was removed after it was read. Requests do
/// not wait for it; only removals do.
/// </remarks>
internal sealed class PersistentStudyTable
{
    /// <summary>The approximate size of the studies in one transaction: a larger one would block readers of the file.</summary>
    private const long BatchBytes = 8 << 20;

    private readonly StudyTable _table;
    private readonly StudyFile? _file;
    private readonly Lock _writing = new();
    private long _maxDiskBytes;
    private long _changesWritten = -1;
    private int _generation = -1;
    /// <summary>The position of the cleaning of removed backends; -1 when there is nothing to clean.</summary>
    private long _cleanFrom;

    /// <summary>Creates the table over its persistent copy.</summary>
    /// <param name="maxBytes">The memory budget.</param>
    /// <param name="file">The persistent copy; null for none.</param>
    /// <param name="maxDiskBytes">The disk budget.</param>
    /// <param name="changed">Called for every change.</param>
    public PersistentStudyTable(long maxBytes, StudyFile? file, long maxDiskBytes, Action<Study, Study> changed)
    {
        _file = file;
        _maxDiskBytes = maxDiskBytes;
        _table = new(maxBytes, file) { Flush = RequestFlush, Changed = changed };
    }

    /// <summary>Requests a flush on another thread when memory is full. Without it the thread that fills the memory flushes.</summary>
    public Action? Full { get; set; }

    /// <summary>The size of the studies in memory, in bytes.</summary>
    public long Bytes => _table.Bytes;

    /// <summary>The number of studies in memory and on disk.</summary>
    public int Count => _table.Count;

    /// <inheritdoc cref="StudyTable.LeaseAsync"/>
    public ValueTask<StudyLease> LeaseAsync(Uid uid, CancellationToken cancellation) => _table.LeaseAsync(uid, cancellation);

    /// <summary>The number of studies in memory that each backend holds.</summary>
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

    /// <inheritdoc cref="StudyTable.Find"/>
    public Study? Find(Uid uid) => _table.Find(uid);

    /// <inheritdoc cref="StudyTable.Peek"/>
    public Study? Peek(Uid uid) => _table.Peek(uid);

    /// <inheritdoc cref="StudyTable.Update"/>
    public (Study Before, Study After) Update(Uid uid, Func<Study, Study> change) => _table.Update(uid, change);

    /// <summary>Writes the changes and evicts the excess over the budget.</summary>
    public void Shrink()
    {
        if (Flush(withUses: false)) _table.Shrink();
    }

    /// <summary>Sets new budgets, in bytes.</summary>
    public void Resize(long bytes, long diskBytes)
    {
        Volatile.Write(ref _maxDiskBytes, diskBytes);
        _table.Resize(bytes);
    }

    /// <summary>All UIDs in order; tolerates concurrent changes.</summary>
    public IEnumerable<Uid> FindUids()
    {
        var inMemory = new SortedSet<Uid>(_table.Uids);
        if (_file is null) return inMemory;
        return Merge(inMemory, _file);
    }

    /// <summary>Writes the changes; when the disk cannot be written to, they stay pending.</summary>
    /// <param name="withUses">Write also which studies were used: the disk evicts these last.</param>
    /// <returns>False when something is still pending.</returns>
    public bool Flush(bool withUses)
    {
        if (_file is null) return true;
        if (!_file.CanWrite || !_writing.TryEnter(CacheFolder.Timeout)) return false;
        try
        {
            var generation = _file.Generation;
            var changes = _table.Changes;
            if (generation != _generation) _table.BeginUsesAt(_file.LastUse);
            _file.ReadIndex();
            if ((generation != _generation || changes != _changesWritten || withUses || !_table.UnwrittenUses.IsEmpty)
                && !WriteAll(_file, withUses))
                return false;
            _changesWritten = changes;
            _generation = _file.Generation;
            _file.Evict(Volatile.Read(ref _maxDiskBytes));
            if (_cleanFrom >= 0) _cleanFrom = _file.RemoveUnconfigured(_cleanFrom) is > 0 and var next ? next : -1;
            return true;
        }
        finally
        {
            _writing.Exit();
        }
    }

    /// <summary><see cref="Remove"/> on another thread; stops waiting when the disk does not answer.</summary>
    /// <returns>False when the study is still on disk.</returns>
    public Task<bool> RemoveAsync(Uid uid) => RunRemovalAsync(() => Remove(uid), () => _table.Drop(uid));

    /// <summary><see cref="RemoveAll"/> on another thread; stops waiting when the disk does not answer.</summary>
    /// <returns>False when something is still on disk.</returns>
    public Task<bool> RemoveAllAsync() => RunRemovalAsync(RemoveAll, DropAll);

    /// <summary>Removes a study from disk and memory.</summary>
    /// <returns>False when it is still on disk.</returns>
    public bool Remove(Uid uid) => RemoveBoth(file => file.Remove([uid]), () => _table.Drop(uid));

    /// <summary>Removes all studies from disk and memory.</summary>
    /// <returns>False when something is still on disk.</returns>
    public bool RemoveAll() => RemoveBoth(file => file.RemoveAll(), DropAll);

    /// <summary>Removes the answers of a backend from disk and memory.</summary>
    public void RemoveBackend(string backend) => RemoveBoth(
        file =>
        {
            _cleanFrom = 0;
            return file.RemoveBackend(backend);
        },
        () =>
        {
            _table.InvalidateReads();
            var removed = new List<Uid>();
            foreach (var uid in _table.Uids)
            {
                if (_table.Peek(uid)?.SeriesLists.ContainsKey(backend) != true) continue;
                _table.Update(
                    uid,
                    study => study with
                    {
                        SeriesLists = study.SeriesLists.Remove(backend),
                        Owners = study.Owners.RemoveRange(study.Owners.Where(o => o.Value == backend).Select(o => o.Key)),
                    });
                if (_table.DropIfEmpty(uid)) removed.Add(uid);
            }
            if (removed.Count > 0) _file?.Remove(removed);
        });

    private void DropAll()
    {
        _table.InvalidateReads();
        foreach (var uid in _table.Uids) _table.Drop(uid);
    }

    /// <summary>Runs a removal on another thread. It waits for a running flush and then for the disk: twice the patience.</summary>
    private async Task<bool> RunRemovalAsync(Func<bool> work, Action inMemory)
    {
        if (_file is null) return work();
        try
        {
            return await Task.Run(work).WaitAsync(2 * CacheFolder.Timeout);
        }
        catch (TimeoutException)
        {
            inMemory();
            return false;
        }
    }

    private bool RequestFlush()
    {
        if (Full is not { } full) return Flush(withUses: false);
        full();
        return false;
    }

    /// <summary>Removes from disk first, then from memory: a study read from the disk in between is not admitted.</summary>
    private bool RemoveBoth(Func<StudyFile, bool> onDisk, Action inMemory)
    {
        var hasLock = _file is not null && _writing.TryEnter(CacheFolder.Timeout);
        try
        {
            var isRemoved = _file is null || (hasLock && onDisk(_file));
            inMemory();
            UnpackedBlocks.Clear();
            return isRemoved;
        }
        finally
        {
            if (hasLock) _writing.Exit();
        }
    }

    private bool WriteAll(StudyFile file, bool withUses)
    {
        var uses = new List<(Uid, long)>();
        foreach (var (uid, _) in _table.UnwrittenUses)
        {
            if (_table.UnwrittenUses.TryRemove(uid, out var use)) uses.Add((uid, use));
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

    /// <summary>Merges both orders; reads the file page by page.</summary>
    private static IEnumerable<Uid> Merge(SortedSet<Uid> inMemory, StudyFile file)
    {
        const int Page = 500;
        using var memory = inMemory.GetEnumerator();
        var hasMemory = memory.MoveNext();
        Uid last = default;
        while (true)
        {
            var page = file.FindUids(last, Page);
            // A damaged file may contain invalid UIDs.
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
