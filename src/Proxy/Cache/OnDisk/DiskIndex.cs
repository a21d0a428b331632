using System.Collections.Concurrent;
using Proxy.Disk;

namespace Proxy.Cache.OnDisk;

/// <summary>What a backend's entries take on disk.</summary>
/// <param name="Backend">Its identity (<see cref="Backends.BackendSet.FindIdentity"/>), or its name.</param>
/// <param name="Entries">How many.</param>
/// <param name="Bytes">Of them all.</param>
/// <param name="Oldest">When the oldest came.</param>
public sealed record DiskShare(string Backend, long Entries, long Bytes, DateTimeOffset Oldest);

/// <summary>How much lies in each folder of a series, and what it is worth. A hint: what is there is what is on disk.</summary>
/// <remarks>
/// <para>
/// A series leaves whole, so that a study is here or not, and never a sieve. The worth of one is when it was used last,
/// in milliseconds for which some proxy ran (no clock that anybody sets), and a day more for each further time that it was
/// used, up to a week: what was looked at once leaves before what is looked at every morning.
/// </para>
/// <para>
/// A series of which everything was fetched ahead and nobody used anything yet has no uses, and its last use lies before
/// everybody's: it leaves first, the oldest before the others.
/// </para>
/// <para>
/// Only the disk's writer changes anything; whoever finds an entry notes its use. Both are written together, now and then.
/// </para>
/// </remarks>
internal sealed class DiskIndex(CacheFolder folder, TimeProvider time, ILogger log) : IDisposable
{
    private const string Schema = """
        CREATE TABLE series (folder TEXT PRIMARY KEY, backend TEXT, study TEXT, entries INTEGER, bytes INTEGER, used INTEGER, uses INTEGER, oldest INTEGER) WITHOUT ROWID;
        CREATE INDEX by_worth ON series (used + min(uses, 8) * 86400000);
        CREATE INDEX by_study ON series (study);
        CREATE TABLE state (name TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;
        """;

    /// <summary>Uses within this time are one, in ms: a client asks for every frame of what it shows.</summary>
    private const int OneUse = 600_000;

    /// <summary>So long before all others lies the last use of what nobody used yet, in ms.</summary>
    private const long LongAgo = 1L << 50;

    private readonly SqliteFile _file = new(folder, "entries.db", 1, Schema, log);
    private readonly Dictionary<string, Change> _changes = [];
    private readonly ConcurrentDictionary<string, bool> _used = new();
    private long _clockBase;
    private long _clockFrom = time.GetTimestamp();
    private long _bytes;
    private long _entries;
    private long _aheadBytes;

    /// <summary>What was added to a folder and is not written yet.</summary>
    private sealed record Change(EntryKey Key, long Entries, long Bytes, DateTimeOffset Oldest, bool IsPrefetched);

    /// <summary>Of all entries, as they lie on disk.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    public long Entries => Interlocked.Read(ref _entries);

    /// <summary>
    /// Of those series of which everything was fetched ahead and nobody used anything yet. What is not written down yet may be of others.
    /// </summary>
    public long PrefetchedBytes => Interlocked.Read(ref _aheadBytes);

    /// <summary>
    /// Whether what is written here is behind what lies on disk: the last process did not end in order, or the index is new.
    /// </summary>
    public enum Trust
    {
        Whole,
        Behind,
        Lost,
    }

    private long Clock => _clockBase + (long)time.GetElapsedTime(_clockFrom).TotalMilliseconds;

    /// <summary>Begins with what is written; from here on a kill leaves it behind.</summary>
    public Trust Open()
    {
        _changes.Clear();
        HasMissed = false;
        var made = _file.Generation;
        var wasClosed = _file.Read(static s => s.Number("SELECT value FROM state WHERE name = 'closed'"), 0L) == 1;
        _file.Write(static s => s.Run("INSERT OR REPLACE INTO state VALUES ('closed', 0)"));
        Count();
        _clockBase = _file.Read(static s => s.Number("SELECT max(used + iif(uses = 0, $1, 0)) FROM series", LongAgo), 0L);
        _clockFrom = time.GetTimestamp();
        return _file.Generation != made ? Trust.Lost : wasClosed ? Trust.Whole : Trust.Behind;
    }

    /// <summary>Everything is written: the next process need not look.</summary>
    public void Close()
    {
        Flush();
        _file.Write(static s => s.Run("INSERT OR REPLACE INTO state VALUES ('closed', 1)"));
    }

    /// <summary>Whether the database was made anew since <see cref="Open"/>.</summary>
    public int Generation => _file.Generation;

    /// <summary>A row that was to go since <see cref="Open"/> could not.</summary>
    public bool HasMissed { get; private set; }

    /// <summary>Notes that something in a folder was found. From any thread.</summary>
    public void Use(string folderOfSeries) => _used.TryAdd(folderOfSeries, true);

    public void Add(EntryKey key, long bytes, DateTimeOffset stored, bool isAhead)
    {
        var place = EntryFile.GetFolder(key);
        var change = _changes.GetValueOrDefault(place) ?? new(key, 0, 0, stored, isAhead);
        _changes[place] = change with
        {
            Entries = change.Entries + 1,
            Bytes = change.Bytes + bytes,
            IsPrefetched = change.IsPrefetched && isAhead
        };
        if (isAhead) Interlocked.Add(ref _aheadBytes, bytes);
        Interlocked.Add(ref _bytes, bytes);
        Interlocked.Increment(ref _entries);
    }

    /// <summary>What a folder holds, counted anew.</summary>
    public void Set(string place, EntryKey key, long entries, long bytes, DateTimeOffset oldest, bool isAhead)
    {
        Flush();
        _file.Write(s => s.Run(
            """
            INSERT INTO series VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            ON CONFLICT (folder) DO UPDATE SET entries = excluded.entries, bytes = excluded.bytes
            """,
            place, key.Backend, key.Study.ToString(), entries, bytes, isAhead ? Clock - LongAgo : Clock, isAhead ? 0 : 1,
            oldest.ToUnixTimeMilliseconds()));
    }

    /// <summary>Bytes of a folder, with what is not written yet.</summary>
    public long GetBytes(string place) => (Find(place)?.Bytes ?? 0) + (_changes.GetValueOrDefault(place)?.Bytes ?? 0);

    /// <summary>How much is written of a folder; null when nothing is.</summary>
    public (string Backend, long Entries, long Bytes)? Find(string place) => _file.Read<(string, long, long)?>(
        s =>
        {
            using var row = s.Prepare("SELECT backend, entries, bytes FROM series WHERE folder = $1", place).ExecuteReader();
            return row.Read() ? (row.GetString(0), row.GetInt64(1), row.GetInt64(2)) : null;
        },
        null);

    public void Flush()
    {
        if (_changes.Count == 0 && _used.IsEmpty) return;
        var used = _used.Keys.ToList();
        var now = Clock;
        var isWritten = _file.Write(s =>
        {
            foreach (var (place, change) in _changes)
            {
                s.Run(
                    """
                    INSERT INTO series VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                    ON CONFLICT (folder) DO UPDATE SET entries = entries + $4, bytes = bytes + $5, used = max(used, $6), uses = max(uses, $7)
                    """,
                    place, change.Key.Backend, change.Key.Study.ToString(), change.Entries, change.Bytes,
                    change.IsPrefetched ? now - LongAgo : now, change.IsPrefetched ? 0 : 1, change.Oldest.ToUnixTimeMilliseconds());
            }
            foreach (var place in used)
                s.Run("UPDATE series SET uses = uses + (used < $2 - $3), used = $2 WHERE folder = $1", place, now, OneUse);
        });
        if (!isWritten) return;
        _changes.Clear();
        foreach (var place in used) _used.TryRemove(place, out _);
        CountPrefetched();
    }

    /// <summary>Folders of those series that are worth least.</summary>
    public IReadOnlyList<string> LeastValuable(int count) =>
        ReadFolders("SELECT folder FROM series ORDER BY used + min(uses, 8) * 86400000 LIMIT $1", count);

    /// <summary>Folders of series that were used, but not within a time: those that are worth least; not a certain one.</summary>
    public IReadOnlyList<string> LeastValuableIdle(TimeSpan time, string except, int count) => ReadFolders(
        "SELECT folder FROM series WHERE uses > 0 AND used < $1 AND folder <> $2 ORDER BY used + min(uses, 8) * 86400000 LIMIT $3",
        Clock - (long)time.TotalMilliseconds, except, count);

    /// <summary>Bytes of series that were used, but not within a time. From any thread.</summary>
    public long IdleBytes(TimeSpan time)
    {
        var since = Clock - (long)time.TotalMilliseconds;
        return _file.Read(s => s.Number("SELECT sum(bytes) FROM series WHERE uses > 0 AND used < $1", since), 0L);
    }

    public IReadOnlyList<string> OfStudy(string study) => ReadFolders("SELECT folder FROM series WHERE study = $1", study);

    /// <summary>Folders from one on, in their order.</summary>
    public IReadOnlyList<string> After(string place, int count) =>
        ReadFolders("SELECT folder FROM series WHERE folder > $1 ORDER BY folder LIMIT $2", place, count);

    /// <summary>Backends of which something is here.</summary>
    public IReadOnlyList<DiskShare> Shares => _file.Read<IReadOnlyList<DiskShare>>(
        static s =>
        {
            var shares = new List<DiskShare>();
            using var rows = s.Prepare("SELECT backend, sum(entries), sum(bytes), min(oldest) FROM series GROUP BY backend")
                .ExecuteReader();
            while (rows.Read())
                shares.Add(
                    new(rows.GetString(0), rows.GetInt64(1), rows.GetInt64(2), DateTimeOffset.FromUnixTimeMilliseconds(rows.GetInt64(3))));
            return shares;
        },
        []);

    public IReadOnlyList<string> OfBackend(string backend) => ReadFolders("SELECT folder FROM series WHERE backend = $1", backend);

    /// <summary>A folder is to go: its row goes first, so that a kill in between leaves files that the next look finds.</summary>
    public void Remove(string place)
    {
        Flush();
        _changes.Remove(place);
        var (_, entries, bytes) = Find(place) ?? ("", 0, 0);
        if (!_file.Write(s => s.Run("DELETE FROM series WHERE folder = $1", place)))
        {
            HasMissed = true;
            return;
        }
        Interlocked.Add(ref _bytes, -bytes);
        Interlocked.Add(ref _entries, -entries);
        CountPrefetched();
    }

    public void Clear()
    {
        _changes.Clear();
        _used.Clear();
        _file.Write(static s => s.Run("DELETE FROM series"));
        Count();
    }

    /// <summary>Sums what is written.</summary>
    public void Count()
    {
        Interlocked.Exchange(
            ref _bytes, _file.Read(static s => s.Number("SELECT sum(bytes) FROM series"), 0L) + _changes.Values.Sum(c => c.Bytes));
        Interlocked.Exchange(
            ref _entries, _file.Read(static s => s.Number("SELECT sum(entries) FROM series"), 0L) + _changes.Values.Sum(c => c.Entries));
        CountPrefetched();
    }

    public void Dispose() => _file.Dispose();

    /// <summary>Those are the only ones whose worth is below nothing.</summary>
    private void CountPrefetched()
    {
        var written = _file.Read(static s => s.Number("SELECT sum(bytes) FROM series WHERE used + min(uses, 8) * 86400000 < 0"), 0L);
        Interlocked.Exchange(ref _aheadBytes, written + _changes.Values.Sum(c => c.IsPrefetched ? c.Bytes : 0));
    }

    private IReadOnlyList<string> ReadFolders(string sql, params ReadOnlySpan<object?> values)
    {
        Flush();
        var given = values.ToArray();
        return _file.Read<IReadOnlyList<string>>(
            s =>
            {
                var folders = new List<string>();
                using var rows = s.Prepare(sql, given).ExecuteReader();
                while (rows.Read()) folders.Add(rows.GetString(0));
                return folders;
            },
            []);
    }
}
