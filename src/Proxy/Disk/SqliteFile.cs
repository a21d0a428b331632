using Microsoft.Data.Sqlite;
using Proxy.Operations;

namespace Proxy.Disk;

/// <summary>
/// One SQLite database in the folder: opened when it is first used, and made anew when it is damaged or of another version.
/// </summary>
/// <remarks>
/// Write-ahead log with <c>synchronous=NORMAL</c>: always consistent, also after a cut of power; what was written last may
/// be missing. One connection writes, another reads meanwhile. Nothing kept here is missed more than a cache is.
/// </remarks>
/// <param name="folder">Where it lies.</param>
/// <param name="name">Of the file.</param>
/// <param name="version">Of the schema; a file with another one is replaced.</param>
/// <param name="schema">Makes the tables.</param>
/// <param name="log">Told when a file was replaced.</param>
public sealed class SqliteFile(CacheFolder folder, string name, int version, string schema, ILogger log) : IDisposable
{
    private const int Corrupt = 11;
    private const int NotADatabase = 26;

    private readonly Lock _writing = new();
    private readonly Lock _reading = new();
    private SqliteSession? _writer;
    private SqliteSession? _reader;
    private int _taken;

    /// <summary>Grows when the file was made anew, and so is empty.</summary>
    public int Generation { get; private set; }

    /// <summary>Bytes that are in use; those of rows that are gone do not count, for others will stand there.</summary>
    public long UsedBytes =>
        Read(static s => (s.Number("PRAGMA page_count") - s.Number("PRAGMA freelist_count")) * s.Number("PRAGMA page_size"), 0L);

    /// <summary>Looks something up. Waits for no writer.</summary>
    /// <param name="work">What to do.</param>
    /// <param name="otherwise">The result when the disk cannot be used.</param>
    public T Read<T>(Func<SqliteSession, T> work, T otherwise) =>
        folder.State.CanRead ? Use(_reading, ref _reader, work, otherwise, writes: false) : otherwise;

    /// <summary>Changes something, as one transaction.</summary>
    /// <param name="work">What to do.</param>
    /// <param name="committed">Runs when it is done, before the next change.</param>
    /// <returns>False when it could not.</returns>
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

    public void Dispose()
    {
        lock (_writing) lock (_reading) Close();
    }

    private T Use<T>(Lock gate, ref SqliteSession? session, Func<SqliteSession, T> work, T otherwise, bool writes)
    {
        // Who waits behind one that hangs on a disk goes on without it.
        if (!gate.TryEnter(CacheFolder.Patience)) return otherwise;
        try
        {
            if (_taken != folder.OwnershipEpoch && !TryReopen(gate)) return otherwise;
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

    /// <summary>The folder is another one now: what is open lies in the old one.</summary>
    private bool TryReopen(Lock mine) => WithBoth(mine, () =>
    {
        Close();
        _taken = folder.OwnershipEpoch;
    });

    private void Replace(Lock mine) => WithBoth(mine, () =>
    {
        Close();
        foreach (var ending in (string[])["", "-wal", "-shm"]) File.Delete(folder.GetPath(name + ending));
        Generation++;
    });

    private bool WithBoth(Lock mine, Action work)
    {
        var other = mine == _reading ? _writing : _reading;
        if (!other.TryEnter(CacheFolder.Patience)) return false;
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
        // SQLite gives its further files the mode of this one.
        if (!File.Exists(path)) new FileStream(path, CacheFolder.NewFile()).Dispose();
        var session = new SqliteSession(path);
        try
        {
            var found = session.Number("PRAGMA user_version");
            if (found == version) return session;
            if (found != 0) throw new SqliteException($"Schema {found} in place of {version}.", NotADatabase);
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
