namespace Proxy.Cache;

/// <summary>A tier behind the memory: on the disk of this process, or on other machines.</summary>
/// <remarks>
/// Every member returns at once or is awaited; none blocks a thread. Calls take effect in their order: what is added is found and what is
/// removed is not found from the call on, although the returned task completes later. A fault of the tier is a miss.
/// </remarks>
public interface IBodyTier
{
    /// <summary>Lookups and evictions of the tier, by backend.</summary>
    public CacheStatistics Statistics { get; }

    /// <summary>True when bodies can be added now.</summary>
    public bool CanWrite { get; }

    /// <summary>True when bodies can be added now, and few of the last ones wait to be stored: the next ones are not dropped.</summary>
    public bool KeepsUp { get; }

    /// <summary>True when this number of bytes can be prefetched without evicting recently used series.</summary>
    public bool HasRoomForPrefetched(long bytes);

    /// <summary>Finds and opens the first acceptable entry, and marks it as used.</summary>
    /// <param name="wanted">Entries of one backend.</param>
    /// <param name="cancellation">Cancelled when the client disconnects.</param>
    public ValueTask<(EntryKey Key, ICachedBody Body)?> FindAsync(IReadOnlyList<AcceptableEntry> wanted, CancellationToken cancellation);

    /// <summary>True when the tier has one of these. Neither counts nor marks a use.</summary>
    /// <param name="wanted">Entries of one backend.</param>
    /// <param name="cancellation">Cancelled when the caller gives up.</param>
    public ValueTask<bool> HasAsync(IReadOnlyList<AcceptableEntry> wanted, CancellationToken cancellation);

    /// <summary>The number of bodies that <see cref="HasAsync"/> does not find, counted up to <paramref name="max"/> + 1.</summary>
    /// <param name="wanted">The acceptable entries of each body, all of one backend.</param>
    /// <param name="max">The count at which the look-up ends.</param>
    /// <param name="cancellation">Cancelled when the caller gives up.</param>
    public ValueTask<int> CountMissingAsync(
        IReadOnlyList<IReadOnlyList<AcceptableEntry>> wanted, int max, CancellationToken cancellation);

    /// <summary>Notes that an entry was used, after a hit in memory.</summary>
    public void Use(EntryKey key);

    /// <summary>Adds a complete body, or drops it when there is no room.</summary>
    public ValueTask AddAsync(EntryKey key, Entry entry);

    /// <summary>Begins a body too large for memory; null when it cannot be stored.</summary>
    public Task<ISpool?> BeginAsync(EntryKey key, EntryHead head);

    /// <summary>Stores a body of <see cref="BeginAsync"/> that has ended.</summary>
    /// <param name="spool">The body.</param>
    /// <param name="isPrefetched">True when it was prefetched and no client has asked for it by now.</param>
    /// <returns>False when it cannot be stored.</returns>
    public Task<bool> AddAsync(ISpool spool, Func<bool> isPrefetched);

    /// <summary>Removes entries.</summary>
    /// <returns>True once no trace of them is left; false when the tier cannot be changed now.</returns>
    public Task<bool> RemoveAsync(Removal removal);

    /// <summary>Removes, in the background, at least the bodies that were stored before a time.</summary>
    public void Expire(DateTimeOffset before);

    /// <summary>
    /// Counts a running fetch until the returned handle is disposed: clients wait for it, so other work of the tier may wait.
    /// </summary>
    public IDisposable TrackFetch();
}

/// <summary>A body too large for memory that a tier takes as it arrives; readers that lag behind read it from there.</summary>
/// <remarks>Disposed without being added, it is dropped.</remarks>
public interface ISpool : IDisposable
{
    /// <summary>Appends bytes; false when they cannot be stored.</summary>
    public ValueTask<bool> AppendAsync(ReadOnlyMemory<byte> bytes);

    /// <summary>Reads appended bytes from a position; 0 when the tier fails.</summary>
    public ValueTask<int> ReadAsync(long position, Memory<byte> buffer, CancellationToken cancellation);

    /// <summary>Removes it from the tier, except for its present readers: it was purged while it arrives.</summary>
    public Task UnlinkAsync();

    /// <summary>Marks the body as complete.</summary>
    /// <param name="now">The time of the last byte.</param>
    public void End(DateTimeOffset now);
}
