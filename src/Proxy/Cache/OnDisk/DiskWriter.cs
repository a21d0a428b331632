using Proxy.Disk;

namespace Proxy.Cache.OnDisk;

/// <summary>The only thread that changes the disk tier: runs the jobs of its queue in order.</summary>
/// <remarks>
/// A client never waits for it. Bodies that cannot be written are not cached. Entries that cannot be deleted are no longer found, and are
/// deleted when the disk can be changed again.
/// </remarks>
public sealed partial class DiskWriter : BackgroundService
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
        OpenFiles = new(time);
        _entries = new(folder, _index, OpenFiles, nameOf);
        _entries.Budget.MaxBytes = maxBytes;
        _scan = new(folder, _index, _entries);
    }

    /// <summary>The size of the idle series, and the time of the query.</summary>
    private sealed record Idle(long Bytes, long CheckedAt);

    /// <summary>The pending changes.</summary>
    public DiskQueue Queue { get; } = new();

    /// <summary>The files of entries that stay open.</summary>
    internal OpenFiles OpenFiles { get; }

    /// <summary>The bytes on disk, including bodies that arrive in files.</summary>
    public long Bytes => _index.Bytes + _entries.Budget.Spooled;

    /// <summary>The number of entries on disk.</summary>
    public long Entries => _index.Entries;

    /// <summary>The bytes of series that were prefetched and of which no client has used anything yet.</summary>
    public long PrefetchedBytes => _index.PrefetchedBytes;

    /// <summary>The disk usage of the configured backends, by name.</summary>
    public IEnumerable<DiskShare> Shares => NameBackends(_index.Shares);

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
    public void Use(EntryKey key) => Use(key, EntryFile.GetFolder(key));

    /// <summary>Marks an entry as used.</summary>
    /// <param name="key">The entry.</param>
    /// <param name="seriesFolder">Its folder: the name is a hash.</param>
    internal void Use(EntryKey key, string seriesFolder)
    {
        Queue.Use(key);
        _index.Use(seriesFolder);
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

    /// <summary>The studies with entries on disk; without additions of the last seconds.</summary>
    public IReadOnlyList<string> Studies => _index.Studies;

    /// <summary>The disk usage of one study by the configured backends; without additions of the last seconds.</summary>
    public IEnumerable<DiskShare> GetSharesOfStudy(string study) => NameBackends(_index.GetSharesOfStudy(study));

    /// <inheritdoc/>
    public override void Dispose()
    {
        OpenFiles.Dispose();
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

    private IEnumerable<DiskShare> NameBackends(IEnumerable<DiskShare> shares) =>
        shares.Where(s => _nameOf(s.Backend) is not null).Select(s => s with { Backend = _nameOf(s.Backend)! });
}
