using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;

namespace Proxy.Cache.OnDisk;

/// <summary>What is to be changed on disk, in the order in which it was left here; and what it means for a look until then.</summary>
/// <remarks>
/// A body that waits to be written is found here; what waits to be removed is not found any more. Bodies wait while others
/// are being fetched, for which clients wait, but not for long.
/// </remarks>
public sealed class DiskQueue
{
    /// <summary>
    /// The most that waits to be written, in bytes: a disk that is slower than the backends keeps less, and nobody waits.
    /// </summary>
    public const long MostBytes = 128L << 20;

    /// <summary>So many removals wait for a disk that cannot be changed, each by itself; with one more everything is to go.</summary>
    private const int MaxRemovals = 1000;

    /// <summary>So long what is to be written waits for what is being fetched, at most.</summary>
    private static readonly TimeSpan HeldFor = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan HeldPause = TimeSpan.FromMilliseconds(25);

    private static readonly Removal Everything = new();

    private readonly Channel<DiskJob> _jobs = Channel.CreateUnbounded<DiskJob>(new() { SingleReader = true });
    private readonly ConcurrentDictionary<EntryKey, DiskJob.Write> _bodies = new();
    private ImmutableList<Removal> _removals = [];
    private long _bytes;
    private int _fetches;
    private int _awaited;

    /// <summary>The most that waits to be written, in bytes: a share of the memory, and <see cref="MostBytes"/> at most.</summary>
    public long MaxBytes { get; set; } = MostBytes;

    /// <summary>Nothing waits.</summary>
    public bool IsEmpty => !_jobs.Reader.TryPeek(out _);

    /// <summary>Of the bodies that wait.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>A body that is not written yet.</summary>
    public Entry? Find(EntryKey key) => _bodies.TryGetValue(key, out var write) ? write.Entry : null;

    /// <summary>Notes that somebody asked for what may wait here.</summary>
    public void Use(EntryKey key)
    {
        if (_bodies.TryGetValue(key, out var write)) write.Use();
    }

    /// <summary>Whether it is to be removed, and so is not there any more.</summary>
    public bool IsGoing(EntryKey key)
    {
        foreach (var removal in Volatile.Read(ref _removals))
        {
            if (removal.Has(key)) return true;
        }
        return false;
    }

    /// <summary>A body is being fetched, until the handle is disposed of.</summary>
    public IDisposable Fetching()
    {
        Interlocked.Increment(ref _fetches);
        return new Fetch(this);
    }

    /// <summary>False when too much waits.</summary>
    public bool TryAdd(EntryKey key, Entry entry)
    {
        if (Interlocked.Read(ref _bytes) + entry.Length > MaxBytes) return false;
        var write = new DiskJob.Write(key, entry);
        if (!_bodies.TryAdd(key, write)) return true;
        Interlocked.Add(ref _bytes, entry.Length);
        entry.Usage?.Enter();
        _jobs.Writer.TryWrite(write);
        return true;
    }

    /// <summary>True when it is in its place, false when it could not be kept.</summary>
    public Task<bool> AddAsync(Spool spool, Func<bool> isAhead) => AddAwaited(done => new DiskJob.Commit(spool, isAhead, done));

    /// <summary>True when a large body on its way has the room that it needs.</summary>
    public Task<bool> MakeRoomAsync(long bytes) => AddAwaited(done => new DiskJob.MakeRoom(bytes, done));

    /// <summary>From now on it is not found; true when no trace is left on disk, false when the disk cannot be changed now.</summary>
    public Task<bool> RemoveAsync(Removal removal)
    {
        var removals = Volatile.Read(ref _removals);
        if (removals.Contains(Everything)) return Task.FromResult(false);
        if (removals.Count >= MaxRemovals) removal = Everything;
        ImmutableInterlocked.Update(ref _removals, (all, one) => all.Add(one), removal);
        return AddAwaited(done => new DiskJob.Remove(removal, done));
    }

    /// <summary>Counts a series' folder anew: something that lay there is gone.</summary>
    public void CountAgain(EntryKey key) => _jobs.Writer.TryWrite(new DiskJob.Count(key));

    public void RemoveStrangers() => _jobs.Writer.TryWrite(new DiskJob.RemoveStrangers());

    /// <summary>Until there is work that is to be done now, or some time has passed.</summary>
    internal async Task WaitAsync(Task time, CancellationToken stopping)
    {
        using var waiting = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        await Task.WhenAny(_jobs.Reader.WaitToReadAsync(waiting.Token).AsTask(), time);
        await waiting.CancelAsync();
        for (var since = TimeProvider.System.GetTimestamp(); IsHeld(since);) await Task.Delay(HeldPause, TimeProvider.System, stopping);
        stopping.ThrowIfCancellationRequested();
    }

    /// <summary>
    /// Until no body is being fetched, or for as long as bodies wait: a client has its last byte a moment before the body is left here.
    /// </summary>
    internal async Task WaitForFetchesAsync(CancellationToken cancellation)
    {
        for (var since = TimeProvider.System.GetTimestamp(); Volatile.Read(ref _fetches) > 0 && TimeProvider.System.GetElapsedTime(since) < HeldFor;)
            await Task.Delay(HeldPause, TimeProvider.System, cancellation);
    }

    internal bool TryTake([NotNullWhen(true)] out DiskJob? job)
    {
        if (!_jobs.Reader.TryRead(out job)) return false;
        if (job is DiskJob.Commit or DiskJob.Remove or DiskJob.MakeRoom) Interlocked.Decrement(ref _awaited);
        return true;
    }

    /// <summary>It is written, or given up.</summary>
    internal void Done(DiskJob.Write write)
    {
        _bodies.TryRemove(new(write.Key, write));
        Interlocked.Add(ref _bytes, -write.Entry.Length);
        write.Entry.Usage?.Leave();
    }

    /// <summary>It is gone.</summary>
    internal void Done(DiskJob.Remove remove)
    {
        ImmutableInterlocked.Update(ref _removals, (all, one) => all.Remove(one), remove.Removal);
        remove.Done.TrySetResult(true);
    }

    private Task<bool> AddAwaited(Func<TaskCompletionSource<bool>, DiskJob> job)
    {
        var done = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        Interlocked.Increment(ref _awaited);
        _jobs.Writer.TryWrite(job(done));
        return done.Task;
    }

    /// <summary>Writing costs the fetches of a study that is just being opened a tenth of their speed, and has time.</summary>
    private bool IsHeld(long since) =>
        Volatile.Read(ref _fetches) > 0 && Volatile.Read(ref _awaited) == 0 && Interlocked.Read(ref _bytes) < MaxBytes / 2
            && TimeProvider.System.GetElapsedTime(since) < HeldFor;

    private sealed class Fetch(DiskQueue queue) : IDisposable
    {
        public void Dispose() => Interlocked.Decrement(ref queue._fetches);
    }
}
