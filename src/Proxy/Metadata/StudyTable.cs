using System.Collections.Concurrent;
using Proxy.Dicom;
using Proxy.Metadata.Persistence;

namespace Proxy.Metadata;

/// <summary>The known studies under a memory budget; the only place that swaps a study for a newer version.</summary>
/// <remarks>
/// Writers to one study wait for each other; readers wait for no writer. Over <paramref name="maxBytes"/> the least recently used studies
/// are evicted; the next access reads them back from the file.
/// <code>
/// 0 LeaseAsync     reads a study from the file without blocking a thread, and keeps it in memory for the next steps
/// 1 Find, Update   without a lease it may have been evicted: read it here; admit it unless it was evicted meanwhile
/// 2 Flush          writes changes to the file, about once a second
/// 3 Evict          removes written studies without a lease from memory; unwritten ones only when they cannot be written
/// </code>
/// </remarks>
/// <param name="maxBytes">The memory budget, in bytes.</param>
/// <param name="file">The persistent copy; null for none.</param>
internal sealed partial class StudyTable(long maxBytes, IStudyPersistence? file = null)
{
    private readonly ConcurrentDictionary<Uid, Entry> _studies = new();
    private readonly StudyLeases _leases = new();
    private readonly Lock _evicting = new();
    /// <summary>Counts evictions by hash of the study: a study read before its eviction must not be admitted after it.</summary>
    private readonly long[] _evictions = new long[256];
    private long _bytes;
    private long _uses;
    private long _changes;
    private long _maxBytes = maxBytes;

    /// <summary>The one mutable holder of a study.</summary>
    internal sealed class Entry
    {
        /// <summary>Null while it is being admitted.</summary>
        public Study? Study;
        /// <summary>The version in the file; null when the file has none, or it is damaged.</summary>
        public Study? Written;
        /// <summary>The generation of that file.</summary>
        public int WrittenTo;
        /// <summary>The value of <see cref="LastUse"/> in the file.</summary>
        public long WrittenUse;
        /// <summary>The sequence number of the last use.</summary>
        public long LastUse;
        /// <summary>The size counted in the budget.</summary>
        public long Bytes;
        /// <summary>True once it was removed from memory.</summary>
        public volatile bool IsEvicted;
    }

    /// <summary>The size of the studies in memory, in bytes.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>The studies in memory.</summary>
    public IEnumerable<Uid> Uids => _studies.Keys;

    /// <summary>The number of studies in memory and on disk.</summary>
    public int Count => file is null ? _studies.Count : file.Count + _studies.Count(s => s.Value.Written is null);

    private long MaxBytes => Volatile.Read(ref _maxBytes);

    /// <summary>Grows with every change.</summary>
    public long Changes => Interlocked.Read(ref _changes);

    /// <summary>Evicted studies whose last use is not in the file yet, with its sequence number.</summary>
    public ConcurrentDictionary<Uid, long> UnwrittenUses { get; } = new();

    /// <summary>The holders in memory, for <see cref="PersistentStudyTable"/>.</summary>
    public IEnumerable<Entry> Entries => _studies.Select(s => s.Value);

    /// <summary>Writes the changes when memory is full.</summary>
    public Func<bool> Flush { private get; init; } = () => false;

    /// <summary>Called for every change, in order per study; must not block.</summary>
    public Action<Study, Study> Changed { private get; init; } = static (_, _) => { };

    // 0
    /// <summary>
    /// Loads a study and keeps it in memory until the lease is disposed. Completes at once when it is there already, or nowhere.
    /// </summary>
    public ValueTask<StudyLease> LeaseAsync(Uid uid, CancellationToken cancellation)
    {
        if (file is null) return default;
        // The lease comes first: an eviction either sees it, or is seen below.
        var lease = _leases.Add(uid);
        return IsInMemory(uid) || !file.MayHave(uid) ? new(lease) : new(LeaseFromAsync(file, uid, lease, cancellation));
    }

    private async Task<StudyLease> LeaseFromAsync(IStudyPersistence from, Uid uid, StudyLease lease, CancellationToken cancellation)
    {
        try
        {
            // An eviction of another study with the same count makes a load start over.
            while (!IsInMemory(uid) && from.MayHave(uid) && await LoadFromAsync(from, uid, cancellation))
            {
            }
            return lease;
        }
        catch
        {
            lease.Dispose();
            throw;
        }
    }

    private bool IsInMemory(Uid uid)
    {
        while (_studies.TryGetValue(uid, out var entry))
        {
            if (!entry.IsEvicted) return true;
            Wait(entry);
        }
        return false;
    }

    /// <summary>Reads a study from the file and admits it, unless another study with the same count was evicted meanwhile.</summary>
    /// <returns>False when the file does not have the study.</returns>
    private async Task<bool> LoadFromAsync(IStudyPersistence from, Uid uid, CancellationToken cancellation)
    {
        var evictions = Interlocked.Read(ref GetEvictions(uid));
        var generation = from.Generation;
        var found = await from.FindAsync(uid, cancellation);
        if (found.Study is null) return false;
        TryAdmit(uid, static study => study, evictions, generation, found, out _);
        return true;
    }

    /// <summary>The current version of a study, marked as used; null when it is unknown.</summary>
    public Study? Find(Uid uid)
    {
        while (true)
        {
            if (_studies.TryGetValue(uid, out var entry))
            {
                Use(entry);
                if (Volatile.Read(ref entry.Study) is { } study) return study;
                Wait(entry);
            }
            else if (file?.MayHave(uid) != true)
            {
                return null;
            }
            else if (TryAdmit(uid, static study => study, out var found))
            {
                return found.After.SeriesLists.IsEmpty ? null : found.After;
            }
        }
    }

    /// <summary>The current version if it is in memory, without marking it as used.</summary>
    public Study? Peek(Uid uid)
    {
        if (!_studies.TryGetValue(uid, out var entry)) return null;
        if (Volatile.Read(ref entry.Study) is { } study) return study;
        // A study that is being admitted counts: a removal of its backend must not miss it.
        Wait(entry);
        return Volatile.Read(ref entry.Study);
    }

    /// <summary>The current version without marking it as used or loading it into memory: reading all studies evicts none.</summary>
    public async ValueTask<Study?> PeekAsync(Uid uid, CancellationToken cancellation) =>
        Peek(uid) ?? (file?.MayHave(uid) == true ? (await file.FindAsync(uid, cancellation)).Study : null);

    /// <summary>Swaps a study for a newer version; an unknown study starts empty. Returning the same instance is no change.</summary>
    public (Study Before, Study After) Update(Uid uid, Func<Study, Study> change)
    {
        while (true)
        {
            if (!_studies.TryGetValue(uid, out var entry))
            {
                if (TryAdmit(uid, change, out var swapped)) return swapped;
                continue;
            }
            Study before, after;
            long growth;
            lock (entry)
            {
                if (entry.IsEvicted || entry.Study is null) continue;
                before = entry.Study;
                after = change(before);
                Use(entry);
                if (ReferenceEquals(before, after)) return (before, after);
                Volatile.Write(ref entry.Study, after);
                growth = after.Bytes - entry.Bytes;
                entry.Bytes += growth;
                Interlocked.Increment(ref _changes);
                Changed(before, after);
            }
            if (Interlocked.Add(ref _bytes, growth) > MaxBytes) Evict();
            return (before, after);
        }
    }

    /// <summary>Continues the sequence of uses after the highest number in the file.</summary>
    public void BeginUsesAt(long use)
    {
        for (var uses = Interlocked.Read(ref _uses); uses < use;)
        {
            var found = Interlocked.CompareExchange(ref _uses, use, uses);
            if (found == uses) return;
            uses = found;
        }
    }

    // 1
    /// <summary>
    /// Admits a study that is not in memory, from the file or new, and applies a change; a new study that is unchanged is not admitted.
    /// </summary>
    /// <returns>False when another thread was faster, or it was evicted since it was read: retry.</returns>
    private bool TryAdmit(Uid uid, Func<Study, Study> change, out (Study Before, Study After) swapped)
    {
        var evictions = Interlocked.Read(ref GetEvictions(uid));
        var generation = file?.Generation ?? 0;
        var found = file?.MayHave(uid) == true ? file.FindBlocking(uid) : FoundStudy.Nothing;
        return TryAdmit(uid, change, evictions, generation, found, out swapped);
    }

    /// <summary>Admits a study as the file holds it.</summary>
    /// <param name="uid">The study.</param>
    /// <param name="change">Applied before the study becomes visible.</param>
    /// <param name="evictions">The eviction count before the file was read.</param>
    /// <param name="generation">The generation of that file.</param>
    /// <param name="found">The content of the file.</param>
    /// <param name="swapped">The study before and after the change.</param>
    private bool TryAdmit(
        Uid uid, Func<Study, Study> change, long evictions, int generation, FoundStudy found, out (Study Before, Study After) swapped)
    {
        var (stored, isWhole) = found;
        swapped = default;
        var entry = new Entry { Written = isWhole ? stored : null, WrittenTo = generation };
        lock (entry)
        {
            if (!_studies.TryAdd(uid, entry)) return false;
            var isAdmitted = false;
            try
            {
                Interlocked.MemoryBarrier();
                if (Interlocked.Read(ref GetEvictions(uid)) != evictions) return false;
                var before = stored ?? new Study(uid);
                swapped = (before, change(before));
                if (stored is null && ReferenceEquals(swapped.After, before)) return true;
                Use(entry);
                entry.Bytes = swapped.After.Bytes;
                Volatile.Write(ref entry.Study, swapped.After);
                if (!ReferenceEquals(swapped.After, entry.Written)) Interlocked.Increment(ref _changes);
                isAdmitted = true;
                if (!ReferenceEquals(swapped.After, before)) Changed(before, swapped.After);
            }
            finally
            {
                if (!isAdmitted)
                {
                    // Other threads saw only an entry that is not admitted yet.
                    entry.IsEvicted = true;
                    _studies.TryRemove(uid, out _);
                }
            }
        }
        if (Interlocked.Add(ref _bytes, entry.Bytes) > MaxBytes) Evict();
        return true;
    }

    private static void Wait(Entry entry)
    {
        lock (entry)
        {
            // The admitting thread holds the lock until the study is visible or removed again.
        }
    }

    private void Use(Entry entry) => Volatile.Write(ref entry.LastUse, Interlocked.Increment(ref _uses));

    private ref long GetEvictions(Uid uid) => ref _evictions[(uint)uid.GetHashCode() % (uint)_evictions.Length];
}
