using System.Buffers;
using Proxy.Dicom;
using Proxy.Disk;
using Proxy.Operations;

namespace Proxy.Metadata.Persistence;

/// <summary>Studies on disk. An unusable disk behaves as an empty one.</summary>
/// <remarks>
/// <code>
/// backend   a number for each backend identity with data; null identity once removed; numbers are never reused
/// study     its last use, and all its data except the instances (<see cref="StudyFormat"/>)
/// packed    the instances of one series from one backend (<see cref="PackedFormat"/>)
/// </code>
/// So the confirmation of metadata every minute does not write the instances again. Each write compares the hashes of a study's packed
/// rows with those in the file, and so depends on no copy of the file's state.
/// </remarks>
/// <param name="folder">The cache folder.</param>
/// <param name="identityOf">The identity of a backend on disk; null when it is not configured.</param>
/// <param name="nameOf">The inverse mapping.</param>
/// <param name="counters">Counts damaged studies.</param>
/// <param name="log">Logs the replacement of the file.</param>
public sealed partial class StudyFile(
    CacheFolder folder, Func<string, string?> identityOf, Func<string, string?> nameOf, Counters counters,
    ILogger<StudyFile> log) : IDisposable
{
    private const string Schema = """
        CREATE TABLE backend (id INTEGER PRIMARY KEY AUTOINCREMENT, identity TEXT UNIQUE COLLATE NOCASE);
        CREATE TABLE study (id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, used INTEGER NOT NULL, head BLOB NOT NULL);
        CREATE INDEX by_use ON study (used);
            CREATE TABLE packed (study INTEGER NOT NULL, backend INTEGER NOT NULL, series TEXT NOT NULL, kind INTEGER NOT NULL,
                                 hash BLOB NOT NULL, bytes BLOB NOT NULL, UNIQUE (study, backend, series, kind))
        """;

    private readonly SqliteFile _file = new(folder, "studies.db", 1, Schema, log);

    /// <summary>The studies in the file: neither the count nor the lookup of a new study reads the disk.</summary>
    private readonly StudyIndex _index = new();

    /// <summary>The file has one connection for reading: wait for it without blocking a thread.</summary>
    private readonly SemaphoreSlim _reading = new(1);
    private long _blockingReads;

    /// <summary>True when a cache folder is configured.</summary>
    public bool IsConfigured => folder.IsConfigured;

    /// <summary>True when the folder can be written to.</summary>
    public bool CanWrite => folder.State.CanWrite;

    /// <summary>Grows when the file is recreated or another folder is acquired: earlier writes are lost.</summary>
    public int Generation => folder.OwnershipEpoch + _file.Generation;

    /// <summary>The bytes in use in the file.</summary>
    public long UsedBytes => _file.UsedBytes;

    /// <summary>The number of studies that can be read.</summary>
    public int Count => folder.State.CanRead ? _index.Count : 0;

    /// <summary>True when the file may have the study. False is certain while the file can be read.</summary>
    public bool MayHave(Uid uid) => folder.State.CanRead && (_index.Generation != Generation || _index.Has(uid));

    /// <summary>Reads the UIDs of all studies after the file was opened or replaced.</summary>
    public void ReadIndex()
    {
        var generation = Generation;
        if (_index.Generation == generation) return;
        var uids = _file.Read<List<Uid>?>(
            static s =>
            {
                var all = new List<Uid>();
                using var row = s.Prepare("SELECT uid FROM study").ExecuteReader();
                while (row.Read()) all.Add(ReadUid(row, 0));
                return all;
            },
            null);
        if (uids is not null && generation == Generation) _index.Set(uids, generation);
    }

    /// <summary>Reads a study on another thread.</summary>
    /// <returns>Nothing when the disk is unusable, or does not answer within <see cref="CacheFolder.Timeout"/>.</returns>
    internal async Task<FoundStudy> FindAsync(Uid uid, CancellationToken cancellation)
    {
        if (!await _reading.WaitAsync(CacheFolder.Timeout, cancellation)) return FoundStudy.Nothing;
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

    /// <summary>
    /// The number of studies that were read while the thread of a caller waited. No request causes one: it leases its studies first.
    /// </summary>
    public long BlockingReads => Interlocked.Read(ref _blockingReads);

    /// <summary><see cref="Find"/> for a caller without a lease, counted in <see cref="BlockingReads"/>.</summary>
    internal Study? FindBlocking(Uid uid, out bool isWhole)
    {
        Interlocked.Increment(ref _blockingReads);
        return Find(uid, out isWhole);
    }

    /// <summary>The highest sequence number of a use in the file.</summary>
    public long LastUse => _file.Read(static s => s.Number("SELECT max(used) FROM study"), 0L);

    /// <summary>Reads a study; null when the file has none.</summary>
    /// <param name="uid">The study.</param>
    /// <param name="isWhole">False when a part is damaged: it is left out, and the study is counted and removed from the file.</param>
    public Study? Find(Uid uid, out bool isWhole)
    {
        isWhole = true;
        if (_file.Read(s => FindRaw(s, uid), null) is not { } raw) return null;
        var study = Decode(uid, raw, out isWhole);
        foreach (var (rented, _) in raw.Packed.Values) ArrayPool<byte>.Shared.Return(rented);
        if (!isWhole)
        {
            counters.StoreDamaged();
            Remove([uid]);
        }
        return study is null || study.SeriesLists.IsEmpty ? null : study;
    }

    /// <summary>Writes studies in one transaction.</summary>
    /// <param name="studies">Each with the sequence number of its last use.</param>
    /// <param name="uses">Further studies with only a new last use.</param>
    /// <param name="generation">The generation of the file written to.</param>
    /// <returns>False when the transaction failed.</returns>
    public bool Write(
        IReadOnlyCollection<(Study Study, long Used)> studies, IReadOnlyCollection<(Uid Uid, long Used)> uses, out int generation)
    {
        var epoch = folder.OwnershipEpoch;
        var isWritten = _file.Write(
            s =>
            {
                var ids = new Dictionary<string, int?>(StringComparer.OrdinalIgnoreCase);
                int? GetId(string name) => ids.TryGetValue(name, out var id) ? id : ids[name] = AddBackend(s, name);
                foreach (var (study, used) in studies) Write(s, study, used, GetId);
                foreach (var (uid, used) in uses) s.Run("UPDATE study SET used = max(used, $1) WHERE uid = $2", used, uid.ToString());
            },
            () =>
            {
                foreach (var (study, _) in studies) _index.Set(study.Uid, HasConfiguredBackend(study));
            });
        // Writing may have created the file. If the folder was acquired again meanwhile, this number is too low, and all is written again.
        generation = epoch + _file.Generation;
        return isWritten;
    }

    /// <summary>Removes studies.</summary>
    /// <returns>False when the file cannot be changed.</returns>
    public bool Remove(IReadOnlyCollection<Uid> studies) => _file.Write(
        s =>
        {
            foreach (var uid in studies) Remove(s, uid.ToString());
        },
        () => _index.Remove(studies));

    /// <summary>Removes all studies.</summary>
    /// <returns>False when the file cannot be changed.</returns>
    public bool RemoveAll() => _file.Write(
        static s =>
        {
            s.Run("DELETE FROM packed");
            s.Run("DELETE FROM study");
        },
        _index.Clear);

    /// <summary>Invalidates the data of a backend by its name; <see cref="RemoveUnconfigured"/> deletes it.</summary>
    public bool RemoveBackend(string name) =>
        _file.Write(s => s.Run("UPDATE backend SET identity = NULL WHERE substr(identity, 1, length($1)) = $1 COLLATE NOCASE", name + "@"));

    /// <summary>Removes the least recently used studies in batches, down to nine tenths of the budget.</summary>
    public void Evict(long maxBytes)
    {
        if (UsedBytes <= maxBytes) return;
        var isOver = true;
        while (isOver)
        {
            var removed = new List<Uid>();
            var written = _file.Write(
                s =>
                {
                    for (var i = 0; i < 100 && isOver; i++)
                    {
                        var usedBytes = (s.Number("PRAGMA page_count") - s.Number("PRAGMA freelist_count")) * s.Number("PRAGMA page_size");
                        isOver = usedBytes > maxBytes / 10 * 9
                            && s.Prepare("SELECT uid FROM study ORDER BY used LIMIT 1").ExecuteScalar() is string oldest
                            && Remove(s, oldest, removed);
                    }
                },
                () => _index.Remove(removed));
            if (!written) return;
        }
    }

    /// <summary>UIDs in order, starting after <paramref name="after"/>.</summary>
    public IReadOnlyList<Uid> FindUids(Uid after, int max) => _file.Read<IReadOnlyList<Uid>>(
        s =>
        {
            var uids = new List<Uid>();
            using var row = s.Prepare("SELECT uid FROM study WHERE uid > $1 ORDER BY uid LIMIT $2", after.ToString(), max).ExecuteReader();
            while (row.Read()) uids.Add(ReadUid(row, 0));
            return uids;
        },
        []);

    /// <inheritdoc/>
    public void Dispose()
    {
        _file.Dispose();
        _reading.Dispose();
    }

    /// <summary>Deletes the data of removed backends, a few studies per call, and the studies that only they had.</summary>
    /// <param name="from">The position to continue from; 0 at first.</param>
    /// <returns>The position to continue from; 0 when nothing is left.</returns>
    public long RemoveUnconfigured(long from)
    {
        var next = 0L;
        var removed = new List<Uid>();
        _file.Write(
            s =>
            {
                var identities = FindIdentities(s);
                var unknown = identities.Where(b => nameOf(b.Value) is null).Select(b => b.Key).ToList();
                // Clear the identities first, so that a backend that is configured again starts without data.
                foreach (var id in unknown) s.Run("UPDATE backend SET identity = NULL WHERE id = $1", id);
                if (s.Number("SELECT count(*) FROM backend WHERE identity IS NULL") == 0) return;
                next = CleanBatch(s, from, id => identities.GetValueOrDefault(id) is { } identity ? nameOf(identity) : null, removed);
            },
            () => _index.Remove(removed));
        return next;
    }
}
