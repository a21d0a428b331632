using Proxy.Disk;
using Proxy.Operations;

namespace Proxy.Cache.OnDisk;

/// <summary>The only thread that changes the disk tier: runs the jobs of its queue in order.</summary>
/// <remarks>
/// A client never waits for it. Bodies that cannot be written are not cached. Entries that cannot be deleted are no longer found, and are
/// deleted when the disk can be changed again.
/// </remarks>
public sealed class DiskWriter : BackgroundService
{
    /// <summary>The number of files flushed together.</summary>
    private const int BatchFiles = 32;

    private static readonly TimeSpan FlushInterval = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan CheckInterval = TimeSpan.FromSeconds(1);

    /// <summary>A little longer than the interval at which a full disk is checked again.</summary>
    private static readonly TimeSpan EvictInterval = TimeSpan.FromSeconds(6);

    private readonly CacheFolder _folder;
    private readonly Func<string, string?> _nameOf;
    private readonly TimeProvider _time;
    private readonly ILogger<DiskWriter> _log;
    private readonly DiskIndex _index;
    private readonly EntryFolder _entries;
    private readonly EntryScan _scan;
    private readonly List<DiskJob> _postponed = [];
    private readonly Lock _stopping = new();
    private long _dropped;
    private long? _lastEviction;
    private volatile Idle? _idle;

    /// <summary>Creates the writer; it does nothing while the folder is not configured.</summary>
    /// <param name="folder">The cache folder.</param>
    /// <param name="nameOf">
    /// Maps a backend's identity to its configured name; null when it is not configured, and its entries are removed.
    /// </param>
    /// <param name="maxBytes">The budget, in bytes on disk.</param>
    /// <param name="time">The clock.</param>
    /// <param name="log">Logs write failures.</param>
    public DiskWriter(CacheFolder folder, Func<string, string?> nameOf, long maxBytes, TimeProvider time, ILogger<DiskWriter> log)
    {
        (_folder, _nameOf, _time, _log) = (folder, nameOf, time, log);
        _index = new(folder, time, log);
        _entries = new(folder, _index, nameOf);
        _entries.Budget.MaxBytes = maxBytes;
        _scan = new(folder, _index, _entries);
    }

    /// <summary>The size of the idle series, and the time of the query.</summary>
    private sealed record Idle(long Bytes, long CheckedAt);

    /// <summary>The pending changes.</summary>
    public DiskQueue Queue { get; } = new();

    /// <summary>The bytes on disk, including bodies that arrive in files.</summary>
    public long Bytes => _index.Bytes + _entries.Budget.Spooled;

    /// <summary>The number of entries on disk.</summary>
    public long Entries => _index.Entries;

    /// <summary>The bytes of series that were prefetched and of which no client has used anything yet.</summary>
    public long PrefetchedBytes => _index.PrefetchedBytes;

    /// <summary>The disk usage of the configured backends, by name.</summary>
    public IEnumerable<DiskShare> Shares =>
        _index.Shares.Where(s => _nameOf(s.Backend) is not null).Select(s => s with { Backend = _nameOf(s.Backend)! });

    /// <summary>The number of entries evicted to make room for others.</summary>
    public long Evictions => _entries.Budget.Evictions;

    /// <summary>Raised for each evicted series with the name of its backend and the number of its entries.</summary>
    public event Action<string, long> Evicted
    {
        add => _entries.Budget.Evicted += value;
        remove => _entries.Budget.Evicted -= value;
    }

    /// <summary>The number of bodies not written: the disk was unavailable or too slow, or had no room.</summary>
    public long WriteFailures => Interlocked.Read(ref _dropped);

    /// <summary>True while the files of an earlier process are being scanned.</summary>
    public bool IsScanning => _scan.IsRunning;

    /// <summary>The maximum of bytes queued in memory.</summary>
    public long QueueMaxBytes
    {
        get => Queue.MaxBytes;
        set => Queue.MaxBytes = value;
    }

    /// <summary>The budget, in bytes on disk.</summary>
    public long MaxBytes
    {
        get => _entries.Budget.MaxBytes;
        set => _entries.Budget.MaxBytes = value;
    }

    /// <summary>Marks an entry as used.</summary>
    public void Use(EntryKey key)
    {
        Queue.Use(key);
        _index.Use(EntryFile.GetFolder(key));
    }

    /// <summary>
    /// True when this number of bytes can be prefetched without evicting recently used series.
    /// </summary>
    public bool HasRoomForPrefetched(long bytes)
    {
        var (max, added) = (MaxBytes, Queue.Bytes + bytes);
        if (PrefetchedBytes + added > _entries.Budget.MaxPrefetchedBytes) return false;
        return Bytes + added <= max || Bytes + added - IdleBytes() <= max;
    }

    /// <summary>Reserves disk room for a body that arrives in a file; false when the budget has none.</summary>
    internal ValueTask<bool> TakeSpoolRoomAsync(long bytes) =>
        _entries.Budget.TryReserveSpool(bytes) ? new(true) : new(Queue.MakeRoomAsync(bytes));

    internal void ReturnSpoolRoom(long bytes) => _entries.Budget.ReleaseSpool(bytes);

    /// <summary>A new path in tmp/.</summary>
    public string NextTemporary() => _entries.NextTemporary();

    /// <summary>Queues a body for writing; drops it when the disk or the queue has no room.</summary>
    public void Add(EntryKey key, Entry entry)
    {
        if (!_folder.State.CanWrite || !Queue.TryAdd(key, entry)) Interlocked.Increment(ref _dropped);
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        _index.Dispose();
        base.Dispose();
    }

    /// <summary>Writes the queued bodies and marks the index as complete.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        if (!_folder.IsConfigured) return;
        await Queue.WaitForFetchesAsync(cancellationToken);
        await Task.Run(
            () =>
            {
                // The host may call StopAsync twice, concurrently.
                lock (_stopping)
                {
                    do Work();
                    while (!Queue.IsEmpty);
                    if (_scan.HasBegun && _folder.State.CanWrite && !IsScanning) _index.Close();
                }
            },
            cancellationToken);
    }

    /// <inheritdoc/>
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
            // Shutdown.
        }
    }

    /// <summary>The bytes of idle series, cached for a second: the query takes as long as reading a frame.</summary>
    private long IdleBytes()
    {
        if (_idle is not { } idle || _time.GetElapsedTime(idle.CheckedAt) >= CheckInterval)
            _idle = idle = new(_index.IdleBytes(EntryBudget.IdleAfter), _time.GetTimestamp());
        return idle.Bytes;
    }

    /// <summary>Waits until a job is due, or the index must be flushed.</summary>
    private async Task WaitAsync(CancellationToken stopping)
    {
        using var waiting = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        await Queue.WaitAsync(Task.Delay(FlushInterval, _time, waiting.Token), stopping);
        await waiting.CancelAsync();
    }

    private void Work()
    {
        try
        {
            if (_folder.State.CanWrite) _scan.Begin();
            else EvictWhenFull();
            _scan.Continue();
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
            HandleFailure(e);
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
        var stored = 0;
        try
        {
            if (batch.Count > 0 && _folder.State.CanWrite) stored = _entries.WriteAll(batch);
        }
        finally
        {
            Interlocked.Add(ref _dropped, batch.Count - stored);
            batch.ForEach(Queue.Done);
        }
        // The scan removes rows that could not be deleted with their folders.
        if (_index.HasFailedRemoval) _scan.RequestRescan();
    }

    /// <summary>Runs a job, or postpones it until the disk can be changed; reports the outcome to its caller.</summary>
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
            HandleFailure(e);
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
                room.Done.TrySetResult(_entries.Budget.TryReserveSpoolWithEviction(room.Bytes));
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
            case DiskJob.RemoveUnconfigured:
                _entries.RemoveUnconfigured();
                break;
        }
    }

    /// <summary>Evicts while the disk is full, once per check of the folder.</summary>
    private void EvictWhenFull()
    {
        if (_folder.State is not { IsFull: true, CanRead: true } || _lastEviction is { } last && _time.GetElapsedTime(last) < EvictInterval)
            return;
        _lastEviction = _time.GetTimestamp();
        _scan.RequestRescan();
        _entries.EvictWhenFull();
    }

    /// <summary>Handles a disk failure half-way through a change: the folder is scanned again when possible.</summary>
    private void HandleFailure(Exception e)
    {
        _log.DiskWriterFailed(e);
        _folder.Fail(e, wasWriting: true);
        _scan.RequestRescan();
    }
}
