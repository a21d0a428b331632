using System.Collections.Concurrent;
using Proxy.Dicom;
using Proxy.Metadata.Persistence;

namespace Proxy.Metadata;

/// <summary>The studies that are known, under a budget: the one place where one is swapped for a newer one.</summary>
/// <remarks>
/// Writers to one study wait for each other, readers for nobody. The studies that nobody looked at for longest leave
/// when <paramref name="maxBytes"/> is passed, and come back from the file when they are looked at again.
/// <code>
/// 0 LoadAsync      reads a study from the file, without holding a thread: what follows finds it in memory
/// 1 Find, Update   not in memory all the same (it left since): read here, and taken in unless it left meanwhile
/// 2 Flush          what changed since goes to the file, about every second
/// 3 Evict          leaves memory: what the file has, and only when there is no other way what it has not
/// </code>
/// </remarks>
/// <param name="maxBytes">The most memory that studies may hold, in bytes.</param>
/// <param name="file">Where studies outlive the process; null for nowhere.</param>
internal sealed class StudyTable(long maxBytes, StudyFile? file = null)
{
    private readonly ConcurrentDictionary<Uid, Entry> _studies = new();
    private readonly Lock _evicting = new();
    /// <summary>How often a study left, by its hash: what was read from the file before is not to come in after.</summary>
    private readonly long[] _departures = new long[256];
    private long _bytes;
    private long _uses;
    private long _changes;

    /// <summary>The one mutable holder of a study.</summary>
    internal sealed class Entry
    {
        /// <summary>Null while whoever brings it from the file is not sure of it.</summary>
        public Study? Study;
        /// <summary>What the file has; null when it has nothing, or something else.</summary>
        public Study? Written;
        /// <summary>Which file that was.</summary>
        public int WrittenTo;
        public long WrittenUse;
        public long LastUse;
        public long Bytes;
        public bool IsEvicted;
    }

    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>In memory.</summary>
    public IEnumerable<Uid> Uids => _studies.Keys;

    /// <summary>In memory and on disk.</summary>
    public int Count => file is null ? _studies.Count : file.Count + _studies.Count(s => s.Value.Written is null);

    /// <summary>Grows with every change.</summary>
    public long Changes => Interlocked.Read(ref _changes);

    /// <summary>What left memory after it was used, and when that was.</summary>
    public ConcurrentDictionary<Uid, long> LateUses { get; } = new();

    /// <summary>The holders that are in memory, for <see cref="PersistentStudyTable"/>.</summary>
    public IEnumerable<Entry> Entries => _studies.Select(s => s.Value);

    /// <summary>Writes what changed, when there is no room for it.</summary>
    public Func<bool> Flush { private get; init; } = () => false;

    /// <summary>Hears of every change of a study, one after the other; it is not to wait for anything.</summary>
    public Action<Study, Study> Changed { private get; init; } = static (_, _) => { };

    // 0
    /// <summary>Takes a study into memory when the file has it. It takes no time when it is there already, or nowhere.</summary>
    public ValueTask LoadAsync(Uid uid, CancellationToken cancellation) =>
        file is null || _studies.ContainsKey(uid) || !file.MayHave(uid) ? default : new(LoadFromAsync(file, uid, cancellation));

    private async Task LoadFromAsync(StudyFile from, Uid uid, CancellationToken cancellation)
    {
        var departures = Interlocked.Read(ref GetDepartures(uid));
        var generation = from.Generation;
        var found = await from.FindAsync(uid, cancellation);
        if (found.Study is not null) TryAdmit(uid, static study => study, departures, generation, found, out _);
    }

    /// <summary>A study as it is now, which is looked at; null when it is not known.</summary>
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

    /// <summary>The same without a trace: whoever looks at all of them pushes nothing out.</summary>
    public Study? Peek(Uid uid) =>
        _studies.TryGetValue(uid, out var entry) && Volatile.Read(ref entry.Study) is { } study ? study : file?.Find(uid, out _);

    /// <summary>Swaps a study for a newer one; one that is not known begins empty. The same one is no change.</summary>
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
            if (Interlocked.Add(ref _bytes, growth) > maxBytes) Evict();
            return (before, after);
        }
    }

    /// <summary>Drops a study from memory, changed or not, and whoever is just reading it from the file begins again.</summary>
    public void Drop(Uid uid)
    {
        Interlocked.Increment(ref GetDepartures(uid));
        if (!_studies.TryGetValue(uid, out var entry)) return;
        lock (entry)
        {
            if (!entry.IsEvicted) Remove(uid, entry);
        }
    }

    /// <summary>Whoever is just reading any study from the file begins again.</summary>
    public void DropReads()
    {
        for (var i = 0; i < _departures.Length; i++) Interlocked.Increment(ref _departures[i]);
    }

    /// <summary>Drops a study of which no backend says anything any more.</summary>
    public bool DropIfEmpty(Uid uid)
    {
        if (!_studies.TryGetValue(uid, out var entry)) return false;
        lock (entry)
        {
            if (entry.IsEvicted || entry.Study?.SeriesLists.IsEmpty != true) return false;
            Remove(uid, entry);
            return true;
        }
    }

    /// <summary>Numbers of uses go on where those in the file end.</summary>
    public void BeginUsesAt(long use)
    {
        for (var uses = Interlocked.Read(ref _uses); uses < use;)
        {
            var found = Interlocked.CompareExchange(ref _uses, use, uses);
            if (found == uses) return;
            uses = found;
        }
    }

    /// <summary>Takes a new budget; what is over it leaves.</summary>
    public void Resize(long bytes)
    {
        maxBytes = bytes;
        Shrink();
    }

    /// <summary>Lets go of what is over the budget.</summary>
    public void Shrink()
    {
        if (Bytes > maxBytes) Evict();
    }

    // 1
    /// <summary>
    /// Takes a study in that is not in memory, as the file has it or new, and changed; what is new and not changed is not taken in.
    /// </summary>
    /// <returns>False when somebody else was faster, or it left since it was read: look again.</returns>
    private bool TryAdmit(Uid uid, Func<Study, Study> change, out (Study Before, Study After) swapped)
    {
        var departures = Interlocked.Read(ref GetDepartures(uid));
        var generation = file?.Generation ?? 0;
        var isWhole = true;
        var kept = file?.MayHave(uid) == true ? file.Find(uid, out isWhole) : null;
        return TryAdmit(uid, change, departures, generation, new(kept, isWhole), out swapped);
    }

    /// <param name="uid">Which study.</param>
    /// <param name="change">Applied to it before anybody sees it.</param>
    /// <param name="departures">How often it had left when the file was read.</param>
    /// <param name="generation">Which file that was.</param>
    /// <param name="found">What the file had.</param>
    /// <param name="swapped">What it was, and is.</param>
    private bool TryAdmit(
        Uid uid, Func<Study, Study> change, long departures, int generation, FoundStudy found, out (Study Before, Study After) swapped)
    {
        var (kept, isWhole) = found;
        swapped = default;
        var entry = new Entry { Written = isWhole ? kept : null, WrittenTo = generation };
        lock (entry)
        {
            if (!_studies.TryAdd(uid, entry)) return false;
            var isIn = false;
            try
            {
                Interlocked.MemoryBarrier();
                if (Interlocked.Read(ref GetDepartures(uid)) != departures) return false;
                var before = kept ?? new Study(uid);
                swapped = (before, change(before));
                if (kept is null && ReferenceEquals(swapped.After, before)) return true;
                Use(entry);
                entry.Bytes = swapped.After.Bytes;
                Volatile.Write(ref entry.Study, swapped.After);
                if (!ReferenceEquals(swapped.After, entry.Written)) Interlocked.Increment(ref _changes);
                isIn = true;
                if (!ReferenceEquals(swapped.After, before)) Changed(before, swapped.After);
            }
            finally
            {
                if (!isIn)
                {
                    // Nobody saw more of it than that it is not there yet.
                    entry.IsEvicted = true;
                    _studies.TryRemove(uid, out _);
                }
            }
        }
        if (Interlocked.Add(ref _bytes, entry.Bytes) > maxBytes) Evict();
        return true;
    }

    private static void Wait(Entry entry)
    {
        lock (entry)
        {
            // Whoever brings it holds the lock until he is sure, or has taken it away again.
        }
    }

    private void Use(Entry entry) => Volatile.Write(ref entry.LastUse, Interlocked.Increment(ref _uses));

    private ref long GetDepartures(Uid uid) => ref _departures[(uint)uid.GetHashCode() % (uint)_departures.Length];

    // 3
    private void Evict()
    {
        if (!_evicting.TryEnter()) return;
        try
        {
            if (!EvictWritten() && Flush()) EvictWritten();
        }
        finally
        {
            _evicting.Exit();
        }
    }

    /// <summary>Down to nine tenths of the budget, the longest unused first. False when it is over the budget still.</summary>
    private bool EvictWritten()
    {
        // A copy: sorting takes the number of studies first, and others add some meanwhile.
        foreach (var (uid, entry) in _studies.ToArray().OrderBy(s => Volatile.Read(ref s.Value.LastUse)))
        {
            if (Bytes <= maxBytes / 10 * 9) break;
            lock (entry)
            {
                if (!entry.IsEvicted && entry.Study is not null && (file?.CanWrite != true || IsWritten(entry))) Remove(uid, entry);
            }
        }
        return Bytes <= maxBytes;
    }

    private bool IsWritten(Entry entry) => ReferenceEquals(entry.Study, entry.Written) && entry.WrittenTo == file!.Generation;

    /// <summary>Under the entry's lock.</summary>
    private void Remove(Uid uid, Entry entry)
    {
        entry.IsEvicted = true;
        if (file is not null)
        {
            Interlocked.Increment(ref GetDepartures(uid));
            if (file.CanWrite && entry.LastUse > entry.WrittenUse) LateUses[uid] = entry.LastUse;
        }
        _studies.TryRemove(uid, out _);
        Interlocked.Add(ref _bytes, -entry.Bytes);
    }
}
