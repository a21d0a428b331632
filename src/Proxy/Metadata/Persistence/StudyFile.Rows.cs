using System.Buffers;
using Microsoft.Data.Sqlite;
using Proxy.Dicom;
using Proxy.Disk;

namespace Proxy.Metadata.Persistence;

/// <summary>The rows of a study.</summary>
public sealed partial class StudyFile
{
    /// <summary>The UIDs that <see cref="FindSealedUids"/> reads at once: some 2 MB.</summary>
    private const int WindowUids = 20_000;

    private Window? _window;

    /// <summary>UIDs of an encrypted file in order, from one position on.</summary>
    private sealed record Window(int Generation, long Changes, Uid After, IReadOnlyList<Uid> Uids);

    /// <summary>The bytes of a study, read under the file's lock and decoded without it.</summary>
    private sealed record Raw(byte[] Head, Dictionary<PackedKey, (byte[] Rented, int Length)> Packed, Dictionary<int, string> Identities);

    private long CleanBatch(SqliteSession s, long from, Func<int, string?> nameOf, List<Uid> removed)
    {
        var batch = new List<(long Id, Uid Uid, long Used, byte[] Head)>();
        using (var row = s.Prepare("SELECT id, uid, used, head FROM study WHERE id > $1 ORDER BY id LIMIT 50", from).ExecuteReader())
        {
            while (row.Read())
            {
                var uid = ReadUid(row, 1);
                batch.Add((ReadNumber(row, 0), uid, ReadNumber(row, 2), OpenHead(uid, ReadBytes(row, 3))));
            }
        }
        foreach (var (id, uid, used, head) in batch)
        {
            s.Run("DELETE FROM packed WHERE study = $1 AND backend IN (SELECT id FROM backend WHERE identity IS NULL)", id);
            // Usually no removed backend is in the study; then its packed instances are not read.
            var hasRemoved = false;
            StudyFormat.Read(uid, head, backend => Find(backend, ref hasRemoved), _ => null, out _);
            if (hasRemoved) WriteWithoutRemoved(s, uid, used, removed);
        }
        if (batch.Count > 0) return batch[^1].Id;
        // A backend that was removed during this pass is only cleaned by the next one.
        if (from > 0)
            s.Run("DELETE FROM backend WHERE identity IS NULL AND NOT EXISTS (SELECT 1 FROM packed WHERE packed.backend = backend.id)");
        return 0;

        string? Find(int backend, ref bool hasRemoved)
        {
            var name = nameOf(backend);
            hasRemoved |= name is null;
            return name;
        }
    }

    /// <summary>Writes a study again without the lists of removed backends; removes it when no other backend holds it.</summary>
    private void WriteWithoutRemoved(SqliteSession s, Uid uid, long used, List<Uid> removed)
    {
        if (FindRaw(s, uid) is not { } raw) return;
        var study = Decode(uid, raw, out _);
        foreach (var (rented, _) in raw.Packed.Values) ArrayPool<byte>.Shared.Return(rented);
        if (study is { HasHolder: true }) Write(s, study, used, name => AddBackend(s, name));
        else Remove(s, Store(uid.ToString()), removed);
    }

    private Raw? FindRaw(SqliteSession s, Uid uid)
    {
        using var found = s.Prepare("SELECT id, head FROM study WHERE uid = $1", Store(uid.ToString())).ExecuteReader();
        if (!found.Read()) return null;
        // While this statement is open, the following ones see the same snapshot of the file.
        var packed = new Dictionary<PackedKey, (byte[], int)>();
        // With the rowid, SqliteDataReader streams the value in place; without it, it copies the value into a large array first.
        using (var row = s.Prepare(
            "SELECT backend, series, kind, bytes, rowid FROM packed WHERE study = $1", ReadNumber(found, 0)).ExecuteReader())
        {
            while (row.Read())
            {
                if (row.GetFieldType(3) != typeof(byte[])) continue;
                using var bytes = row.GetStream(3);
                var rented = ArrayPool<byte>.Shared.Rent((int)bytes.Length);
                packed[ReadKey(row)] = (rented, bytes.ReadAtLeast(rented, (int)bytes.Length, throwOnEndOfStream: false));
            }
        }
        return new(OpenHead(uid, ReadBytes(found, 1)), packed, FindIdentities(s));
    }

    private static (IReadOnlyList<Uid> Studies, long Next) FindUnconfirmed(
        SqliteSession s, DateTimeOffset before, long from, Func<SqliteDataReader, (Uid Uid, byte[] Head)> read)
    {
        var (found, next) = (new List<Uid>(), 0L);
        using var row = s.Prepare("SELECT id, uid, head FROM study WHERE id > $1 ORDER BY id LIMIT 200", from).ExecuteReader();
        while (row.Read())
        {
            next = ReadNumber(row, 0);
            var (uid, head) = read(row);
            if (StudyFormat.ReadLastConfirmation(head) is { } confirmed && confirmed < before) found.Add(uid);
        }
        return (found, next);
    }

    /// <summary>
    /// The next UIDs of an encrypted file, which does not order them: one pass finds the next ones of many pages.
    /// </summary>
    private IReadOnlyList<Uid> FindSealedUids(Uid after, int max)
    {
        var (window, generation, changes) = (Volatile.Read(ref _window), Generation, _index.Changes);
        if (window is null || (window.Generation, window.Changes) != (generation, changes) || after < window.After
            || (window.Uids.Count == WindowUids && after >= window.Uids[^Math.Min(max, WindowUids)]))
        {
            window = new(generation, changes, after, _file.Read<IReadOnlyList<Uid>>(s => ReadWindow(s, after), []));
            Volatile.Write(ref _window, window);
        }
        return [.. window.Uids.SkipWhile(uid => uid <= after).Take(max)];
    }

    private IReadOnlyList<Uid> ReadWindow(SqliteSession s, Uid after)
    {
        var next = new SortedSet<Uid>();
        using var row = s.Prepare("SELECT uid FROM study").ExecuteReader();
        while (row.Read())
        {
            var uid = ReadUid(row, 0);
            if (uid <= after || uid == default || (next.Count == WindowUids && uid > next.Max)) continue;
            next.Add(uid);
            if (next.Count > WindowUids) next.Remove(next.Max);
        }
        return [.. next];
    }

    private static Dictionary<int, string> FindIdentities(SqliteSession s)
    {
        var identities = new Dictionary<int, string>();
        using var row = s.Prepare("SELECT id, identity FROM backend WHERE identity IS NOT NULL").ExecuteReader();
        while (row.Read()) identities[(int)ReadNumber(row, 0)] = row.GetValue(1).ToString() ?? "";
        return identities;
    }

    private Study? Decode(Uid uid, Raw raw, out bool isWhole) => StudyFormat.Read(
        uid,
        raw.Head,
        id => raw.Identities.TryGetValue(id, out var identity) ? nameOf(identity) : null,
        key => raw.Packed.TryGetValue(key, out var bytes)
            ? PackedFormat.Read(Restore(bytes.Rented.AsSpan(0, bytes.Length), uid, key))
            : null,
        out isWhole);

    private bool HasConfiguredBackend(Study study) => study.SeriesLists.Keys.Any(name => identityOf(name) is not null);

    private int? AddBackend(SqliteSession s, string name)
    {
        if (identityOf(name) is not { } identity) return null;
        s.Run("INSERT OR IGNORE INTO backend (identity) VALUES ($1)", identity);
        return (int)s.Number("SELECT id FROM backend WHERE identity = $1", identity);
    }

    private void Write(SqliteSession s, Study study, long used, Func<string, int?> idOf)
    {
        var uid = Store(study.Uid.ToString());
        if (!study.SeriesLists.Keys.Any(name => idOf(name) is not null))
        {
            Remove(s, uid);
            return;
        }
        s.Run(
            """
            INSERT INTO study (uid, used, head) VALUES ($1, $2, $3)
            ON CONFLICT (uid) DO UPDATE SET used = excluded.used, head = excluded.head
            """,
            uid, used, Seal.Seal(StudyFormat.Write(study, idOf), GetOwner(study.Uid)));
        var id = s.Number("SELECT id FROM study WHERE uid = $1", uid);
        var existing = new Dictionary<PackedKey, byte[]>();
        using (var row = s.Prepare("SELECT backend, series, kind, hash FROM packed WHERE study = $1", id).ExecuteReader())
        {
            while (row.Read()) existing[ReadKey(row)] = ReadBytes(row, 3);
        }
        foreach (var (key, packed) in StudyFormat.GetPacked(study, idOf))
        {
            var hash = Seal.SealHash(PackedFormat.GetHash(packed));
            if (existing.Remove(key, out var oldHash) && oldHash.AsSpan().SequenceEqual(hash)) continue;
            s.Run(
                "INSERT OR REPLACE INTO packed (study, backend, series, kind, hash, bytes) VALUES ($1, $2, $3, $4, $5, $6)", id,
                key.Backend, Store(key.Series.ToString()), key.IsRows ? 1 : 0, hash,
                Seal.Seal(PackedFormat.Write(packed), GetOwner(study.Uid, key)));
        }
        foreach (var key in existing.Keys)
            s.Run(
                "DELETE FROM packed WHERE study = $1 AND backend = $2 AND series = $3 AND kind = $4", id, key.Backend,
                Store(key.Series.ToString()), key.IsRows ? 1 : 0);
    }

    /// <summary>Removes a study.</summary>
    /// <param name="s">The session.</param>
    /// <param name="uid">The UID as it is stored.</param>
    /// <param name="removed">Receives the UID.</param>
    private bool Remove(SqliteSession s, string uid, List<Uid>? removed = null)
    {
        if (removed is not null && Uid.TryParse(Restore(uid), out var study)) removed.Add(study);
        s.Run("DELETE FROM packed WHERE study = (SELECT id FROM study WHERE uid = $1)", uid);
        s.Run("DELETE FROM study WHERE uid = $1", uid);
        return true;
    }

    // A damaged file may return values of any type. They are verified by a checksum later.
    private PackedKey ReadKey(SqliteDataReader row) => new((int)ReadNumber(row, 0), ReadUid(row, 1), ReadNumber(row, 2) == 1);

    private static long ReadNumber(SqliteDataReader row, int column) => row.GetValue(column) as long? ?? 0;

    private static byte[] ReadBytes(SqliteDataReader row, int column) => row.GetValue(column) as byte[] ?? [];

    private Uid ReadUid(SqliteDataReader row, int column) =>
        Uid.TryParse(Restore(row.GetValue(column) as string), out var uid) ? uid : default;

    private string Store(string text) => folder.IsEncrypted ? Seal.Seal(text) : text;

    private string? Restore(string? form) => folder.IsEncrypted ? Seal.Open(form) : form;

    private Span<byte> Restore(Span<byte> form, Uid uid, PackedKey key) =>
        folder.IsEncrypted ? Seal.Open(form, GetOwner(uid, key)) : form;

    private byte[] OpenHead(Uid uid, byte[] head) => folder.IsEncrypted ? Seal.Open(head, GetOwner(uid)).ToArray() : head;

    private static string GetOwner(Uid uid) => $"study {uid}";

    private static string GetOwner(Uid uid, PackedKey key) => $"series {uid} {key.Backend} {key.Series} {key.IsRows}";
}
