namespace Proxy.Cache.OnDisk;

/// <summary>The budget of the cache folder, and the evictions that keep it. Single-threaded unless stated.</summary>
/// <remarks>
/// Over the budget the least valuable series are evicted, down to nine tenths of it. A prefetched entry evicts only series that have
/// been idle for <see cref="IdleAfter"/>, and no more than it needs.
/// </remarks>
/// <param name="index">The bytes per series folder.</param>
/// <param name="nameOf">Maps a backend's identity to its configured name; null when it is not configured.</param>
/// <param name="discard">Deletes the folder of a series.</param>
internal sealed class EntryBudget(DiskIndex index, Func<string, string?> nameOf, Action<string> discard)
{
    /// <summary>The block size of the disk, in bytes: a file occupies whole blocks.</summary>
    private const int BlockBytes = 4096;

    /// <summary>A prefetch never evicts series that were used within this time.</summary>
    public static readonly TimeSpan IdleAfter = TimeSpan.FromMinutes(30);

    /// <summary>Bytes reserved for the files being written, by folder.</summary>
    private readonly Dictionary<string, long> _reserved = [];
    private long _maxBytes;
    private long _evictions;
    private long _spooled;

    /// <summary>The budget, in bytes on disk. From any thread.</summary>
    public long MaxBytes
    {
        get => Interlocked.Read(ref _maxBytes);
        set => Interlocked.Exchange(ref _maxBytes, value);
    }

    /// <summary>Bytes reserved for bodies that arrive in files. From any thread.</summary>
    public long Spooled => Interlocked.Read(ref _spooled);

    /// <summary>Reserves room for an arriving body without eviction. From any thread.</summary>
    public bool TryReserveSpool(long bytes)
    {
        if (Interlocked.Add(ref _spooled, bytes) + index.Bytes <= MaxBytes) return true;
        ReleaseSpool(bytes);
        return false;
    }

    /// <summary>Reserves room for an arriving body and evicts series for it; arriving bodies get at most half of the budget.</summary>
    public bool TryReserveSpoolWithEviction(long bytes)
    {
        if (Spooled + bytes > MaxBytes / 2) return false;
        EvictDownTo(MaxBytes - Spooled - bytes, () => index.LeastValuable(16));
        return TryReserveSpool(bytes);
    }

    /// <summary>Releases reserved room. From any thread.</summary>
    public void ReleaseSpool(long bytes) => Interlocked.Add(ref _spooled, -bytes);

    /// <summary>The number of entries evicted to make room for others.</summary>
    public long Evictions => Interlocked.Read(ref _evictions);

    /// <summary>The maximum size of prefetched entries that no client has requested yet, in bytes.</summary>
    public long MaxPrefetchedBytes => MaxBytes / 4;

    /// <summary>Raised for each evicted series with the name of its backend and the number of its entries.</summary>
    public event Action<string, long>? Evicted;

    /// <summary>Releases all reservations: the files are stored or given up.</summary>
    public void Clear() => _reserved.Clear();

    /// <summary>
    /// Reserves room for an entry and evicts for it. One series gets at most a quarter of the budget: a larger one would evict all others.
    /// Prefetched entries get at most a quarter as well, and never evict each other, as that would gain nothing.
    /// </summary>
    public bool TryMakeRoom(EntryKey key, long bytes, bool isPrefetch)
    {
        var (max, needed, folder) = (MaxBytes, RoundUpToBlocks(bytes), EntryFile.GetFolder(key));
        var (inFolder, all) = (_reserved.GetValueOrDefault(folder), _reserved.Values.Sum());
        if (index.GetBytes(folder) + inFolder + needed > max / 4) return false;
        if (isPrefetch && index.PrefetchedBytes + all + needed > MaxPrefetchedBytes) return false;
        all += Spooled;
        if (index.Bytes + all + needed > max)
        {
            if (isPrefetch) EvictDownTo(max - all - needed, () => index.LeastValuableIdle(IdleAfter, folder, 16));
            else EvictDownTo(max / 10 * 9 - all - needed, () => index.LeastValuable(16));
        }
        if (index.Bytes + all + needed > max) return false;
        _reserved[folder] = inFolder + needed;
        return true;
    }

    private void EvictDownTo(long bytes, Func<IReadOnlyList<string>> leastValuable)
    {
        while (index.Bytes > bytes && leastValuable() is { Count: > 0 } folders)
        {
            var before = index.Bytes;
            foreach (var folder in folders.TakeWhile(_ => index.Bytes > bytes))
            {
                var row = index.Find(folder);
                discard(folder);
                if (row is { } evicted) CountEviction(evicted.Backend, evicted.Entries);
            }
            // The database cannot be changed, or the index is behind the disk.
            if (index.Bytes == before) return;
        }
    }

    /// <summary>Counts and reports an evicted series.</summary>
    /// <param name="identity">The identity of its backend.</param>
    /// <param name="entries">The number of its entries.</param>
    public void CountEviction(string identity, long entries)
    {
        Interlocked.Add(ref _evictions, entries);
        Evicted?.Invoke(nameOf(identity) ?? "", entries);
    }

    /// <summary>The size of a file in whole blocks, in bytes.</summary>
    public static long RoundUpToBlocks(long bytes) => (bytes + BlockBytes - 1) / BlockBytes * BlockBytes;
}
