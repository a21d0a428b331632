using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;

namespace Proxy.Cache.OnDisk;

/// <summary>The queue of changes to the disk, in order of arrival; lookups already see their effect.</summary>
/// <remarks>
/// A queued body is found here, and a body queued for removal is not found. Writes wait for a short time while bodies are being fetched,
/// as clients wait for those.
/// </remarks>
public sealed class DiskQueue
{
    /// <summary>
    /// The upper bound of <see cref="MaxBytes"/>. When the disk is slower than the backends, excess bodies are dropped and no client waits.
    /// </summary>
    public const long MaxBytesLimit = 128L << 20;

    /// <summary>The maximum of removals pending while the disk cannot be changed; one more removes everything.</summary>
    private const int MaxRemovals = 1000;

    /// <summary>The maximum time for which writes wait for running fetches.</summary>
    private static readonly TimeSpan HoldTime = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(25);

    private static readonly Removal All = new();

    private readonly Channel<DiskJob> _jobs = Channel.CreateUnbounded<DiskJob>(new() { SingleReader = true });
    private readonly ConcurrentDictionary<EntryKey, DiskJob.Write> _bodies = new();
    private ImmutableList<Removal> _removals = [];
    private long _bytes;
    private int _fetches;
    private int _awaited;

    /// <summary>The maximum of queued bytes: a share of the memory, at most <see cref="MaxBytesLimit"/>.</summary>
    public long MaxBytes { get; set; } = MaxBytesLimit;

    /// <summary>True when no job is queued.</summary>
    public bool IsEmpty => !_jobs.Reader.TryPeek(out _);

    /// <summary>The size of the queued bodies, in bytes.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>True while a quarter of the queue is free, so that bodies which arrive now are not dropped.</summary>
    public bool HasRoom => Bytes < MaxBytes / 4 * 3;

    /// <summary>Finds a body that is queued for writing.</summary>
    public Entry? Find(EntryKey key) => _bodies.TryGetValue(key, out var write) ? write.Entry : null;

    /// <summary>Marks a queued body as used by a client.</summary>
    public void Use(EntryKey key)
    {
        if (_bodies.TryGetValue(key, out var write)) write.Use();
    }

    /// <summary>True when the entry is queued for removal, and so must not be found.</summary>
    public bool IsBeingRemoved(EntryKey key)
    {
        foreach (var removal in Volatile.Read(ref _removals))
        {
            if (removal.Matches(key)) return true;
        }
        return false;
    }

    /// <summary>Counts a running fetch until the returned handle is disposed.</summary>
    public IDisposable TrackFetch()
    {
        Interlocked.Increment(ref _fetches);
        return new Fetch(this);
    }

    /// <summary>Queues a body for writing; false when the queue is full.</summary>
    public bool TryAdd(EntryKey key, Entry entry)
    {
        if (Interlocked.Read(ref _bytes) + entry.Length > MaxBytes) return false;
        var write = new DiskJob.Write(key, entry);
        if (!_bodies.TryAdd(key, write)) return true;
        Interlocked.Add(ref _bytes, entry.Length);
        entry.Usage?.AddReader();
        _jobs.Writer.TryWrite(write);
        return true;
    }

    /// <summary>Queues a spooled body; true once it is stored, false when it cannot be.</summary>
    public Task<bool> AddAsync(Spool spool, Func<bool> isPrefetched) => AddAwaited(done => new DiskJob.Commit(spool, isPrefetched, done));

    /// <summary>Queues a reservation for a body that arrives in a file; true once it has the room.</summary>
    public Task<bool> MakeRoomAsync(long bytes) => AddAwaited(done => new DiskJob.MakeRoom(bytes, done));

    /// <summary>Queues a removal; entries are not found from now on.</summary>
    /// <returns>True once no trace is left on disk; false when the disk cannot be changed now.</returns>
    public Task<bool> RemoveAsync(Removal removal)
    {
        var removals = Volatile.Read(ref _removals);
        if (removals.Contains(All)) return Task.FromResult(false);
        if (removals.Count >= MaxRemovals) removal = All;
        ImmutableInterlocked.Update(ref _removals, (all, added) => all.Add(added), removal);
        return AddAwaited(done => new DiskJob.Remove(removal, done));
    }

    /// <summary>Queues a recount of a series folder, after a file in it was deleted.</summary>
    public void Recount(EntryKey key) => _jobs.Writer.TryWrite(new DiskJob.Count(key));

    /// <summary>Queues the removal of the series whose oldest entry is from before a time.</summary>
    public void Expire(DateTimeOffset before) => _jobs.Writer.TryWrite(new DiskJob.Expire(before));

    /// <summary>Queues the removal of entries of backends that are no longer configured.</summary>
    public void RemoveUnconfigured() => _jobs.Writer.TryWrite(new DiskJob.RemoveUnconfigured());

    /// <summary>Waits until a job is due or <paramref name="time"/> completes.</summary>
    internal async Task WaitAsync(Task time, CancellationToken stopping)
    {
        using var waiting = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        await Task.WhenAny(_jobs.Reader.WaitToReadAsync(waiting.Token).AsTask(), time);
        await waiting.CancelAsync();
        for (var since = TimeProvider.System.GetTimestamp(); IsHeld(since);) await Task.Delay(PollInterval, TimeProvider.System, stopping);
        stopping.ThrowIfCancellationRequested();
    }

    /// <summary>
    /// Waits until no fetch is running, up to the hold time: a client gets its last byte shortly before the body is queued here.
    /// </summary>
    internal async Task WaitForFetchesAsync(CancellationToken cancellation)
    {
        for (var since = TimeProvider.System.GetTimestamp(); IsFetching(since);)
            await Task.Delay(PollInterval, TimeProvider.System, cancellation);
    }

    internal bool TryTake([NotNullWhen(true)] out DiskJob? job)
    {
        if (!_jobs.Reader.TryRead(out job)) return false;
        if (job is DiskJob.Commit or DiskJob.Remove or DiskJob.MakeRoom) Interlocked.Decrement(ref _awaited);
        return true;
    }

    /// <summary>Completes a write: the body is stored or given up.</summary>
    internal void Done(DiskJob.Write write)
    {
        _bodies.TryRemove(new(write.Key, write));
        Interlocked.Add(ref _bytes, -write.Entry.Length);
        write.Entry.Usage?.RemoveReader();
    }

    /// <summary>Completes a removal.</summary>
    internal void Done(DiskJob.Remove remove)
    {
        ImmutableInterlocked.Update(ref _removals, (all, removed) => all.Remove(removed), remove.Removal);
        remove.Done.TrySetResult(true);
    }

    private Task<bool> AddAwaited(Func<TaskCompletionSource<bool>, DiskJob> job)
    {
        var done = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        Interlocked.Increment(ref _awaited);
        _jobs.Writer.TryWrite(job(done));
        return done.Task;
    }

    /// <summary>True while writes should wait: they are not urgent, and slow the fetches of a study being opened by a tenth.</summary>
    private bool IsHeld(long since) =>
        IsFetching(since) && Volatile.Read(ref _awaited) == 0 && Interlocked.Read(ref _bytes) < MaxBytes / 2;

    private bool IsFetching(long since) => Volatile.Read(ref _fetches) > 0 && TimeProvider.System.GetElapsedTime(since) < HoldTime;

    private sealed class Fetch(DiskQueue queue) : IDisposable
    {
        public void Dispose() => Interlocked.Decrement(ref queue._fetches);
    }
}
