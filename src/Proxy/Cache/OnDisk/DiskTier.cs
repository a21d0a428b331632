using Proxy.Cache.InMemory;
using Proxy.Disk;
using Proxy.Operations;

namespace Proxy.Cache.OnDisk;

/// <summary>
/// The tier on the disk of this process: its entries are found by the hash of their key and verified before their first byte is sent.
/// </summary>
/// <remarks>
/// Lookups need no index: the file exists or not. An invalid file is deleted, counted, and a miss.
/// </remarks>
/// <param name="folder">The cache folder.</param>
/// <param name="writer">Makes all changes to the folder.</param>
/// <param name="identityOf">The identity under which a backend's entries are stored; null when it is not configured.</param>
/// <param name="inFlight">Counts small bodies that are read into memory at once.</param>
/// <param name="time">The clock.</param>
/// <param name="counters">Counts damaged entries.</param>
/// <param name="log">Logs damaged entries.</param>
public sealed partial class DiskTier(
    CacheFolder folder, DiskWriter writer, Func<string, string?> identityOf, InFlightBytes inFlight, TimeProvider time, Counters counters,
    ILogger<DiskTier> log) : IBodyTier
{
    private long _damaged;

    /// <summary>
    /// Checks by its first bytes whether a body matches its key; one that was stored before answers were validated may not. Null accepts
    /// all.
    /// </summary>
    public BodySoundness? IsSound { get; init; }

    /// <inheritdoc/>
    public bool CanWrite => folder.State.CanWrite;

    /// <inheritdoc/>
    public bool KeepsUp => folder.State.CanWrite && writer.Queue.HasRoom;

    /// <summary>The state of the cache folder.</summary>
    public FolderState State => folder.State;

    /// <summary>The writer of this tier.</summary>
    public DiskWriter Writer => writer;

    /// <summary>The number of invalid files found so far.</summary>
    public long Damaged => Interlocked.Read(ref _damaged);

    /// <inheritdoc/>
    public CacheStatistics Statistics { get; } = CountEvictions(writer);

    /// <inheritdoc/>
    public async ValueTask<(EntryKey Key, ICachedBody Body)?> FindAsync(
        IReadOnlyList<AcceptableEntry> wanted, CancellationToken cancellation)
    {
        if (!folder.State.CanRead || identityOf(wanted[0].Key.Backend) is not { } identity) return null;
        var candidates = new List<(AcceptableEntry Wanted, EntryKey Stored)>(wanted.Count);
        foreach (var acceptable in wanted)
        {
            var stored = acceptable.Key with { Backend = identity };
            if (writer.Queue.IsBeingRemoved(stored)) continue;
            if (writer.Queue.Find(stored) is { } queued && acceptable.IsSatisfiedBy(queued.Head))
            {
                Statistics.Count(acceptable.Key, isHit: true);
                if (queued.IsPrefetched) writer.Use(stored);
                return (acceptable.Key, new MemoryBody(queued));
            }
            if (FindOpen(acceptable, stored) is { } open)
            {
                Statistics.Count(acceptable.Key, isHit: true);
                return (acceptable.Key, open);
            }
            candidates.Add((acceptable, stored));
        }
        var changes = writer.OpenFiles.Changes;
        var found = candidates.Count == 0 ? null : await folder.RunAsync(() => OpenFirst(candidates), cancellation);
        if (found?.Body is FileBody file && !await IsValidOrDisposedAsync(file, found, cancellation)) found = null;
        if (found?.Body is FileBody { File: { } opened } && IsVerified(found.Stored, opened.Written))
            writer.OpenFiles.Keep(found.Stored, opened, changes);
        Statistics.Count(wanted[0].Key, isHit: found is not null);
        return found is null ? null : (found.Key, found.Body);
    }

    /// <inheritdoc/>
    /// <remarks>Judges by the head of an entry, and verifies no body.</remarks>
    public async ValueTask<bool> HasAsync(IReadOnlyList<AcceptableEntry> wanted, CancellationToken cancellation) =>
        await CountMissingAsync([wanted], max: 0, cancellation) == 0;

    /// <inheritdoc/>
    public async ValueTask<int> CountMissingAsync(
        IReadOnlyList<IReadOnlyList<AcceptableEntry>> wanted, int max, CancellationToken cancellation)
    {
        if (wanted.Count == 0) return 0;
        var most = Math.Min(wanted.Count, max + 1);
        if (!folder.State.CanRead || identityOf(wanted[0][0].Key.Backend) is not { } identity) return most;
        var unqueued = wanted
            .Select(body => body.Select(acceptable => acceptable with { Key = acceptable.Key with { Backend = identity } })
                .Where(candidate => !writer.Queue.IsBeingRemoved(candidate.Key)).ToList())
            .Where(body => !body.Exists(c => writer.Queue.Find(c.Key) is { } queued && c.IsSatisfiedBy(queued.Head))).ToList();
        if (unqueued.Count == 0) return 0;
        return (await folder.RunAsync(() => new Missing(unqueued.Where(body => !body.Exists(Exists)).Take(most).Count()), cancellation))
            ?.Count ?? most;
    }

    /// <inheritdoc/>
    public void Use(EntryKey key)
    {
        if (identityOf(key.Backend) is { } identity) writer.Use(key with { Backend = identity });
    }

    /// <inheritdoc/>
    public bool HasRoomForPrefetched(long bytes) => folder.State.CanWrite && writer.HasRoomForPrefetched(bytes);

    /// <inheritdoc/>
    /// <remarks>Queues the body: its client does not wait for the disk.</remarks>
    public ValueTask AddAsync(EntryKey key, Entry entry)
    {
        if (identityOf(key.Backend) is { } identity) writer.Add(key with { Backend = identity }, entry);
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public async Task<ISpool?> BeginAsync(EntryKey key, EntryHead head) =>
        identityOf(key.Backend) is { } identity && !(head.Length > writer.MaxBytes / 4)
            ? await Spool.BeginAsync(folder, writer, key with { Backend = identity }, head)
            : null;

    /// <inheritdoc/>
    public Task<bool> AddAsync(ISpool spool, Func<bool> isPrefetched) => writer.Queue.AddAsync((Spool)spool, isPrefetched);

    /// <inheritdoc/>
    public IDisposable TrackFetch() => writer.Queue.TrackFetch();

    /// <inheritdoc/>
    public Task<bool> RemoveAsync(Removal removal)
    {
        if (!folder.IsConfigured) return Task.FromResult(true);
        if (removal.Backend is null) return writer.Queue.RemoveAsync(removal);
        if (removal.Study is not null)
            return identityOf(removal.Backend) is { } identity
                ? writer.Queue.RemoveAsync(removal with { Backend = identity })
                : Task.FromResult(true);
        // A backend that is removed or changed has another identity: its old entries can no longer be found.
        writer.Queue.RemoveUnconfigured();
        return identityOf(removal.Backend) is { } current
            ? writer.Queue.RemoveAsync(removal with { Backend = current })
            : Task.FromResult(true);
    }

    /// <inheritdoc/>
    public void Expire(DateTimeOffset before)
    {
        if (folder.IsConfigured) writer.Queue.Expire(before);
    }

    private sealed record Missing(int Count);

    private static CacheStatistics CountEvictions(DiskWriter writer)
    {
        var statistics = new CacheStatistics();
        writer.Evicted += statistics.CountEvictions;
        return statistics;
    }
}
