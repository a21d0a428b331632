using System.Buffers;
using Microsoft.Data.Sqlite;
using Proxy.Dicom;
using Proxy.Disk;
using Proxy.Operations;

namespace Proxy.Metadata.Persistence;

/// <summary>Studies on disk. A disk that cannot be used is one where nothing is.</summary>
/// <remarks>
/// <code>
/// backend   a number for each identity that something is kept of; none for one that was removed, and never the same again
/// study     when it was used last, and all that is known but its instances (<see cref="StudyFormat"/>)
/// packed    the instances of one series as one backend gave them (<see cref="PackedFormat"/>)
/// </code>
/// So what is confirmed every minute writes nothing of the instances anew. What a study has beside it is compared with
/// what lies there each time that it is written: nothing depends on what somebody remembers of the file.
/// </remarks>
/// <param name="folder">Where it lies.</param>
/// <param name="identityOf">The name of a backend on disk; null when it is not configured.</param>
/// <param name="nameOf">And the way back.</param>
/// <param name="counters">Where damage is counted.</param>
/// <param name="log">Told when the file was replaced.</param>
public sealed class StudyFile(
    CacheFolder folder, Func<string, string?> identityOf, Func<string, string?> nameOf, Counters counters,
    ILogger<StudyFile> log) : IDisposable
{
    private const string Schema = """
        CREATE TABLE backend (id INTEGER PRIMARY KEY AUTOINCREMENT, identity TEXT UNIQUE COLLATE NOCASE);
        CREATE TABLE study (id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, used INTEGER NOT NULL, head BLOB NOT NULL);
        CREATE INDEX by_use ON study (used);
        CREATE TABLE packed (study INTEGER NOT NULL, backend INTEGER NOT NULL, series TEXT NOT NULL, kind INTEGER NOT NULL, hash BLOB NOT NULL, bytes BLOB NOT NULL,
                             UNIQUE (study, backend, series, kind))
        """;

    private readonly SqliteFile _file = new(folder, "studies.db", 1, Schema, log);

    /// <summary>Which studies lie there: neither a count nor the look for a new study asks the disk.</summary>
    private readonly StudyIndex _index = new();

    /// <summary>One connection reads: who waits for it waits without a thread.</summary>
    private readonly SemaphoreSlim _reading = new(1);

    /// <summary>A study as it lies there: read under the file's lock, understood without.</summary>
    private sealed record Raw(byte[] Head, Dictionary<PackedKey, (byte[] Rented, int Length)> Packed, Dictionary<int, string> Identities);

    /// <summary>Whether something is to be kept on disk at all.</summary>
    public bool IsConfigured => folder.IsConfigured;

    public bool CanWrite => folder.State.CanWrite;

    /// <summary>Grows when the file was made anew, or is another one: what was written before is not there.</summary>
    public int Generation => folder.OwnershipEpoch + _file.Generation;

    public long UsedBytes => _file.UsedBytes;

    /// <summary>Studies that can be read.</summary>
    public int Count => folder.State.CanRead ? _index.Count : 0;

    /// <summary>Whether a study may lie there. False is certain while the file can be read.</summary>
    public bool MayHave(Uid uid) => folder.State.CanRead && (_index.Generation != Generation || _index.Has(uid));

    /// <summary>Reads which studies lie there, when the file is another one since.</summary>
    public void ReadIndex()
    {
        var generation = Generation;
        if (_index.Generation == generation) return;
        var uids = _file.Read<List<Uid>?>(
            static s =>
            {
                var all = new List<Uid>();
                using var row = s.Prepare("SELECT uid FROM study").ExecuteReader();
                while (row.Read()) all.Add(UidIn(row, 0));
                return all;
            },
            null);
        if (uids is not null && generation == Generation) _index.Set(uids, generation);
    }

    /// <summary>What is known of a study, read on another thread.</summary>
    /// <returns>Nothing when the disk cannot be used, or did not answer within <see cref="CacheFolder.Patience"/>.</returns>
    internal async Task<FoundStudy> FindAsync(Uid uid, CancellationToken cancellation)
    {
        if (!await _reading.WaitAsync(CacheFolder.Patience, cancellation)) return FoundStudy.Nothing;
        try
        {
            var found = await folder.RunAsync(() => new FoundStudy(Find(uid, out var isWhole), isWhole), cancellation);
            return found ?? FoundStudy.Nothing;
        }
        finally
        {
            _reading.Release();
        }
    }

    /// <summary>The highest number that a use was written with.</summary>
    public long LastUse => _file.Read(static s => s.Number("SELECT max(used) FROM study"), 0L);

    /// <summary>What is known of a study; null when nothing is.</summary>
    /// <param name="uid">Which.</param>
    /// <param name="isWhole">False when some of it is damaged: that is left out, counted, and gone from the disk.</param>
    public Study? Find(Uid uid, out bool isWhole)
    {
        isWhole = true;
        if (_file.Read(s => FindRaw(s, uid), null) is not { } raw) return null;
        var study = Understand(uid, raw, out isWhole);
        foreach (var (rented, _) in raw.Packed.Values) ArrayPool<byte>.Shared.Return(rented);
        if (!isWhole)
        {
            counters.StoreDamaged();
            Remove([uid]);
        }
        return study is null || study.SeriesLists.IsEmpty ? null : study;
    }

    /// <summary>Writes studies as they are now, in one transaction.</summary>
    /// <param name="studies">Each with the number of its last use.</param>
    /// <param name="uses">Further studies that were only used.</param>
    /// <param name="generation">That of the file that they are in now.</param>
    /// <returns>False when none was written.</returns>
    public bool Write(
        IReadOnlyCollection<(Study Study, long Used)> studies, IReadOnlyCollection<(Uid Uid, long Used)> uses, out int generation)
    {
        var taken = folder.OwnershipEpoch;
        var isWritten = _file.Write(
            s =>
            {
                var ids = new Dictionary<string, int?>(StringComparer.OrdinalIgnoreCase);
                int? IdOf(string name) => ids.TryGetValue(name, out var id) ? id : ids[name] = AddBackend(s, name);
                foreach (var (study, used) in studies) Write(s, study, used, IdOf);
                foreach (var (uid, used) in uses) s.Run("UPDATE study SET used = max(used, $1) WHERE uid = $2", used, uid.ToString());
            },
            () =>
            {
                foreach (var (study, _) in studies) _index.Set(study.Uid, IsKept(study));
            });
        // Writing may have made the file. When the folder was taken anew meanwhile, this is an older number, and all is written again.
        generation = taken + _file.Generation;
        return isWritten;
    }

    /// <returns>False when they are there still.</returns>
    public bool Remove(IReadOnlyCollection<Uid> studies) => _file.Write(
        s =>
        {
            foreach (var uid in studies) Remove(s, uid.ToString());
        },
        () => _index.Remove(studies));

    /// <returns>False when they are there still.</returns>
    public bool RemoveAll() => _file.Write(
        static s =>
        {
            s.Run("DELETE FROM packed");
            s.Run("DELETE FROM study");
        },
        _index.Clear);

    /// <summary>What was kept of a backend of this name counts for nothing from now on; <see cref="Clean"/> takes it away.</summary>
    public bool RemoveBackend(string name) =>
        _file.Write(s => s.Run("UPDATE backend SET identity = NULL WHERE substr(identity, 1, length($1)) = $1 COLLATE NOCASE", name + "@"));

    /// <summary>Removes the studies that were used longest ago, some at a time, down to nine tenths of the budget.</summary>
    public void Trim(long maxBytes)
    {
        if (UsedBytes <= maxBytes) return;
        var isOver = true;
        while (isOver)
        {
            var gone = new List<Uid>();
            var written = _file.Write(
                s =>
                {
                    for (var i = 0; i < 100 && isOver; i++)
                    {
                        isOver =
                            (s.Number("PRAGMA page_count") - s.Number("PRAGMA freelist_count")) * s.Number("PRAGMA page_size") > maxBytes / 10 * 9
                            && s.Prepare("SELECT uid FROM study ORDER BY used LIMIT 1").ExecuteScalar() is string oldest
                                && Remove(s, oldest, gone);
                    }
                },
                () => _index.Remove(gone));
            if (!written) return;
        }
    }

    /// <summary>UIDs in their order, from behind <paramref name="after"/>.</summary>
    public IReadOnlyList<Uid> FindUids(Uid after, int most) => _file.Read<IReadOnlyList<Uid>>(
        s =>
        {
            var uids = new List<Uid>();
            using var row = s.Prepare("SELECT uid FROM study WHERE uid > $1 ORDER BY uid LIMIT $2", after.ToString(), most).ExecuteReader();
            while (row.Read()) uids.Add(UidIn(row, 0));
            return uids;
        },
        []);

    public void Dispose()
    {
        _file.Dispose();
        _reading.Dispose();
    }

    /// <summary>Takes a few of those studies away of which only removed backends said something, and their instances.</summary>
    /// <param name="from">Where to go on: 0 at first.</param>
    /// <returns>Where to go on; 0 when nothing is left.</returns>
    public long Clean(long from)
    {
        var next = 0L;
        var removed = new List<Uid>();
        _file.Write(
            s =>
            {
                var identities = FindIdentities(s);
                var gone = identities.Where(b => nameOf(b.Value) is null).Select(b => b.Key).ToList();
                // First of all they are unknown, so that one that is configured again begins anew.
                foreach (var id in gone) s.Run("UPDATE backend SET identity = NULL WHERE id = $1", id);
                if (s.Number("SELECT count(*) FROM backend WHERE identity IS NULL") == 0) return;
                next = CleanSome(s, from, id => identities.GetValueOrDefault(id) is { } identity ? nameOf(identity) : null, removed);
            },
            () => _index.Remove(removed));
        return next;
    }

    private static long CleanSome(SqliteSession s, long from, Func<int, string?> nameOf, List<Uid> removed)
    {
        var some = new List<(long Id, Uid Uid, byte[] Head)>();
        using (var row = s.Prepare("SELECT id, uid, head FROM study WHERE id > $1 ORDER BY id LIMIT 50", from).ExecuteReader())
        {
            while (row.Read()) some.Add((NumberIn(row, 0), UidIn(row, 1), BytesIn(row, 2)));
        }
        foreach (var (id, uid, head) in some)
        {
            s.Run("DELETE FROM packed WHERE study = $1 AND backend IN (SELECT id FROM backend WHERE identity IS NULL)", id);
            // Whatever lies beside it: only who said something matters.
            if (StudyFormat.Read(uid, head, nameOf, _ => null, out var isWhole) is { SeriesLists.IsEmpty: true } && isWhole)
                Remove(s, uid.ToString(), removed);
        }
        if (some.Count > 0) return some[^1].Id;
        // A backend that was removed since the walk began is only met by the next one.
        if (from > 0)
            s.Run("DELETE FROM backend WHERE identity IS NULL AND NOT EXISTS (SELECT 1 FROM packed WHERE packed.backend = backend.id)");
        return 0;
    }

    private static Raw? FindRaw(SqliteSession s, Uid uid)
    {
        using var found = s.Prepare("SELECT id, head FROM study WHERE uid = $1", uid.ToString()).ExecuteReader();
        if (!found.Read()) return null;
        // As long as the first statement is open, the others see the file as it was then.
        var packed = new Dictionary<PackedKey, (byte[], int)>();
        // With its row's id a value is read in place; without, it would be copied to an array of its own first, a large one.
        using (var row = s.Prepare(
            "SELECT backend, series, kind, bytes, rowid FROM packed WHERE study = $1", NumberIn(found, 0)).ExecuteReader())
        {
            while (row.Read())
            {
                if (row.GetFieldType(3) != typeof(byte[])) continue;
                using var bytes = row.GetStream(3);
                var rented = ArrayPool<byte>.Shared.Rent((int)bytes.Length);
                packed[KeyIn(row)] = (rented, bytes.ReadAtLeast(rented, (int)bytes.Length, throwOnEndOfStream: false));
            }
        }
        return new(BytesIn(found, 1), packed, FindIdentities(s));
    }

    private static Dictionary<int, string> FindIdentities(SqliteSession s)
    {
        var identities = new Dictionary<int, string>();
        using var row = s.Prepare("SELECT id, identity FROM backend WHERE identity IS NOT NULL").ExecuteReader();
        while (row.Read()) identities[(int)NumberIn(row, 0)] = row.GetValue(1).ToString() ?? "";
        return identities;
    }

    private Study? Understand(Uid uid, Raw raw, out bool isWhole) => StudyFormat.Read(
        uid,
        raw.Head,
        id => raw.Identities.TryGetValue(id, out var identity) ? nameOf(identity) : null,
        key => raw.Packed.TryGetValue(key, out var bytes) ? PackedFormat.Read(bytes.Rented.AsSpan(0, bytes.Length)) : null,
        out isWhole);

    private bool IsKept(Study study) => study.SeriesLists.Keys.Any(name => identityOf(name) is not null);

    private int? AddBackend(SqliteSession s, string name)
    {
        if (identityOf(name) is not { } identity) return null;
        s.Run("INSERT OR IGNORE INTO backend (identity) VALUES ($1)", identity);
        return (int)s.Number("SELECT id FROM backend WHERE identity = $1", identity);
    }

    private static void Write(SqliteSession s, Study study, long used, Func<string, int?> idOf)
    {
        var uid = study.Uid.ToString();
        if (!study.SeriesLists.Keys.Any(name => idOf(name) is not null))
        {
            Remove(s, uid);
            return;
        }
        s.Run("INSERT INTO study (uid, used, head) VALUES ($1, $2, $3) ON CONFLICT (uid) DO UPDATE SET used = excluded.used, head = excluded.head", uid, used, StudyFormat.Write(study, idOf));
        var id = s.Number("SELECT id FROM study WHERE uid = $1", uid);
        var there = new Dictionary<PackedKey, byte[]>();
        using (var row = s.Prepare("SELECT backend, series, kind, hash FROM packed WHERE study = $1", id).ExecuteReader())
        {
            while (row.Read()) there[KeyIn(row)] = BytesIn(row, 3);
        }
        foreach (var (key, packed) in StudyFormat.GetPacked(study, idOf))
        {
            var hash = PackedFormat.GetHash(packed);
            if (there.Remove(key, out var kept) && kept.AsSpan().SequenceEqual(hash)) continue;
            s.Run(
                "INSERT OR REPLACE INTO packed (study, backend, series, kind, hash, bytes) VALUES ($1, $2, $3, $4, $5, $6)", id,
                key.Backend, key.Series.ToString(), key.IsRows ? 1 : 0, hash, PackedFormat.Write(packed));
        }
        foreach (var key in there.Keys)
            s.Run(
                "DELETE FROM packed WHERE study = $1 AND backend = $2 AND series = $3 AND kind = $4", id, key.Backend,
                key.Series.ToString(), key.IsRows ? 1 : 0);
    }

    private static bool Remove(SqliteSession s, string uid, List<Uid>? removed = null)
    {
        if (Uid.TryParse(uid, out var gone)) removed?.Add(gone);
        s.Run("DELETE FROM packed WHERE study = (SELECT id FROM study WHERE uid = $1)", uid);
        s.Run("DELETE FROM study WHERE uid = $1", uid);
        return true;
    }

    // What a damaged file gives may be of any type. Whatever is made of it here is held against a checksum later.
    private static PackedKey KeyIn(SqliteDataReader row) => new((int)NumberIn(row, 0), UidIn(row, 1), NumberIn(row, 2) == 1);

    private static long NumberIn(SqliteDataReader row, int column) => row.GetValue(column) as long? ?? 0;

    private static byte[] BytesIn(SqliteDataReader row, int column) => row.GetValue(column) as byte[] ?? [];

    private static Uid UidIn(SqliteDataReader row, int column) => Uid.TryParse(row.GetValue(column) as string, out var uid) ? uid : default;
}
