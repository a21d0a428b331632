namespace Proxy.Cache.OnDisk;

/// <summary>How much may lie in the cache folder, and what leaves for what comes. For one thread.</summary>
/// <remarks>
/// Over the budget the series that are worth least leave, down to nine tenths of it; for what was fetched ahead only such
/// as nobody used for a while, and no more than are in its way.
/// </remarks>
/// <param name="index">How much lies where.</param>
/// <param name="nameOf">The name of the configured backend that has an identity; null when none has.</param>
/// <param name="discard">Takes a whole series away.</param>
internal sealed class EntryBudget(DiskIndex index, Func<string, string?> nameOf, Action<string> discard)
{
    /// <summary>What disks give out, in bytes: a file takes up whole ones.</summary>
    private const int BlockBytes = 4096;

    /// <summary>What was used within this time stays, whatever is fetched ahead.</summary>
    public static readonly TimeSpan IdleAfter = TimeSpan.FromMinutes(30);

    /// <summary>Room by folder for what is being written.</summary>
    private readonly Dictionary<string, long> _reserved = [];
    private long _maxBytes;
    private long _evictions;
    private long _spooled;

    /// <summary>The budget, in bytes on disk.</summary>
    public long MaxBytes
    {
        get => Interlocked.Read(ref _maxBytes);
        set => Interlocked.Exchange(ref _maxBytes, value);
    }

    /// <summary>Room that bodies have which are on their way into files, in bytes. From any thread.</summary>
    public long Spooled => Interlocked.Read(ref _spooled);

    /// <summary>Takes room for a body on its way when it is free as it is. From any thread.</summary>
    public bool TryTakeSpoolRoom(long bytes)
    {
        if (Interlocked.Add(ref _spooled, bytes) + index.Bytes <= MaxBytes) return true;
        ReturnSpoolRoom(bytes);
        return false;
    }

    /// <summary>The same, and series leave for it; half of the budget at most is given to bodies on their way.</summary>
    public bool TryMakeSpoolRoom(long bytes)
    {
        if (Spooled + bytes > MaxBytes / 2) return false;
        EvictDownTo(MaxBytes - Spooled - bytes, () => index.LeastValuable(16));
        return TryTakeSpoolRoom(bytes);
    }

    public void ReturnSpoolRoom(long bytes) => Interlocked.Add(ref _spooled, -bytes);

    /// <summary>Entries that left because others needed the room.</summary>
    public long Evictions => Interlocked.Read(ref _evictions);

    /// <summary>What was fetched ahead and nobody asked for yet may take so much, in bytes.</summary>
    public long MaxPrefetchedBytes => MaxBytes / 4;

    /// <summary>Told of each series that left because others needed the room: whose it was, and how many entries.</summary>
    public event Action<string, long>? Evicted;

    /// <summary>What was being written is in its place, or given up.</summary>
    public void Clear() => _reserved.Clear();

    /// <summary>
    /// Within the budget, and a quarter of it for one series at most: one that is larger would throw out all others. A
    /// quarter, too, for all that was fetched ahead, which throws out none of its own kind: nobody would gain.
    /// </summary>
    public bool TryMakeRoom(EntryKey key, long bytes, bool isAhead)
    {
        var (max, needed, place) = (MaxBytes, OnDisk(bytes), EntryFile.GetFolder(key));
        var (here, all) = (_reserved.GetValueOrDefault(place), _reserved.Values.Sum());
        if (index.GetBytes(place) + here + needed > max / 4) return false;
        if (isAhead && index.PrefetchedBytes + all + needed > MaxPrefetchedBytes) return false;
        all += Spooled;
        if (index.Bytes + all + needed > max)
        {
            if (isAhead) EvictDownTo(max - all - needed, () => index.LeastValuableIdle(IdleAfter, place, 16));
            else EvictDownTo(max / 10 * 9 - all - needed, () => index.LeastValuable(16));
        }
        if (index.Bytes + all + needed > max) return false;
        _reserved[place] = here + needed;
        return true;
    }

    private void EvictDownTo(long bytes, Func<IReadOnlyList<string>> leastValuable)
    {
        while (index.Bytes > bytes && leastValuable() is { Count: > 0 } places)
        {
            var before = index.Bytes;
            foreach (var place in places.TakeWhile(_ => index.Bytes > bytes))
            {
                var row = index.Find(place);
                discard(place);
                if (row is { } gone) Note(gone.Backend, gone.Entries);
            }
            // The index cannot be changed, or does not know what is there.
            if (index.Bytes == before) return;
        }
    }

    /// <summary>Tells of a series that left.</summary>
    /// <param name="identity">Whose it was.</param>
    /// <param name="entries">How many.</param>
    public void Note(string identity, long entries)
    {
        Interlocked.Add(ref _evictions, entries);
        Evicted?.Invoke(nameOf(identity) ?? "", entries);
    }

    /// <summary>What a file takes up, in bytes.</summary>
    public static long OnDisk(long bytes) => (bytes + BlockBytes - 1) / BlockBytes * BlockBytes;
}
