using Proxy.Dicom;

namespace Proxy.Metadata;

/// <summary>How studies leave the memory.</summary>
internal sealed partial class StudyTable
{
    /// <summary>Drops a study from memory, changed or not. A concurrent read from the file starts over.</summary>
    public void Drop(Uid uid)
    {
        Interlocked.Increment(ref GetEvictions(uid));
        if (!_studies.TryGetValue(uid, out var entry)) return;
        lock (entry)
        {
            if (!entry.IsEvicted) Remove(uid, entry);
        }
    }

    /// <summary>Makes every concurrent read from the file start over.</summary>
    public void InvalidateReads()
    {
        for (var i = 0; i < _evictions.Length; i++) Interlocked.Increment(ref _evictions[i]);
    }

    /// <summary>Drops a study without any series list.</summary>
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

    /// <summary>Sets a new budget and evicts the excess.</summary>
    public void Resize(long bytes)
    {
        Volatile.Write(ref _maxBytes, bytes);
        Shrink();
    }

    /// <summary>Evicts the excess over the budget.</summary>
    public void Shrink()
    {
        if (Bytes > MaxBytes) Evict();
    }

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

    /// <summary>Evicts the least recently used studies, down to nine tenths of the budget. False when still over the budget.</summary>
    private bool EvictWritten()
    {
        // Copy first: sorting reads the count once, while other threads add studies.
        foreach (var (uid, entry) in _studies.ToArray().OrderBy(s => Volatile.Read(ref s.Value.LastUse)))
        {
            if (Bytes <= MaxBytes / 10 * 9) break;
            lock (entry)
            {
                if (!entry.IsEvicted && entry.Study is not null && (file?.CanWrite != true || IsWritten(entry))) TryEvict(uid, entry);
            }
        }
        return Bytes <= MaxBytes;
    }

    private bool IsWritten(Entry entry) => ReferenceEquals(entry.Study, entry.Written) && entry.WrittenTo == file!.Generation;

    /// <summary>Removes a study unless it has a lease. Call under the lock of the entry.</summary>
    private void TryEvict(Uid uid, Entry entry)
    {
        entry.IsEvicted = true;
        Interlocked.MemoryBarrier();
        if (_leases.Has(uid)) entry.IsEvicted = false;
        else Remove(uid, entry);
    }

    /// <summary>Call under the lock of the entry.</summary>
    private void Remove(Uid uid, Entry entry)
    {
        entry.IsEvicted = true;
        if (file is not null)
        {
            Interlocked.Increment(ref GetEvictions(uid));
            if (file.CanWrite && entry.LastUse > entry.WrittenUse) UnwrittenUses[uid] = entry.LastUse;
        }
        _studies.TryRemove(uid, out _);
        Interlocked.Add(ref _bytes, -entry.Bytes);
    }
}
