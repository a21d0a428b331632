using System.Buffers;
using Microsoft.Data.Sqlite;
using Proxy.Dicom;
using Proxy.Disk;

namespace Proxy.Metadata.Persistence;

/// <summary>The rows of a study.</summary>
public sealed partial class StudyFile
{
    /// <summary>The bytes of a study, read under the file's lock and decoded without it.</summary>
    private sealed record Raw(byte[] Head, Dictionary<PackedKey, (byte[] Rented, int Length)> Packed, Dictionary<int, string> Identities);

    private static long CleanBatch(SqliteSession s, long from, Func<int, string?> nameOf, List<Uid> removed)
    {
        var batch = new List<(long Id, Uid Uid, byte[] Head)>();
        using (var row = s.Prepare("SELECT id, uid, head FROM study WHERE id > $1 ORDER BY id LIMIT 50", from).ExecuteReader())
        {
            while (row.Read()) batch.Add((ReadNumber(row, 0), ReadUid(row, 1), ReadBytes(row, 2)));
        }
        foreach (var (id, uid, head) in batch)
        {
            s.Run("DELETE FROM packed WHERE study = $1 AND backend IN (SELECT id FROM backend WHERE identity IS NULL)", id);
            // Only the list of backends matters here, so the packed instances are not read.
            if (StudyFormat.Read(uid, head, nameOf, _ => null, out var isWhole) is { SeriesLists.IsEmpty: true } && isWhole)
                Remove(s, uid.ToString(), removed);
        }
        if (batch.Count > 0) return batch[^1].Id;
        // A backend that was removed during this pass is only cleaned by the next one.
        if (from > 0)
            s.Run("DELETE FROM backend WHERE identity IS NULL AND NOT EXISTS (SELECT 1 FROM packed WHERE packed.backend = backend.id)");
        return 0;
    }

    private static Raw? FindRaw(SqliteSession s, Uid uid)
    {
        using var found = s.Prepare("SELECT id, head FROM study WHERE uid = $1", uid.ToString()).ExecuteReader();
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
        return new(ReadBytes(found, 1), packed, FindIdentities(s));
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
        key => raw.Packed.TryGetValue(key, out var bytes) ? PackedFormat.Read(bytes.Rented.AsSpan(0, bytes.Length)) : null,
        out isWhole);

    private bool HasConfiguredBackend(Study study) => study.SeriesLists.Keys.Any(name => identityOf(name) is not null);

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
        s.Run(
            """
            INSERT INTO study (uid, used, head) VALUES ($1, $2, $3)
            ON CONFLICT (uid) DO UPDATE SET used = excluded.used, head = excluded.head
            """,
            uid, used, StudyFormat.Write(study, idOf));
        var id = s.Number("SELECT id FROM study WHERE uid = $1", uid);
        var existing = new Dictionary<PackedKey, byte[]>();
        using (var row = s.Prepare("SELECT backend, series, kind, hash FROM packed WHERE study = $1", id).ExecuteReader())
        {
            while (row.Read()) existing[ReadKey(row)] = ReadBytes(row, 3);
        }
        foreach (var (key, packed) in StudyFormat.GetPacked(study, idOf))
        {
            var hash = PackedFormat.GetHash(packed);
            if (existing.Remove(key, out var oldHash) && oldHash.AsSpan().SequenceEqual(hash)) continue;
            s.Run(
                "INSERT OR REPLACE INTO packed (study, backend, series, kind, hash, bytes) VALUES ($1, $2, $3, $4, $5, $6)", id,
                key.Backend, key.Series.ToString(), key.IsRows ? 1 : 0, hash, PackedFormat.Write(packed));
        }
        foreach (var key in existing.Keys)
            s.Run(
                "DELETE FROM packed WHERE study = $1 AND backend = $2 AND series = $3 AND kind = $4", id, key.Backend,
                key.Series.ToString(), key.IsRows ? 1 : 0);
    }

    private static bool Remove(SqliteSession s, string uid, List<Uid>? removed = null)
    {
        if (Uid.TryParse(uid, out var study)) removed?.Add(study);
        s.Run("DELETE FROM packed WHERE study = (SELECT id FROM study WHERE uid = $1)", uid);
        s.Run("DELETE FROM study WHERE uid = $1", uid);
        return true;
    }

    // A damaged file may return values of any type. They are verified by a checksum later.
    private static PackedKey ReadKey(SqliteDataReader row) => new((int)ReadNumber(row, 0), ReadUid(row, 1), ReadNumber(row, 2) == 1);

    private static long ReadNumber(SqliteDataReader row, int column) => row.GetValue(column) as long? ?? 0;

    private static byte[] ReadBytes(SqliteDataReader row, int column) => row.GetValue(column) as byte[] ?? [];

    private static Uid ReadUid(SqliteDataReader row, int column) =>
        Uid.TryParse(row.GetValue(column) as string, out var uid) ? uid : default;
}
