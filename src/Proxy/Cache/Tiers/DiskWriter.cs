using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Threading.Channels;
using Proxy.Disk;
using Proxy.Operations;

namespace Proxy.Cache.Tiers;

/// <summary>The one thread that changes anything on disk: what is to be kept or removed is left here, and done in that order.</summary>
/// <remarks>
/// A client never waits for it. What cannot be written is not kept; what cannot be removed is not found any more, and goes
/// when the disk can be changed again.
/// </remarks>
public sealed class DiskWriter : BackgroundService
{
    /// <summary>So many files are flushed together.</summary>
    private const int BatchFiles = 32;

    private static readonly TimeSpan FlushEvery = TimeSpan.FromSeconds(1);

    /// <summary>So long what is to be written waits for what is being fetched, at most.</summary>
    private static readonly TimeSpan HeldFor = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan HeldPause = TimeSpan.FromMilliseconds(25);

    /// <summary>As long as it takes until the folder is looked at again, and a little more.</summary>
    private static readonly TimeSpan GiveRoomEvery = TimeSpan.FromSeconds(6);

    private readonly CacheFolder _folder;
    private readonly Func<string, string?> _nameOf;
    private readonly TimeProvider _time;
    private readonly ILogger<DiskWriter> _log;
    private readonly DiskIndex _index;
    private readonly EntryFolder _entries;
    private readonly EntryScan _scan;
    private readonly Channel<Job> _jobs = Channel.CreateUnbounded<Job>(new() { SingleReader = true });
    private readonly ConcurrentDictionary<EntryKey, Write> _queued = new();
    private readonly List<Job> _postponed = [];
    private ImmutableList<Removal> _going = [];
    private long _queuedBytes;
    private long? _heldSince;
    private int _fetching;
    private int _urgent;
    private long _unkept;
    private long? _gaveRoom;

    /// <param name="folder">Where it lies.</param>
    /// <param name="nameOf">The name of the configured backend that has an identity; null when none has: what is left of such goes.</param>
    /// <param name="maxBytes">The budget, in bytes on disk.</param>
    /// <param name="time">The clock.</param>
    /// <param name="log">Where faults go.</param>
    public DiskWriter(CacheFolder folder, Func<string, string?> nameOf, long maxBytes, TimeProvider time, ILogger<DiskWriter> log)
    {
        (_folder, _nameOf, _time, _log) = (folder, nameOf, time, log);
        _index = new(folder, time, log);
        _entries = new(folder, _index, nameOf) { MaxBytes = maxBytes };
        _scan = new(folder, _index, _entries);
    }

    private sealed class Fetch(DiskWriter writer) : IDisposable
    {
        public void Dispose() => Interlocked.Decrement(ref writer._fetching);
    }

    private abstract record Job;

    /// <summary>A small body, in memory until it is written.</summary>
    private sealed record Write(EntryKey Key, Entry Entry) : Job;

    /// <summary>A large one, in tmp/ already.</summary>
    private sealed record Commit(Spool Spool, TaskCompletionSource<bool> Done) : Job;

    private sealed record Remove(Removal Removal, TaskCompletionSource<bool> Done) : Job;

    /// <summary>Somebody found less in a folder than the index says.</summary>
    private sealed record Count(EntryKey Key) : Job;

    /// <summary>What is left of backends that are not configured any more.</summary>
    private sealed record RemoveStrangers : Job;

    public long Bytes => _index.Bytes;

    public long Entries => _index.Entries;

    /// <summary>What the configured backends' entries take, by name.</summary>
    public IEnumerable<DiskShare> Shares => _index.Shares.Where(s => _nameOf(s.Backend) is not null).Select(s => s with { Backend = _nameOf(s.Backend)! });

    /// <summary>Entries that left because others needed the room.</summary>
    public long Evictions => _entries.Evictions;

    /// <summary>Told of each series that left because others needed the room: whose it was, and how many entries.</summary>
    public event Action<string, long> Evicted
    {
        add => _entries.Evicted += value;
        remove => _entries.Evicted -= value;
    }

    /// <summary>Bodies that were not kept: the disk could not be used, was too slow, or there was no room.</summary>
    public long Unkept => Interlocked.Read(ref _unkept);

    /// <summary>Whether what an earlier process left is still being looked through.</summary>
    public bool IsScanning => _scan.IsRunning;

    public long MaxBytes
    {
        get => _entries.MaxBytes;
        set => _entries.MaxBytes = value;
    }

    /// <summary>The most that waits to be written, in bytes: a disk that is slower than the backends keeps less, and nobody waits.</summary>
    public long MaxQueuedBytes { get; init; } = 128L << 20;

    /// <summary>A body is being fetched, until the handle is disposed of: a client waits for it, and nobody waits for the disk.</summary>
    public IDisposable Fetching()
    {
        Interlocked.Increment(ref _fetching);
        return new Fetch(this);
    }

    /// <summary>A body that is not written yet.</summary>
    public Entry? FindQueued(EntryKey key) => _queued.TryGetValue(key, out var write) ? write.Entry : null;

    /// <summary>Whether it is to be removed, and so is not there any more.</summary>
    public bool IsGoing(EntryKey key)
    {
        foreach (var removal in Volatile.Read(ref _going))
        {
            if (removal.Has(key)) return true;
        }
        return false;
    }

    /// <summary>Notes that an entry was used.</summary>
    public void Use(EntryKey key) => _index.Use(EntryFile.FolderOf(key));

    /// <summary>A new place in tmp/.</summary>
    public string NextTemporary() => _entries.NextTemporary();

    public void Enqueue(EntryKey key, Entry entry)
    {
        if (!_folder.State.CanWrite || Interlocked.Read(ref _queuedBytes) + entry.Length > MaxQueuedBytes)
        {
            Interlocked.Increment(ref _unkept);
            return;
        }
        var write = new Write(key, entry);
        if (!_queued.TryAdd(key, write)) return;
        Interlocked.Add(ref _queuedBytes, entry.Length);
        _jobs.Writer.TryWrite(write);
    }

    /// <summary>True when it is in its place, false when it could not be kept.</summary>
    public Task<bool> EnqueueAsync(Spool spool)
    {
        var job = new Commit(spool, new(TaskCreationOptions.RunContinuationsAsynchronously));
        Interlocked.Increment(ref _urgent);
        _jobs.Writer.TryWrite(job);
        return job.Done.Task;
    }

    /// <summary>From now on it is not found; true when no trace is left on disk, false when the disk cannot be changed now.</summary>
    public Task<bool> RemoveAsync(Removal removal)
    {
        var job = new Remove(removal, new(TaskCreationOptions.RunContinuationsAsynchronously));
        ImmutableInterlocked.Update(ref _going, (all, one) => all.Add(one), removal);
        Interlocked.Increment(ref _urgent);
        _jobs.Writer.TryWrite(job);
        return job.Done.Task;
    }

    /// <summary>Counts a series' folder anew: something that lay there is gone.</summary>
    public void CountAgain(EntryKey key) => _jobs.Writer.TryWrite(new Count(key));

    public void RemoveUnconfigured() => _jobs.Writer.TryWrite(new RemoveStrangers());

    public override void Dispose()
    {
        _index.Dispose();
        base.Dispose();
    }

    /// <summary>What waits is written, and the index says that it is whole.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        if (!_folder.IsConfigured) return;
        // A client has its last byte a moment before the body is left here.
        var stopped = TimeProvider.System.GetTimestamp();
        while (Volatile.Read(ref _fetching) > 0 && TimeProvider.System.GetElapsedTime(stopped) < HeldFor) await Task.Delay(HeldPause, TimeProvider.System, cancellationToken);
        await Task.Run(
            () =>
            {
                do Work();
                while (_jobs.Reader.TryPeek(out _));
                if (_scan.HasBegun && _folder.State.CanWrite && !IsScanning) _index.Close();
            },
            cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!_folder.IsConfigured) return;
        try
        {
            while (!stoppingToken.IsCancellationRequested)
            {
                Work();
                await WaitAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The process ends.
        }
    }

    /// <summary>Until there is work, or it is time to write the index down.</summary>
    private async Task WaitAsync(CancellationToken stopping)
    {
        if (IsScanning && _folder.State.CanWrite) return;
        using var both = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var coming = _jobs.Reader.WaitToReadAsync(both.Token).AsTask();
        await Task.WhenAny(coming, Task.Delay(FlushEvery, _time, both.Token));
        await both.CancelAsync();
        while (IsHeld() && !stopping.IsCancellationRequested) await Task.Delay(HeldPause, TimeProvider.System, stopping);
        stopping.ThrowIfCancellationRequested();
    }

    /// <summary>Writing costs the fetches of a study that is just being opened a sixth of their speed, and has time.</summary>
    private bool IsHeld()
    {
        var isHeld = Volatile.Read(ref _fetching) > 0 && Volatile.Read(ref _urgent) == 0 && Interlocked.Read(ref _queuedBytes) < MaxQueuedBytes / 2;
        _heldSince = isHeld ? _heldSince ?? _time.GetTimestamp() : null;
        return _heldSince is { } since && _time.GetElapsedTime(since) < HeldFor;
    }

    private void Work()
    {
        try
        {
            if (_folder.State.CanWrite) _scan.Begin();
            else GiveRoom();
            _scan.GoOn();
            DoPostponed();
            var batch = new List<Write>();
            while (batch.Count < BatchFiles && _jobs.Reader.TryRead(out var job))
            {
                if (job is Write write)
                {
                    batch.Add(write);
                    continue;
                }
                WriteAll(batch);
                batch.Clear();
                if (job is Commit or Remove) Interlocked.Decrement(ref _urgent);
                Do(job);
            }
            WriteAll(batch);
            if (_scan.HasBegun && _folder.State.CanWrite) _index.Flush();
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            Doubt(e);
        }
    }

    private void DoPostponed()
    {
        if (_postponed.Count == 0 || !_folder.State.CanWrite) return;
        var jobs = _postponed.ToList();
        _postponed.Clear();
        jobs.ForEach(Do);
    }

    private void WriteAll(List<Write> batch)
    {
        var placed = 0;
        try
        {
            if (batch.Count > 0 && _folder.State.CanWrite) placed = _entries.WriteAll([.. batch.Select(w => (w.Key, w.Entry))]);
        }
        finally
        {
            Interlocked.Add(ref _unkept, batch.Count - placed);
            foreach (var write in batch)
            {
                _queued.TryRemove(new(write.Key, write));
                Interlocked.Add(ref _queuedBytes, -write.Entry.Length);
            }
        }
        // Rows that could not go with their folders are found by looking through it.
        if (_index.HasMissed) _scan.Doubt();
    }

    /// <summary>Does a job, or leaves it for when the disk can be changed; whoever waits hears which.</summary>
    private void Do(Job job)
    {
        try
        {
            if (_folder.State.CanWrite)
            {
                DoNow(job);
                return;
            }
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            Doubt(e);
        }
        if (job is Commit commit) commit.Done.TrySetResult(false);
        if (job is Remove remove) remove.Done.TrySetResult(false);
        if (job is not Commit) _postponed.Add(job);
    }

    private void DoNow(Job job)
    {
        switch (job)
        {
            case Commit commit:
                commit.Done.TrySetResult(_entries.TryCommit(commit.Spool));
                break;
            case Remove remove:
                _entries.Remove(remove.Removal);
                ImmutableInterlocked.Update(ref _going, (all, one) => all.Remove(one), remove.Removal);
                remove.Done.TrySetResult(true);
                break;
            case Count count:
                if (Directory.Exists(_folder.PathOf("entries", EntryFile.FolderOf(count.Key)))) _entries.Recount(EntryFile.FolderOf(count.Key));
                _index.Count();
                break;
            case RemoveStrangers:
                _entries.RemoveStrangers();
                break;
        }
    }

    /// <summary>Once for each time that a full disk was looked at and still is.</summary>
    private void GiveRoom()
    {
        if (_folder.State is not { IsFull: true, CanRead: true } || _gaveRoom is { } last && _time.GetElapsedTime(last) < GiveRoomEvery) return;
        _gaveRoom = _time.GetTimestamp();
        _scan.Doubt();
        _entries.GiveRoom();
    }

    /// <summary>The disk failed half-way: what lies there is looked through again when it can be.</summary>
    private void Doubt(Exception e)
    {
        _log.DiskWriterFailed(e);
        _folder.Fail(e, wasWriting: true);
        _scan.Doubt();
    }
}
