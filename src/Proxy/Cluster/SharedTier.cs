using Proxy.Cache;
using Proxy.Cluster.Changes;

namespace Proxy.Cluster;

/// <summary>The disk tier with the engine behind it: what the disk does not have is looked up in the engine.</summary>
/// <param name="disk">The local tier.</param>
/// <param name="bodies">The bodies in the engine.</param>
/// <param name="writer">Writes them.</param>
/// <param name="changes">The log of changes.</param>
/// <param name="identityOf">The identity of a backend, as in the disk tier; null when it is not configured.</param>
/// <param name="isSound">Checks whether a body matches its key.</param>
/// <param name="maxBytes">The length of the largest shared body, in bytes.</param>
internal sealed class SharedTier(
    IBodyTier disk, SharedBodies bodies, SharedWriter writer, ChangeLog changes, Func<string, string?> identityOf, BodySoundness isSound,
    long maxBytes) : IBodyTier
{
    /// <summary>How long a purge waits until the other nodes are told.</summary>
    private static readonly TimeSpan MaxAnnouncement = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();

    /// <summary>The removals from this node; with <see cref="_lock"/>, a removal comes before or after an addition to the disk.</summary>
    private readonly RemovalLog _removals = new();

    /// <inheritdoc/>
    public CacheStatistics Statistics => disk.Statistics;

    /// <inheritdoc/>
    public bool CanWrite => disk.CanWrite;

    /// <inheritdoc/>
    public bool KeepsUp => disk.KeepsUp;

    /// <inheritdoc/>
    public bool HasRoomForPrefetched(long bytes) => disk.HasRoomForPrefetched(bytes);

    /// <inheritdoc/>
    public async ValueTask<(EntryKey Key, ICachedBody Body)?> FindAsync(
        IReadOnlyList<AcceptableEntry> wanted, CancellationToken cancellation)
    {
        if (await disk.FindAsync(wanted, cancellation) is { } local) return local;
        if (identityOf(wanted[0].Key.Backend) is not { } identity) return null;
        var removals = _removals.Count;
        var found = await bodies.FindAsync(wanted, identity, cancellation);
        if (found is var (index, body))
        {
            var key = wanted[index].Key;
            var isValid = isSound(key, body);
            if (isValid && await TryStoreAsync(key, body, removals))
            {
                bodies.Statistics.Count(key, isHit: true);
                return (key, body);
            }
            body.Dispose();
            if (!isValid) await bodies.RemoveAsync(key with { Backend = identity });
        }
        bodies.Statistics.Count(wanted[0].Key, isHit: false);
        return null;
    }

    /// <inheritdoc/>
    public async ValueTask<bool> HasAsync(IReadOnlyList<AcceptableEntry> wanted, CancellationToken cancellation) =>
        await disk.HasAsync(wanted, cancellation)
            || identityOf(wanted[0].Key.Backend) is { } identity && await bodies.HasAsync(wanted, identity, cancellation);

    /// <inheritdoc/>
    /// <remarks>Counts those in the engine as missing: a look-up of a whole series would load it.</remarks>
    public ValueTask<int> CountMissingAsync(
        IReadOnlyList<IReadOnlyList<AcceptableEntry>> wanted, int max, CancellationToken cancellation) =>
        disk.CountMissingAsync(wanted, max, cancellation);

    /// <inheritdoc/>
    public void Use(EntryKey key) => disk.Use(key);

    /// <inheritdoc/>
    public ValueTask AddAsync(EntryKey key, Entry entry)
    {
        if (entry.Length <= maxBytes && changes.Position is { } position && identityOf(key.Backend) is { } identity)
            writer.Add(position, key, identity, entry);
        return disk.AddAsync(key, entry);
    }

    /// <inheritdoc/>
    public Task<ISpool?> BeginAsync(EntryKey key, EntryHead head) => disk.BeginAsync(key, head);

    /// <inheritdoc/>
    public Task<bool> AddAsync(ISpool spool, Func<bool> isPrefetched) => disk.AddAsync(spool, isPrefetched);

    /// <inheritdoc/>
    public async Task<bool> RemoveAsync(Removal removal)
    {
        // First: a look-up from now on finds nothing in the engine, and the disk does not get what an earlier one found.
        var announced = removal.Path is null ? changes.AnnounceAsync(removal) : RemoveOneAsync(removal, removal.Path);
        Task<bool> onDisk;
        lock (_lock)
        {
            _removals.End(_removals.Begin(removal));
            onDisk = disk.RemoveAsync(removal);
        }
        var isOnDisk = await onDisk;
        try
        {
            await announced.WaitAsync(MaxAnnouncement, TimeProvider.System);
        }
        catch (TimeoutException)
        {
            return false;
        }
        return isOnDisk;
    }

    /// <inheritdoc/>
    public void Expire(DateTimeOffset before) => disk.Expire(before);

    /// <inheritdoc/>
    public IDisposable TrackFetch() => disk.TrackFetch();

    /// <summary>Stores a body of the engine on disk; false when it was removed since the look-up began.</summary>
    private async ValueTask<bool> TryStoreAsync(EntryKey key, Cache.InMemory.MemoryBody body, int removals)
    {
        var copy = disk.CanWrite && disk.KeepsUp ? Copy(body) : null;
        ValueTask adding = default;
        lock (_lock)
        {
            if (_removals.HasSince(key, removals)) return false;
            if (copy is not null) adding = disk.AddAsync(key, copy);
        }
        await adding;
        return true;
    }

    /// <summary>Deletes one body; when the engine does not answer, all of its instance is invalid from now on.</summary>
    private async Task RemoveOneAsync(Removal removal, string path)
    {
        if (identityOf(removal.Backend!) is { } identity
            && !await bodies.RemoveAsync(new(identity, path, removal.Representation!.Value)))
            await changes.AnnounceAsync(removal with { Path = null, Representation = null });
    }

    /// <summary>The body in arrays of its own, which the disk writes later.</summary>
    private static Entry Copy(Cache.InMemory.MemoryBody body)
    {
        var bytes = GC.AllocateUninitializedArray<byte>((int)body.Length);
        body.ReadAt(0, bytes);
        return new(body.Head, [bytes], bytes.Length, body.Stored!.Value, body.IsPrefetched);
    }
}
