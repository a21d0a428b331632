using System.Runtime.CompilerServices;
using Proxy.Dicom;
using Proxy.Disk;

namespace Proxy.Metadata.Persistence;

/// <summary>The studies in memory and on disk as one table: changes are written, removals apply to both.</summary>
/// <remarks>
/// Writes to the engine and removals share one lock, so that a flush cannot write a study that was removed after it was read. Requests
/// do not wait for it; only removals do.
/// </remarks>
internal sealed partial class PersistentStudyTable
{
    /// <summary>The approximate size of the studies in one transaction: a larger one would block readers of the file.</summary>
    private const long BatchBytes = 8 << 20;

    private readonly StudyTable _table;
    private readonly IStudyPersistence? _engine;
    private readonly SemaphoreSlim _writing = new(1);
    private long _maxDiskBytes;
    private long _changesWritten = -1;
    private int _generation = -1;
    private readonly PendingRemovals _removals = new();
    /// <summary>The position of the cleaning of removed backends; -1 when there is nothing to clean.</summary>
    private long _cleanFrom;

    /// <summary>Creates the table over its persistent copy.</summary>
    /// <param name="maxBytes">The memory budget.</param>
    /// <param name="engine">The persistent copy; null for none.</param>
    /// <param name="maxDiskBytes">The disk budget.</param>
    /// <param name="changed">Called for every change.</param>
    public PersistentStudyTable(long maxBytes, IStudyPersistence? engine, long maxDiskBytes, Action<Study, Study> changed)
    {
        _engine = engine;
        _maxDiskBytes = maxDiskBytes;
        _table = new(maxBytes, engine) { Flush = RequestFlush, Changed = changed };
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

    /// <inheritdoc cref="StudyTable.PeekAsync"/>
    public ValueTask<Study?> PeekAsync(Uid uid, CancellationToken cancellation) => _table.PeekAsync(uid, cancellation);

    /// <inheritdoc cref="StudyTable.Update"/>
    public (Study Before, Study After) Update(Uid uid, Func<Study, Study> change) => _table.Update(uid, change);

    /// <summary>Writes the changes and evicts the excess over the budget.</summary>
    public async Task ShrinkAsync()
    {
        if (await FlushAsync(withUses: false)) _table.Shrink();
    }

    /// <summary>Sets new budgets, in bytes.</summary>
    public void Resize(long bytes, long diskBytes)
    {
        Volatile.Write(ref _maxDiskBytes, diskBytes);
        _table.Resize(bytes);
    }

    /// <summary>The UIDs of the studies in memory.</summary>
    public IEnumerable<Uid> FindInMemory() => _table.Uids;

    /// <summary>All UIDs in order; tolerates concurrent changes. Reads the engine page by page.</summary>
    public async IAsyncEnumerable<Uid> ReadUidsAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        const int Page = 500;
        using var memory = new SortedSet<Uid>(_table.Uids).GetEnumerator();
        var hasMemory = memory.MoveNext();
        Uid last = default;
        while (_engine is not null)
        {
            var page = await _engine.FindUidsAsync(last, Page, cancellation);
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

    /// <summary>Writes the changes; when the engine cannot be written to, they stay pending.</summary>
    /// <param name="withUses">Write also which studies were used: the engine evicts these last.</param>
    /// <returns>False when something is still pending.</returns>
    public async Task<bool> FlushAsync(bool withUses)
    {
        if (_engine is null) return true;
        if (!_engine.CanWrite || !await _writing.WaitAsync(CacheFolder.Timeout)) return false;
        try
        {
            var generation = _engine.Generation;
            var changes = _table.Changes;
            _table.BeginUsesAt(await _engine.OpenAsync());
            if (!await _removals.MakeAsync(_engine)) return false;
            if ((generation != _generation || changes != _changesWritten || withUses || !_table.UnwrittenUses.IsEmpty)
                && !await WriteAllAsync(_engine, withUses))
                return false;
            _changesWritten = changes;
            _generation = _engine.Generation;
            await _engine.EvictAsync(Volatile.Read(ref _maxDiskBytes));
            if (_cleanFrom >= 0) _cleanFrom = await _engine.RemoveUnconfiguredAsync(_cleanFrom) is > 0 and var next ? next : -1;
            return true;
        }
        finally
        {
            _writing.Release();
        }
    }

    /// <summary>Without <see cref="Full"/>, the thread that fills the memory waits for the flush.</summary>
    private bool RequestFlush()
    {
        if (Full is not { } full) return Task.Run(() => FlushAsync(withUses: false)).GetAwaiter().GetResult();
        full();
        return false;
    }

    private async Task<bool> WriteAllAsync(IStudyPersistence engine, bool withUses)
    {
        var uses = new List<(Uid, long)>();
        foreach (var (uid, _) in _table.UnwrittenUses)
        {
            if (_table.UnwrittenUses.TryRemove(uid, out var use)) uses.Add((uid, use));
        }
        var batch = new List<(StudyTable.Entry Entry, Study Study, long Used)>();
        var bytes = 0L;
        var generation = engine.Generation;
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
                if (!await WriteAsync(engine, batch, [])) return false;
                batch.Clear();
                bytes = 0;
            }
        }
        return (batch.Count == 0 && uses.Count == 0) || await WriteAsync(engine, batch, uses);
    }

    private static async Task<bool> WriteAsync(
        IStudyPersistence engine, List<(StudyTable.Entry Entry, Study Study, long Used)> batch, List<(Uid, long)> uses)
    {
        if (await engine.WriteAsync([.. batch.Select(b => (b.Study, b.Used))], uses) is not { } generation) return false;
        foreach (var (entry, study, used) in batch)
        {
            lock (entry) (entry.Written, entry.WrittenTo, entry.WrittenUse) = (study, generation, used);
        }
        return true;
    }
}
