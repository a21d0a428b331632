using System.Collections.Concurrent;
using Proxy.Dicom;

namespace Proxy.Store;

/// <summary>The studies that are known, under a budget: the one place where one is swapped for a newer one.</summary>
/// <remarks>
/// Writers to one study wait for each other, readers for nobody. The studies that nobody looked at for longest leave
/// when <paramref name="maxBytes"/> is passed.
/// </remarks>
/// <param name="maxBytes">The most memory that studies may hold, in bytes.</param>
internal sealed class StudyTable(long maxBytes)
{
    private readonly ConcurrentDictionary<Uid, Entry> _studies = new();
    private readonly Lock _evicting = new();
    private long _bytes;
    private long _uses;

    /// <summary>The one mutable holder of a study.</summary>
    private sealed class Entry(Uid uid)
    {
        public Study Study = new(uid);
        public long Bytes;
        public long LastUse;
        public bool IsEvicted;
    }

    public long Bytes => Interlocked.Read(ref _bytes);

    public int Count => _studies.Count;

    public IEnumerable<Uid> Uids => _studies.Keys;

    public bool Has(Uid uid) => _studies.ContainsKey(uid);

    /// <summary>A study as it is now, which is looked at; null when it is not known.</summary>
    public Study? Find(Uid uid)
    {
        if (!_studies.TryGetValue(uid, out var entry)) return null;
        Volatile.Write(ref entry.LastUse, Interlocked.Increment(ref _uses));
        return Volatile.Read(ref entry.Study);
    }

    /// <summary>Swaps a study for a newer one; one that is not known begins empty.</summary>
    public (Study Before, Study After) Update(Uid uid, Func<Study, Study> change)
    {
        while (true)
        {
            var entry = _studies.GetOrAdd(uid, static uid => new(uid));
            Study before, after;
            long growth;
            lock (entry)
            {
                if (entry.IsEvicted) continue;
                before = entry.Study;
                after = change(before);
                Volatile.Write(ref entry.Study, after);
                Volatile.Write(ref entry.LastUse, Interlocked.Increment(ref _uses));
                growth = after.Bytes - entry.Bytes;
                entry.Bytes += growth;
            }
            if (Interlocked.Add(ref _bytes, growth) > maxBytes) Evict();
            return (before, after);
        }
    }

    /// <summary>Removes a study of which no backend says anything any more.</summary>
    public void RemoveIfEmpty(Uid uid)
    {
        if (!_studies.TryGetValue(uid, out var entry)) return;
        lock (entry)
        {
            if (!entry.IsEvicted && entry.Study.SeriesLists.IsEmpty) Remove(uid, entry);
        }
    }

    /// <summary>Takes a new budget; what is over it leaves.</summary>
    public void Resize(long bytes)
    {
        maxBytes = bytes;
        if (Bytes > maxBytes) Evict();
    }

    /// <summary>Down to nine tenths of the budget, the longest unused first.</summary>
    private void Evict()
    {
        if (!_evicting.TryEnter()) return;
        try
        {
            // A copy: sorting takes the number of studies first, and others add some meanwhile.
            foreach (var (uid, entry) in _studies.ToArray().OrderBy(s => Volatile.Read(ref s.Value.LastUse)))
            {
                if (Bytes <= maxBytes / 10 * 9) break;
                lock (entry) Remove(uid, entry);
            }
        }
        finally
        {
            _evicting.Exit();
        }
    }

    /// <summary>Under the entry's lock.</summary>
    private void Remove(Uid uid, Entry entry)
    {
        entry.IsEvicted = true;
        _studies.TryRemove(uid, out _);
        Interlocked.Add(ref _bytes, -entry.Bytes);
    }
}
