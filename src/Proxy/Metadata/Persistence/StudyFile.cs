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
/// rows with those in the file, and so depends on no copy of the file's state. In an encrypted folder all UIDs, hashes and values are
/// encrypted (<see cref="FolderSeal"/>).
/// </remarks>
/// <param name="folder">The cache folder.</param>
/// <param name="identityOf">The identity of a backend on disk; null when it is not configured.</param>
/// <param name="nameOf">The inverse mapping.</param>
/// <param name="counters">Counts damaged studies.</param>
/// <param name="log">Logs the replacement of the file.</param>
public sealed partial class StudyFile(
    CacheFolder folder, Func<string, string?> identityOf, Func<string, string?> nameOf, Counters counters,
    ILogger<StudyFile> log) : IStudyPersistence, IDisposable
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

    /// <summary>Encrypts UIDs and values, if the folder is encrypted.</summary>
    private FolderSeal Seal => folder.Seal;

    /// <summary>True when a cache folder is configured.</summary>
    public bool IsConfigured => folder.IsConfigured;

    /// <inheritdoc/>
    public bool CanWrite => folder.State.CanWrite;

    /// <summary>Grows when the file is recreated or another folder is acquired: earlier writes are lost.</summary>
    public int Generation => folder.OwnershipEpoch + _file.Generation;

    /// <summary>The bytes in use in the file.</summary>
    public long UsedBytes => _file.UsedBytes;

    /// <inheritdoc/>
    public int Count => folder.State.CanRead ? _index.Count : 0;

    /// <inheritdoc/>
    public bool MayHave(Uid uid) => folder.State.CanRead && (_index.Generation != Generation || _index.Has(uid));

    /// <inheritdoc/>
    public Task<long> OpenAsync() => _index.Generation == Generation ? Task.FromResult(0L) : Task.Run(() =>
    {
        ReadIndex();
        return _file.Read(static s => s.Number("SELECT max(used) FROM study"), 0L);
    });

    private void ReadIndex()
    {
        var generation = Generation;
        var uids = _file.Read<List<Uid>?>(
            s =>
            {
                var all = new List<Uid>();
                using var row = s.Prepare("SELECT uid FROM study").ExecuteReader();
                while (row.Read()) all.Add(ReadUid(row, 0));
                return all;
            },
            null);
        if (uids is not null && generation == Generation) _index.Set(uids, generation);
    }

    /// <inheritdoc/>
    public async Task<FoundStudy> FindAsync(Uid uid, CancellationToken cancellation)
    {
        if (!await _reading.WaitAsync(CacheFolder.Timeout, cancellation)) return FoundStudy.Nothing;
        try
        {
            return await folder.RunAsync(() => Find(uid), cancellation) ?? FoundStudy.Nothing;
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

    /// <inheritdoc/>
    public FoundStudy FindBlocking(Uid uid)
    {
        Interlocked.Increment(ref _blockingReads);
        return Find(uid);
    }

    /// <summary>Reads a study. If a part is damaged, it is left out, and the study is counted and removed from the file.</summary>
    private FoundStudy Find(Uid uid)
    {
        if (_file.Read(s => FindRaw(s, uid), null) is not { } raw) return FoundStudy.Nothing;
        var study = Decode(uid, raw, out var isWhole);
        foreach (var (rented, _) in raw.Packed.Values) ArrayPool<byte>.Shared.Return(rented);
        if (!isWhole)
        {
            counters.StoreDamaged();
            Remove([uid]);
        }
        return new(study is null || study.SeriesLists.IsEmpty ? null : study, isWhole);
    }

    /// <inheritdoc/>
    public Task<int?> WriteAsync(
        IReadOnlyCollection<(Study Study, long Used)> studies, IReadOnlyCollection<(Uid Uid, long Used)> uses) =>
        Task.Run(() => Write(studies, uses));

    /// <inheritdoc/>
    public Task<bool> RemoveAsync(IReadOnlyCollection<Uid> studies)
    {
        // They are not served from now on, even if the file can be read and not changed.
        _index.Remove(studies);
        return Task.Run(() => Remove(studies) && _file.Scrub(isEmpty: false));
    }

    /// <inheritdoc/>
    public Task<bool> RemoveAllAsync()
    {
        _index.Clear();
        return Task.Run(() => _file.Write(
            static s =>
            {
                s.Run("DELETE FROM packed");
                s.Run("DELETE FROM study");
            },
            _index.Clear) && _file.Scrub(isEmpty: true));
    }

    /// <inheritdoc/>
    public Task<(IReadOnlyList<Uid> Studies, long Next)> FindUnconfirmedAsync(DateTimeOffset before, long from) => Task.Run(
        () => _file.Read<(IReadOnlyList<Uid>, long)>(
            s => FindUnconfirmed(s, before, from, row => (ReadUid(row, 1), OpenHead(ReadUid(row, 1), ReadBytes(row, 2)))), ([], 0)));

    /// <inheritdoc/>
    public Task<bool> ScrubAsync() => Task.Run(() => _file.Scrub(isEmpty: false));

    /// <inheritdoc/>
    public Task<bool> RemoveBackendAsync(string name) => Task.Run(() => _file.Write(
        s => s.Run("UPDATE backend SET identity = NULL WHERE substr(identity, 1, length($1)) = $1 COLLATE NOCASE", name + "@")));

    /// <inheritdoc/>
    public Task EvictAsync(long maxBytes) => UsedBytes <= maxBytes ? Task.CompletedTask : Task.Run(() => Evict(maxBytes));

    /// <inheritdoc/>
    public async Task<IReadOnlyList<Uid>> FindUidsAsync(Uid after, int max, CancellationToken cancellation) =>
        await folder.RunAsync(() => FindUids(after, max), cancellation) ?? [];

    /// <inheritdoc/>
    public Task<long> RemoveUnconfiguredAsync(long from) => Task.Run(() => RemoveUnconfigured(from));

    /// <summary>Writes studies in one transaction.</summary>
    private int? Write(IReadOnlyCollection<(Study Study, long Used)> studies, IReadOnlyCollection<(Uid Uid, long Used)> uses)
    {
        var epoch = folder.OwnershipEpoch;
        var isWritten = _file.Write(
            s =>
            {
                var ids = new Dictionary<string, int?>(StringComparer.OrdinalIgnoreCase);
                int? GetId(string name) => ids.TryGetValue(name, out var id) ? id : ids[name] = AddBackend(s, name);
                foreach (var (study, used) in studies) Write(s, study, used, GetId);
                foreach (var (uid, used) in uses)
                    s.Run("UPDATE study SET used = max(used, $1) WHERE uid = $2", used, Store(uid.ToString()));
            },
            () =>
            {
                foreach (var (study, _) in studies) _index.Set(study.Uid, HasConfiguredBackend(study));
            });
        // Writing may have created the file. If the folder was acquired again meanwhile, this number is too low, and all is written again.
        return isWritten ? epoch + _file.Generation : null;
    }

    private bool Remove(IReadOnlyCollection<Uid> studies) => _file.Write(
        s =>
        {
            foreach (var uid in studies) Remove(s, Store(uid.ToString()));
        },
        () => _index.Remove(studies));

    /// <summary>Removes the least recently used studies in batches, down to nine tenths of the budget.</summary>
    private void Evict(long maxBytes)
    {
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

    private IReadOnlyList<Uid> FindUids(Uid after, int max) =>
        folder.IsEncrypted ? FindSealedUids(after, max) : FindPlainUids(after, max);

    private IReadOnlyList<Uid> FindPlainUids(Uid after, int max) => _file.Read<IReadOnlyList<Uid>>(
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

    private long RemoveUnconfigured(long from)
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

/// <summary>The content of the file for one study.</summary>
/// <param name="Study">Null when the file has none.</param>
/// <param name="IsComplete">False when a part was damaged and left out.</param>
public sealed record FoundStudy(Study? Study, bool IsComplete)
{
    /// <summary>The result when the file has none.</summary>
    public static FoundStudy Nothing { get; } = new(null, true);
}
