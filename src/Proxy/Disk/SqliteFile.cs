using Microsoft.Data.Sqlite;
using Proxy.Operations;

namespace Proxy.Disk;

/// <summary>
/// A SQLite database in the cache folder: opened at its first use, and recreated when it is damaged or of another version.
/// </summary>
/// <remarks>
/// Write-ahead log with <c>synchronous=NORMAL</c>: always consistent, but a power failure may lose the last transactions, which a cache
/// can afford. One connection writes while another reads.
/// </remarks>
/// <param name="folder">The cache folder.</param>
/// <param name="name">The file name.</param>
/// <param name="version">The schema version; a file of another version is replaced.</param>
/// <param name="schema">Creates the tables.</param>
/// <param name="log">Logs the replacement of a file.</param>
public sealed class SqliteFile(CacheFolder folder, string name, int version, string schema, ILogger log) : IDisposable
{
    private const int Corrupt = 11;
    private const int NotADatabase = 26;

    private readonly Lock _writing = new();
    private readonly Lock _reading = new();
    private SqliteSession? _writer;
    private SqliteSession? _reader;
    private int _ownershipEpoch;

    /// <summary>Grows each time the file is recreated, and so is empty.</summary>
    public int Generation { get; private set; }

    /// <summary>The bytes in use; free pages do not count, as new rows reuse them.</summary>
    public long UsedBytes =>
        Read(static s => (s.Number("PRAGMA page_count") - s.Number("PRAGMA freelist_count")) * s.Number("PRAGMA page_size"), 0L);

    /// <summary>Runs a query. Does not wait for writers.</summary>
    /// <param name="work">The query.</param>
    /// <param name="otherwise">The result when the disk is unusable.</param>
    public T Read<T>(Func<SqliteSession, T> work, T otherwise) =>
        folder.State.CanRead ? Use(_reading, ref _reader, work, otherwise, writes: false) : otherwise;

    /// <summary>Runs changes in one transaction.</summary>
    /// <param name="work">The changes.</param>
    /// <param name="committed">Runs after the commit, before the next change.</param>
    /// <returns>False when they failed.</returns>
    public bool Write(Action<SqliteSession> work, Action? committed = null) => folder.State.CanWrite && Use(
        _writing,
        ref _writer,
        session =>
        {
            using var transaction = session.Begin();
            work(session);
            transaction.Commit();
            committed?.Invoke();
            return true;
        },
        false,
        writes: true);

    /// <summary>Makes a removal final: deleted rows are neither in the write-ahead log nor in free pages any more.</summary>
    /// <param name="isEmpty">True when everything was removed: pages that an older version freed are dropped too.</param>
    /// <returns>False when the file cannot be changed now.</returns>
    public bool Scrub(bool isEmpty) => folder.State.CanWrite && Use(
        _writing,
        ref _writer,
        session =>
        {
            if (!_reading.TryEnter(CacheFolder.Timeout)) return false;
            try
            {
                // A reader would keep the log.
                _reader?.Dispose();
                _reader = null;
                if (isEmpty) session.Run("VACUUM");
                return session.Number("PRAGMA wal_checkpoint(TRUNCATE)") == 0;
            }
            finally
            {
                _reading.Exit();
            }
        },
        false,
        writes: true);

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_writing) lock (_reading) Close();
    }

    private T Use<T>(Lock gate, ref SqliteSession? session, Func<SqliteSession, T> work, T otherwise, bool writes)
    {
        // Give up behind an operation that hangs on the disk.
        if (!gate.TryEnter(CacheFolder.Timeout)) return otherwise;
        try
        {
            if (_ownershipEpoch != folder.OwnershipEpoch && !TryReopen(gate)) return otherwise;
            session ??= Open();
            return work(session);
        }
        catch (SqliteException e) when (e.SqliteErrorCode is Corrupt or NotADatabase)
        {
            log.DatabaseReplaced(name, e.Message);
            Replace(gate);
            return otherwise;
        }
        catch (Exception e) when (e is SqliteException or IOException or UnauthorizedAccessException)
        {
            session?.Dispose();
            session = null;
            folder.Fail(e, writes);
            return otherwise;
        }
        finally
        {
            gate.Exit();
        }
    }

    /// <summary>Reopens the database after the folder was acquired again: open files belong to the old folder.</summary>
    private bool TryReopen(Lock held) => WithBoth(held, () =>
    {
        Close();
        _ownershipEpoch = folder.OwnershipEpoch;
    });

    private void Replace(Lock held) => WithBoth(held, () =>
    {
        Close();
        foreach (var suffix in (string[])["", "-wal", "-shm"]) File.Delete(folder.GetPath(name + suffix));
        Generation++;
    });

    private bool WithBoth(Lock held, Action work)
    {
        var other = held == _reading ? _writing : _reading;
        if (!other.TryEnter(CacheFolder.Timeout)) return false;
        try
        {
            work();
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            folder.Fail(e, wasWriting: true);
            return false;
        }
        finally
        {
            other.Exit();
        }
    }

    private SqliteSession Open()
    {
        var path = folder.GetPath(name);
        // SQLite gives its additional files the mode of this one.
        if (!File.Exists(path)) new FileStream(path, CacheFolder.NewFile()).Dispose();
        var session = new SqliteSession(path);
        try
        {
            var found = session.Number("PRAGMA user_version");
            if (found == version) return session;
            if (found != 0) throw new SqliteException($"Schema version {found} instead of {version}.", NotADatabase);
            session.Run($"BEGIN IMMEDIATE; {schema}; PRAGMA user_version = {version}; COMMIT;");
            Generation++;
            return session;
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    private void Close()
    {
        _writer?.Dispose();
        _reader?.Dispose();
        _writer = _reader = null;
    }
}
