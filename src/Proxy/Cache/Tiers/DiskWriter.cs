using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.IO.Hashing;
using System.Threading.Channels;
using Proxy.Disk;
using Proxy.Operations;

namespace Proxy.Cache.Tiers;

/// <summary>The one that keeps order on disk: writes entries, makes room, removes, and looks through what an earlier process left.</summary>
/// <remarks>
/// <code>
/// 1 room     over the budget: series that are worth least leave, down to nine tenths of it
/// 2 write    into tmp/, head and body
/// 3 flush    to the disk, a batch of files together
/// 4 rename   to the entry's place: from here on it is found
/// 5 index    noted, and written down about once a second
/// </code>
/// A kill leaves a file in tmp/, which the next process empties, or an entry that the index does not count, which the
/// next one looks for. What cannot be written is not kept, and a client never waits for any of it.
/// </remarks>
public sealed class DiskWriter : BackgroundService
{
    /// <summary>So many files are flushed together.</summary>
    private const int BatchFiles = 32;

    /// <summary>What disks give out, in bytes: a file takes up whole ones.</summary>
    private const int BlockBytes = 4096;

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
    private readonly Channel<Job> _jobs = Channel.CreateUnbounded<Job>(new() { SingleReader = true });
    private readonly ConcurrentDictionary<EntryKey, Write> _queued = new();
    private readonly List<Job> _postponed = [];
    /// <summary>Room by folder for what is being written.</summary>
    private readonly Dictionary<string, long> _reserved = [];
    private ImmutableList<Removal> _going = [];
    private IEnumerator<string>? _scan;
    private long _maxBytes;
    private long _queuedBytes;
    private long? _heldSince;
    private int _fetching;
    private int _urgent;
    private long _evictions;
    private long _unkept;
    private long? _gaveRoom;
    private int _files;
    private int _taken;
    private int _made;

    /// <param name="folder">Where it lies.</param>
    /// <param name="nameOf">The name of the configured backend that has an identity; null when none has: what is left of such goes.</param>
    /// <param name="maxBytes">The budget, in bytes on disk.</param>
    /// <param name="time">The clock.</param>
    /// <param name="log">Where faults go.</param>
    public DiskWriter(CacheFolder folder, Func<string, string?> nameOf, long maxBytes, TimeProvider time, ILogger<DiskWriter> log)
    {
        (_folder, _nameOf, _maxBytes, _time, _log) = (folder, nameOf, maxBytes, time, log);
        _index = new DiskIndex(folder, time, log);
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
    public long Evictions => Interlocked.Read(ref _evictions);

    /// <summary>Told of each series that left because others needed the room: whose it was, and how many entries.</summary>
    public event Action<string, long>? Evicted;

    /// <summary>Bodies that were not kept: the disk could not be used, was too slow, or there was no room.</summary>
    public long Unkept => Interlocked.Read(ref _unkept);

    /// <summary>Whether what an earlier process left is still being looked through.</summary>
    public bool IsScanning => Volatile.Read(ref _scan) is not null;

    public long MaxBytes
    {
        get => Interlocked.Read(ref _maxBytes);
        set => Interlocked.Exchange(ref _maxBytes, value);
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
    public string NextTemporary() => _folder.PathOf("tmp", Interlocked.Increment(ref _files).ToString(System.Globalization.CultureInfo.InvariantCulture));

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
        await Task.Run(
            () =>
            {
                do Work();
                while (_jobs.Reader.TryPeek(out _));
                if (_taken > 0 && _folder.State.CanWrite && !IsScanning) _index.Close();
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
        while (IsHeld() && !stopping.IsCancellationRequested) await Task.Delay(HeldPause, _time, stopping);
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
            if (_folder.State.CanWrite) Begin();
            else if (_folder.State is { IsFull: true, CanRead: true }) GiveRoom();
            ScanSome();
            var batch = new List<Write>();
            if (_folder.State.CanWrite)
            {
                foreach (var job in _postponed) Do(job);
                _postponed.Clear();
            }
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
                if (_folder.State.CanWrite) Do(job);
                else Postpone(job);
            }
            WriteAll(batch);
            if (_taken > 0 && _folder.State.CanWrite) _index.Flush();
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            _log.DiskWriterFailed(e);
            _folder.Fail(e, wasWriting: true);
            // What was being looked through is looked through again.
            _taken = -1;
        }
    }

    /// <summary>What cannot be done now is hidden until it can; a body is given up.</summary>
    private void Postpone(Job job)
    {
        if (job is Commit commit) commit.Done.TrySetResult(false);
        if (job is Remove remove) remove.Done.TrySetResult(false);
        if (job is not Commit) _postponed.Add(job);
    }

    private void Do(Job job)
    {
        switch (job)
        {
            case Commit commit:
                commit.Done.TrySetResult(TryCommit(commit.Spool));
                break;
            case Remove remove:
                Take(remove.Removal);
                ImmutableInterlocked.Update(ref _going, (all, one) => all.Remove(one), remove.Removal);
                remove.Done.TrySetResult(true);
                break;
            case Count count:
                if (Directory.Exists(_folder.PathOf("entries", EntryFile.FolderOf(count.Key)))) Recount(EntryFile.FolderOf(count.Key));
                _index.Count();
                break;
            case RemoveStrangers:
                foreach (var share in _index.Shares.Where(s => _nameOf(s.Backend) is null).ToList())
                {
                    foreach (var place in _index.OfBackend(share.Backend)) Discard(place);
                }
                break;
        }
    }

    /// <summary>The folder was taken, for the first time or anew, or its index was lost: what lies there is looked through as far as needed.</summary>
    private void Begin()
    {
        if (_taken == _folder.Taken && _made == _index.Made) return;
        _taken = _folder.Taken;
        var trust = _index.Open();
        _made = _index.Made;
        Volatile.Write(ref _scan, trust == DiskIndex.Trust.Whole ? null : Scan().GetEnumerator());
        // Who does not know how much is there cannot keep a budget: first that, then what is new.
        while (trust == DiskIndex.Trust.Lost && IsScanning && _folder.State.CanWrite) ScanSome();
        RemoveUnconfigured();
    }

    private void ScanSome()
    {
        for (var i = 0; i < 16 && _scan is not null && _folder.State.CanWrite; i++)
        {
            if (!_scan.MoveNext()) Volatile.Write(ref _scan, null);
        }
    }

    /// <summary>Folder by folder: the row is made to say what lies there. Then row by row: those of which nothing lies there go.</summary>
    private IEnumerable<string> Scan()
    {
        var entries = _folder.PathOf("entries");
        foreach (var shard in Directory.EnumerateDirectories(entries))
        {
            foreach (var study in Directory.EnumerateDirectories(shard))
            {
                foreach (var series in Directory.EnumerateDirectories(study))
                {
                    var place = Path.GetRelativePath(entries, series);
                    Recount(place);
                    yield return place;
                }
                DeleteIfEmpty(study);
            }
        }
        for (var rows = _index.After("", 256); rows.Count > 0; rows = _index.After(rows[^1], 256))
        {
            foreach (var place in rows)
            {
                if (!Directory.Exists(_folder.PathOf("entries", place))) _index.Remove(place);
                yield return place;
            }
        }
        _index.Count();
    }

    private void Recount(string place)
    {
        // One that is damaged goes while it is counted, at the hand of whoever found it.
        var files = new DirectoryInfo(_folder.PathOf("entries", place)).EnumerateFiles().Where(f => f.Exists).ToList();
        var (count, bytes) = (files.Count, files.Sum(f => OnDisk(f.Length)));
        if (count > 0 && _index.Find(place) is { } row && (row.Entries, row.Bytes) == (count, bytes)) return;
        foreach (var file in files)
        {
            if (TryReadHead(file.FullName) is not { } head || _nameOf(head.Key.Backend) is null) continue;
            _index.Set(place, head.Key, count, bytes, head.Stored);
            return;
        }
        Discard(place);
    }

    private static EntryFile.Found? TryReadHead(string path)
    {
        try
        {
            using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            var bytes = new byte[EntryFile.MaxHeadBytes];
            return EntryFile.ReadHead(bytes.AsSpan(0, RandomAccess.Read(file, bytes, 0)));
        }
        catch (FileNotFoundException)
        {
            return null;
        }
    }

    private void WriteAll(List<Write> batch)
    {
        var written = new List<(Write Write, FileStream File)>();
        var kept = 0;
        try
        {
            // 1, 2
            foreach (var write in batch)
            {
                if (TryWrite(write) is { } file) written.Add((write, file));
            }
            // 3
            foreach (var (_, file) in written) file.Flush(flushToDisk: true);
            // 4, 5
            foreach (var (write, file) in written)
            {
                Place(write.Key, file.Name, file.Length, write.Entry.Stored);
                kept++;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Fail(e);
        }
        finally
        {
            _reserved.Clear();
            Interlocked.Add(ref _unkept, batch.Count - kept);
            foreach (var (_, file) in written.Take(kept)) file.Dispose();
            foreach (var (_, file) in written.Skip(kept)) Drop(file);
            foreach (var write in batch)
            {
                _queued.TryRemove(new(write.Key, write));
                Interlocked.Add(ref _queuedBytes, -write.Entry.Length);
            }
        }
    }

    /// <summary>Head and body into a new file; null when there is no room for it.</summary>
    private FileStream? TryWrite(Write write)
    {
        var hash = new XxHash128();
        foreach (var piece in write.Entry.Pieces) hash.Append(piece.Span);
        var head = EntryFile.WriteHead(write.Key, write.Entry.Head, write.Entry.Length, hash.GetCurrentHashAsUInt128(), write.Entry.Stored);
        if (head is null || !_folder.State.CanWrite || !TryMakeRoom(write.Key, head.Length + write.Entry.Length)) return null;
        var file = new FileStream(NextTemporary(), CacheFolder.NewFile());
        try
        {
            RandomAccess.Write(file.SafeFileHandle, [head, .. write.Entry.Pieces], 0);
            return file;
        }
        catch
        {
            Drop(file);
            throw;
        }
    }

    private bool TryCommit(Spool spool)
    {
        try
        {
            if (!TryMakeRoom(spool.Key, spool.FileBytes)) return false;
            spool.WriteHead();
            RandomAccess.FlushToDisk(spool.File);
            Place(spool.Key, spool.Path, spool.FileBytes, spool.Stored);
            spool.Keep();
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Fail(e);
            return false;
        }
        finally
        {
            _reserved.Clear();
        }
    }

    private void Place(EntryKey key, string from, long bytes, DateTimeOffset stored)
    {
        CacheFolder.CreateFolder(_folder.PathOf("entries", EntryFile.FolderOf(key)));
        var to = _folder.PathOf("entries", EntryFile.PathOf(key));
        var isNew = !File.Exists(to);
        File.Move(from, to, overwrite: true);
        if (isNew) _index.Add(key, OnDisk(bytes), stored);
    }

    /// <summary>Within the budget, and a quarter of it for one series at most: one that is larger would throw out all others.</summary>
    private bool TryMakeRoom(EntryKey key, long bytes)
    {
        var (max, needed, place) = (MaxBytes, OnDisk(bytes), EntryFile.FolderOf(key));
        var (here, all) = (_reserved.GetValueOrDefault(place), _reserved.Values.Sum());
        if (_index.BytesOf(place) + here + needed > max / 4) return false;
        if (_index.Bytes + all + needed > max) EvictDownTo(max / 10 * 9 - all - needed);
        if (_index.Bytes + all + needed > max) return false;
        _reserved[place] = here + needed;
        return true;
    }

    private void EvictDownTo(long bytes)
    {
        while (_index.Bytes > bytes && _index.LeastValuable(16) is { Count: > 0 } places)
        {
            var before = _index.Bytes;
            foreach (var place in places.TakeWhile(_ => _index.Bytes > bytes))
            {
                var row = _index.Find(place);
                Discard(place);
                if (row is not { } gone) continue;
                Interlocked.Add(ref _evictions, gone.Entries);
                Evicted?.Invoke(_nameOf(gone.Backend) ?? "", gone.Entries);
            }
            // The index cannot be changed, or does not know what is there.
            if (_index.Bytes == before) return;
        }
    }

    /// <summary>A whole series leaves: its row, then its folder, out of sight at once.</summary>
    private void Discard(string place)
    {
        _index.Remove(place);
        var folder = _folder.PathOf("entries", place);
        if (!Directory.Exists(folder)) return;
        Delete(folder);
        DeleteIfEmpty(Path.GetDirectoryName(folder)!);
    }

    private void Take(Removal removal)
    {
        if (removal is { Backend: null, Study: null })
        {
            _index.Clear();
            Delete(_folder.PathOf("entries"));
            CacheFolder.CreateFolder(_folder.PathOf("entries"));
        }
        else if (removal is { Backend: null, Study: { } study })
        {
            foreach (var place in _index.OfStudy(study.ToString())) _index.Remove(place);
            var folder = _folder.PathOf("entries", EntryFile.FolderOfStudy(study.ToString()));
            if (Directory.Exists(folder)) Delete(folder);
        }
        else if (removal is { Backend: { } backend, Study: { } of, Series: { } series })
        {
            var place = EntryFile.FolderOfSeries(backend, of.ToString(), series.ToString());
            var folder = _folder.PathOf("entries", place);
            if (!Directory.Exists(folder)) return;
            if (removal.Instance is null)
            {
                Discard(place);
                return;
            }
            foreach (var file in Directory.EnumerateFiles(folder))
            {
                if (TryReadHead(file) is { } head && removal.Has(head.Key)) File.Delete(file);
            }
            _index.Remove(place);
            Recount(place);
            _index.Count();
        }
    }

    /// <summary>Out of sight at once, whatever it takes to delete it.</summary>
    private void Delete(string folder)
    {
        var gone = NextTemporary();
        Directory.Move(folder, gone);
        Directory.Delete(gone, recursive: true);
    }

    private static void DeleteIfEmpty(string folder)
    {
        try
        {
            if (!Directory.EnumerateFileSystemEntries(folder).Any()) Directory.Delete(folder);
        }
        catch (DirectoryNotFoundException)
        {
            // As wished.
        }
    }

    private static void Drop(FileStream file)
    {
        file.Dispose();
        try
        {
            File.Delete(file.Name);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It goes with the others in tmp when the folder is taken next.
        }
    }

    private void Fail(Exception e)
    {
        _folder.Fail(e, wasWriting: true);
        // Rows that could not go with their folders are found by looking through it.
        if (_index.HasMissed) _taken = -1;
    }

    /// <summary>
    /// A disk that is full although the budget is not reached: a twentieth of what is kept goes, what is worth least first.
    /// Nothing can be written meanwhile, no row either; the rows are made right when the folder can be used again.
    /// </summary>
    private void GiveRoom()
    {
        if (_gaveRoom is { } last && _time.GetElapsedTime(last) < GiveRoomEvery) return;
        _gaveRoom = _time.GetTimestamp();
        var wanted = _index.Bytes / 20;
        foreach (var place in _index.LeastValuable(1000))
        {
            var folder = _folder.PathOf("entries", place);
            if (_index.Find(place) is not { } row || !Directory.Exists(folder)) continue;
            Directory.Delete(folder, recursive: true);
            _taken = -1;
            Interlocked.Add(ref _evictions, row.Entries);
            Evicted?.Invoke(_nameOf(row.Backend) ?? "", row.Entries);
            if ((wanted -= row.Bytes) <= 0) return;
        }
    }

    private static long OnDisk(long bytes) => (bytes + BlockBytes - 1) / BlockBytes * BlockBytes;
}
