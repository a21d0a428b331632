using System.Collections.Concurrent;
using Proxy.Disk;

namespace Proxy.Cache.OnDisk;

/// <summary>The disk usage of one backend.</summary>
/// <param name="Backend">Its identity (<see cref="Backends.BackendSet.FindIdentity"/>), or its name.</param>
/// <param name="Entries">The number of entries.</param>
/// <param name="Bytes">The size of the entries, in bytes.</param>
/// <param name="Oldest">The time of the oldest entry.</param>
public sealed record DiskShare(string Backend, long Entries, long Bytes, DateTimeOffset Oldest);

/// <summary>The size and the value of each series folder. A hint only: lookups use the files on disk.</summary>
/// <remarks>
/// <para>
/// A series is evicted as a whole, so that no study is left with gaps. Its value is the time of its last use, in milliseconds of proxy
/// run time (independent of the wall clock), plus a day for each further use, up to eight: a study viewed once is evicted before one
/// that is viewed every morning.
/// </para>
/// <para>
/// A prefetched series that no client has used has no uses, and its last use is set far before all others: it is evicted first, the
/// oldest first.
/// </para>
/// <para>
/// Only the disk writer changes the index; lookups note uses from any thread. Both are flushed together at intervals. In an encrypted
/// folder the UIDs of studies are encrypted.
/// </para>
/// </remarks>
internal sealed partial class DiskIndex(CacheFolder folder, TimeProvider time, ILogger log) : IDisposable
{
    private const string Schema = """
        CREATE TABLE series (
            folder TEXT PRIMARY KEY, backend TEXT, study TEXT, entries INTEGER, bytes INTEGER, used INTEGER, uses INTEGER, oldest INTEGER
        ) WITHOUT ROWID;
        CREATE INDEX by_worth ON series (used + min(uses, 8) * 86400000);
        CREATE INDEX by_study ON series (study);
        CREATE TABLE state (name TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;
        """;

    /// <summary>Uses within this time count as one, in ms: a viewer requests every frame of the series on screen.</summary>
    private const int UseInterval = 600_000;

    /// <summary>The distance by which an unused series lies before all others, in ms.</summary>
    private const long UnusedOffset = 1L << 50;

    private readonly SqliteFile _file = new(folder, "entries.db", 1, Schema, log);
    private readonly Dictionary<string, Change> _changes = [];
    private readonly ConcurrentDictionary<string, bool> _used = new();
    private long _clockBase;
    private long _clockFrom = time.GetTimestamp();
    private long _bytes;
    private long _entries;
    private long _prefetchedBytes;

    /// <summary>Additions to a folder that are not flushed yet.</summary>
    private sealed record Change(EntryKey Key, long Entries, long Bytes, DateTimeOffset Oldest, bool IsPrefetched);

    /// <summary>The size of all entries on disk, in bytes.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>The number of entries.</summary>
    public long Entries => Interlocked.Read(ref _entries);

    /// <summary>
    /// The bytes of series that were prefetched and never used. Additions not flushed yet may belong to a used series.
    /// </summary>
    public long PrefetchedBytes => Interlocked.Read(ref _prefetchedBytes);

    /// <summary>How well the index matches the files on disk when it is opened.</summary>
    public enum Trust
    {
        /// <summary>The last process shut down in order: the index is complete.</summary>
        Whole,

        /// <summary>The last process was killed: the index may lack some entries.</summary>
        Behind,

        /// <summary>The index is new and empty.</summary>
        Lost,
    }

    private long Clock => _clockBase + (long)time.GetElapsedTime(_clockFrom).TotalMilliseconds;

    /// <summary>Loads the index and marks it as open, so that a kill leaves it behind.</summary>
    public Trust Open()
    {
        _changes.Clear();
        HasFailedRemoval = false;
        var generation = _file.Generation;
        var wasClosed = _file.Read(static s => s.Number("SELECT value FROM state WHERE name = 'closed'"), 0L) == 1;
        _file.Write(static s => s.Run("INSERT OR REPLACE INTO state VALUES ('closed', 0)"));
        Count();
        _clockBase = _file.Read(static s => s.Number("SELECT max(used + iif(uses = 0, $1, 0)) FROM series", UnusedOffset), 0L);
        _clockFrom = time.GetTimestamp();
        return _file.Generation != generation ? Trust.Lost : wasClosed ? Trust.Whole : Trust.Behind;
    }

    /// <summary>Flushes and marks the index as complete: the next process need not scan.</summary>
    public void Close()
    {
        Flush();
        _file.Write(static s => s.Run("INSERT OR REPLACE INTO state VALUES ('closed', 1)"));
    }

    /// <summary>Grows each time the database is recreated.</summary>
    public int Generation => _file.Generation;

    /// <summary>True when a row could not be deleted since <see cref="Open"/>.</summary>
    public bool HasFailedRemoval { get; private set; }

    /// <summary>Marks a series as used. From any thread.</summary>
    public void Use(string folderOfSeries) => _used.TryAdd(folderOfSeries, true);

    /// <summary>Records a new entry; written at the next <see cref="Flush"/>.</summary>
    public void Add(EntryKey key, long bytes, DateTimeOffset stored, bool isPrefetched)
    {
        var seriesFolder = EntryFile.GetFolder(key);
        var change = _changes.GetValueOrDefault(seriesFolder) ?? new(key, 0, 0, stored, isPrefetched);
        _changes[seriesFolder] = change with
        {
            Entries = change.Entries + 1,
            Bytes = change.Bytes + bytes,
            IsPrefetched = change.IsPrefetched && isPrefetched
        };
        if (isPrefetched) Interlocked.Add(ref _prefetchedBytes, bytes);
        Interlocked.Add(ref _bytes, bytes);
        Interlocked.Increment(ref _entries);
    }

    /// <summary>Sets the counted content of a folder.</summary>
    public void Set(string seriesFolder, EntryKey key, long entries, long bytes, DateTimeOffset oldest, bool isPrefetched)
    {
        Flush();
        _file.Write(s => s.Run(
            """
            INSERT INTO series VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            ON CONFLICT (folder) DO UPDATE SET entries = excluded.entries, bytes = excluded.bytes
            """,
            seriesFolder, key.Backend, folder.Seal.Seal(key.Study.ToString()), entries, bytes,
            isPrefetched ? Clock - UnusedOffset : Clock, isPrefetched ? 0 : 1, oldest.ToUnixTimeMilliseconds()));
    }

    /// <summary>The bytes of a folder, including additions not flushed yet.</summary>
    public long GetBytes(string seriesFolder) => (Find(seriesFolder)?.Bytes ?? 0) + (_changes.GetValueOrDefault(seriesFolder)?.Bytes ?? 0);

    /// <summary>The flushed row of a folder; null when it has none.</summary>
    public (string Backend, long Entries, long Bytes)? Find(string seriesFolder) => _file.Read<(string, long, long)?>(
        s =>
        {
            using var row = s.Prepare("SELECT backend, entries, bytes FROM series WHERE folder = $1", seriesFolder).ExecuteReader();
            return row.Read() ? (row.GetString(0), row.GetInt64(1), row.GetInt64(2)) : null;
        },
        null);

    /// <summary>Writes the additions and uses to the database.</summary>
    public void Flush()
    {
        if (_changes.Count == 0 && _used.IsEmpty) return;
        var used = _used.Keys.ToList();
        var now = Clock;
        var isWritten = _file.Write(s =>
        {
            foreach (var (seriesFolder, change) in _changes)
            {
                s.Run(
                    """
                    INSERT INTO series VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                    ON CONFLICT (folder) DO UPDATE
                    SET entries = entries + $4, bytes = bytes + $5, used = max(used, $6), uses = max(uses, $7)
                    """,
                    seriesFolder, change.Key.Backend, folder.Seal.Seal(change.Key.Study.ToString()), change.Entries, change.Bytes,
                    change.IsPrefetched ? now - UnusedOffset : now, change.IsPrefetched ? 0 : 1, change.Oldest.ToUnixTimeMilliseconds());
            }
            foreach (var seriesFolder in used)
                s.Run("UPDATE series SET uses = uses + (used < $2 - $3), used = $2 WHERE folder = $1", seriesFolder, now, UseInterval);
        });
        if (!isWritten) return;
        _changes.Clear();
        foreach (var seriesFolder in used) _used.TryRemove(seriesFolder, out _);
        CountPrefetched();
    }

    /// <summary>Leaves no byte of removed rows in the database.</summary>
    /// <param name="isEmpty">True when all rows were removed.</param>
    /// <exception cref="IOException">The disk cannot be changed.</exception>
    public void Scrub(bool isEmpty)
    {
        if (!_file.Scrub(isEmpty)) throw new IOException("The index cannot be changed.");
    }

    /// <summary>Removes the row of a folder. Call before deleting the files: after a kill in between, the next scan finds them.</summary>
    public void Remove(string seriesFolder)
    {
        Flush();
        _changes.Remove(seriesFolder);
        var (_, entries, bytes) = Find(seriesFolder) ?? ("", 0, 0);
        if (!_file.Write(s => s.Run("DELETE FROM series WHERE folder = $1", seriesFolder)))
        {
            HasFailedRemoval = true;
            return;
        }
        Interlocked.Add(ref _bytes, -bytes);
        Interlocked.Add(ref _entries, -entries);
        CountPrefetched();
    }

    /// <summary>Removes all rows.</summary>
    public void Clear()
    {
        _changes.Clear();
        _used.Clear();
        _file.Write(static s => s.Run("DELETE FROM series"));
        Count();
    }

    /// <summary>Recounts the totals from the database.</summary>
    public void Count()
    {
        Interlocked.Exchange(
            ref _bytes, _file.Read(static s => s.Number("SELECT sum(bytes) FROM series"), 0L) + _changes.Values.Sum(c => c.Bytes));
        Interlocked.Exchange(
            ref _entries, _file.Read(static s => s.Number("SELECT sum(entries) FROM series"), 0L) + _changes.Values.Sum(c => c.Entries));
        CountPrefetched();
    }

    public void Dispose() => _file.Dispose();

    /// <summary>Recounts the prefetched series: the only ones with a negative value.</summary>
    private void CountPrefetched()
    {
        var written = _file.Read(static s => s.Number("SELECT sum(bytes) FROM series WHERE used + min(uses, 8) * 86400000 < 0"), 0L);
        Interlocked.Exchange(ref _prefetchedBytes, written + _changes.Values.Sum(c => c.IsPrefetched ? c.Bytes : 0));
    }
}
