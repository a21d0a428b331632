using Proxy.Disk;
using Proxy.Operations;

namespace Proxy.Cache.OnDisk;

/// <summary>The one thread that changes anything on disk: takes what is left in its queue, in that order.</summary>
/// <remarks>
/// A client never waits for it. What cannot be written is not kept; what cannot be removed is not found any more, and goes
/// when the disk can be changed again.
/// </remarks>
public sealed class DiskWriter : BackgroundService
{
    /// <summary>So many files are flushed together.</summary>
    private const int BatchFiles = 32;

    private static readonly TimeSpan FlushEvery = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan CheckInterval = TimeSpan.FromSeconds(1);

    /// <summary>As long as it takes until the folder is looked at again, and a little more.</summary>
    private static readonly TimeSpan GiveRoomEvery = TimeSpan.FromSeconds(6);

    private readonly CacheFolder _folder;
    private readonly Func<string, string?> _nameOf;
    private readonly TimeProvider _time;
    private readonly ILogger<DiskWriter> _log;
    private readonly DiskIndex _index;
    private readonly EntryFolder _entries;
    private readonly EntryScan _scan;
    private readonly List<DiskJob> _postponed = [];
    private readonly Lock _ending = new();
    private long _unkept;
    private long? _gaveRoom;
    private volatile Idle? _idle;

    /// <param name="folder">Where it lies.</param>
    /// <param name="nameOf">The name of the configured backend that has an identity; null when none has: what is left of such goes.</param>
    /// <param name="maxBytes">The budget, in bytes on disk.</param>
    /// <param name="time">The clock.</param>
    /// <param name="log">Where faults go.</param>
    public DiskWriter(CacheFolder folder, Func<string, string?> nameOf, long maxBytes, TimeProvider time, ILogger<DiskWriter> log)
    {
        (_folder, _nameOf, _time, _log) = (folder, nameOf, time, log);
        _index = new(folder, time, log);
        _entries = new(folder, _index, nameOf);
        _entries.Budget.MaxBytes = maxBytes;
        _scan = new(folder, _index, _entries);
    }

    /// <summary>Bytes of series that nobody used for a while, and when that was looked up.</summary>
    private sealed record Idle(long Bytes, long CheckedAt);

    public DiskQueue Queue { get; } = new();

    /// <summary>On disk, with what is on its way there.</summary>
    public long Bytes => _index.Bytes + _entries.Budget.Spooled;

    public long Entries => _index.Entries;

    /// <summary>Of what was fetched ahead, as far as nobody asked for anything of its series yet.</summary>
    public long PrefetchedBytes => _index.PrefetchedBytes;

    /// <summary>What the configured backends' entries take, by name.</summary>
    public IEnumerable<DiskShare> Shares =>
        _index.Shares.Where(s => _nameOf(s.Backend) is not null).Select(s => s with { Backend = _nameOf(s.Backend)! });

    /// <summary>Entries that left because others needed the room.</summary>
    public long Evictions => _entries.Budget.Evictions;

    /// <summary>Told of each series that left because others needed the room: whose it was, and how many entries.</summary>
    public event Action<string, long> Evicted
    {
        add => _entries.Budget.Evicted += value;
        remove => _entries.Budget.Evicted -= value;
    }

    /// <summary>Bodies that were not kept: the disk could not be used, was too slow, or there was no room.</summary>
    public long Unkept => Interlocked.Read(ref _unkept);

    /// <summary>Whether what an earlier process left is still being looked through.</summary>
    public bool IsScanning => _scan.IsRunning;

    /// <summary>The most that waits in memory to be written, in bytes.</summary>
    public long QueueMaxBytes
    {
        get => Queue.MaxBytes;
        set => Queue.MaxBytes = value;
    }

    public long MaxBytes
    {
        get => _entries.Budget.MaxBytes;
        set => _entries.Budget.MaxBytes = value;
    }

    /// <summary>Notes that an entry was used.</summary>
    public void Use(EntryKey key)
    {
        Queue.Use(key);
        _index.Use(EntryFile.GetFolder(key));
    }

    /// <summary>
    /// Whether so many bytes that are fetched ahead would be kept, and nothing leave for them that was used not long ago.
    /// </summary>
    public bool HasRoomForPrefetched(long bytes)
    {
        var (max, more) = (MaxBytes, Queue.Bytes + bytes);
        if (PrefetchedBytes + more > _entries.Budget.MaxPrefetchedBytes) return false;
        return Bytes + more <= max || Bytes + more - IdleBytes() <= max;
    }

    /// <summary>Takes room on disk for a body on its way; false when there is none in the budget.</summary>
    internal ValueTask<bool> TakeSpoolRoomAsync(long bytes) =>
        _entries.Budget.TryTakeSpoolRoom(bytes) ? new(true) : new(Queue.MakeRoomAsync(bytes));

    internal void ReturnSpoolRoom(long bytes) => _entries.Budget.ReturnSpoolRoom(bytes);

    /// <summary>A new place in tmp/.</summary>
    public string NextTemporary() => _entries.NextTemporary();

    /// <summary>Keeps a body some time soon, when the disk and the queue have room for it.</summary>
    public void Add(EntryKey key, Entry entry)
    {
        if (!_folder.State.CanWrite || !Queue.TryAdd(key, entry)) Interlocked.Increment(ref _unkept);
    }

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
        await Queue.WaitForFetchesAsync(cancellationToken);
        await Task.Run(
            () =>
            {
                // A host may be told twice to stop, at the same time.
                lock (_ending)
                {
                    do Work();
                    while (!Queue.IsEmpty);
                    if (_scan.HasBegun && _folder.State.CanWrite && !IsScanning) _index.Close();
                }
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
                if (!IsScanning || !_folder.State.CanWrite) await WaitAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The process ends.
        }
    }

    /// <summary>As it was a second ago, at most: to look it up takes as long as to read a frame.</summary>
    private long IdleBytes()
    {
        if (_idle is not { } idle || _time.GetElapsedTime(idle.CheckedAt) >= CheckInterval)
            _idle = idle = new(_index.IdleBytes(EntryBudget.IdleAfter), _time.GetTimestamp());
        return idle.Bytes;
    }

    /// <summary>Until there is work, or it is time to write the index down.</summary>
    private async Task WaitAsync(CancellationToken stopping)
    {
        using var waiting = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        await Queue.WaitAsync(Task.Delay(FlushEvery, _time, waiting.Token), stopping);
        await waiting.CancelAsync();
    }

    private void Work()
    {
        try
        {
            if (_folder.State.CanWrite) _scan.Begin();
            else GiveRoom();
            _scan.GoOn();
            DoPostponed();
            var batch = new List<DiskJob.Write>();
            while (batch.Count < BatchFiles && Queue.TryTake(out var job))
            {
                if (job is DiskJob.Write write)
                {
                    batch.Add(write);
                    continue;
                }
                WriteAll(batch);
                batch.Clear();
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

    private void WriteAll(List<DiskJob.Write> batch)
    {
        var placed = 0;
        try
        {
            if (batch.Count > 0 && _folder.State.CanWrite) placed = _entries.WriteAll(batch);
        }
        finally
        {
            Interlocked.Add(ref _unkept, batch.Count - placed);
            batch.ForEach(Queue.Done);
        }
        // Rows that could not go with their folders are found by looking through it.
        if (_index.HasMissed) _scan.Doubt();
    }

    /// <summary>Does a job, or leaves it for when the disk can be changed; whoever waits hears which.</summary>
    private void Do(DiskJob job)
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
        if (job is DiskJob.Commit commit) commit.Done.TrySetResult(false);
        if (job is DiskJob.MakeRoom room) room.Done.TrySetResult(false);
        if (job is DiskJob.Remove remove) remove.Done.TrySetResult(false);
        if (job is not (DiskJob.Commit or DiskJob.MakeRoom)) _postponed.Add(job);
    }

    private void DoNow(DiskJob job)
    {
        switch (job)
        {
            case DiskJob.Commit commit:
                commit.Done.TrySetResult(_entries.TryCommit(commit.Spool, commit.IsPrefetched));
                break;
            case DiskJob.MakeRoom room:
                room.Done.TrySetResult(_entries.Budget.TryMakeSpoolRoom(room.Bytes));
                break;
            case DiskJob.Remove remove:
                _entries.Remove(remove.Removal);
                Queue.Done(remove);
                break;
            case DiskJob.Count count:
                if (Directory.Exists(_folder.GetPath("entries", EntryFile.GetFolder(count.Key))))
                    _entries.Recount(EntryFile.GetFolder(count.Key));
                _index.Count();
                break;
            case DiskJob.RemoveStrangers:
                _entries.RemoveStrangers();
                break;
        }
    }

    /// <summary>Once for each time that a full disk was looked at and still is.</summary>
    private void GiveRoom()
    {
        if (_folder.State is not { IsFull: true, CanRead: true } || _gaveRoom is { } last && _time.GetElapsedTime(last) < GiveRoomEvery)
            return;
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
