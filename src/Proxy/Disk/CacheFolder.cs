using System.Security.Cryptography;
using Proxy.Operations;

namespace Proxy.Disk;

/// <summary>Whether the folder on disk can be used, and why not.</summary>
/// <param name="CanRead">What lies there may be looked at.</param>
/// <param name="CanWrite">Something may be added.</param>
/// <param name="Reason">What stands in the way, for whoever runs the proxy; null when nothing does.</param>
/// <param name="IsFull">There is no room left on the disk.</param>
/// <param name="IsConfigured">A folder is wanted at all.</param>
public sealed record FolderState(bool CanRead, bool CanWrite, string? Reason, bool IsFull = false, bool IsConfigured = true)
{
    public string Name => CanWrite ? "ready" : CanRead ? "read-only" : IsConfigured ? "unusable" : "not configured";
}

/// <summary>The folder on disk that this process owns: what it kept is there when it starts again.</summary>
/// <remarks>
/// <code>
/// {path}/lock         held while the process lives
/// {path}/owner        a random word of its own: tells the folder that was taken from another one at the same place
/// {path}/links.key    signs links to bulk data (TokenKeyKeeper)
/// {path}/tmp/         bodies that are being written: emptied at the start
/// {path}/entries/     whole bodies, by study and series
/// {path}/entries.db   how much lies there and how much it is worth (a hint)
/// {path}/studies.db   what the metadata store knows
/// </code>
/// A disk may be full, read-only, gone, or so slow that it might as well be gone. Then nothing is kept or found there,
/// requests go on to the backends, and the folder is looked at every few seconds until it is well again. Nothing here
/// waits for a disk for longer than <see cref="Patience"/>.
/// </remarks>
public sealed class CacheFolder(string? path, ILogger<CacheFolder> log) : IDisposable
{
    /// <summary>How long anybody waits for the disk.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private const string Owned = "another process owns the folder";
    private const string NotOurs = "the folder is not empty and is not a cache of this proxy";
    private const int ProbeBytes = 512 * 1024;
    private const int SqliteFull = 13;
    private const int UnixNoSpace = 28;
    private const int WindowsDiskFull = 112;
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private static readonly FolderState NotConfigured = new(false, false, "Cache:Disk:Path is not set", IsConfigured: false);

    private readonly string? _path = path is null ? null : System.IO.Path.GetFullPath(path);
    /// <summary>As many as may hang at once on a disk that does not answer.</summary>
    private readonly SemaphoreSlim _working = new(32);
    private FolderState _state = path is null ? NotConfigured : new(false, false, "not looked at yet");
    private FileStream? _lock;
    private string _word = "";
    private int _looking;

    public bool IsConfigured => _path is not null;

    public FolderState State => Volatile.Read(ref _state);

    /// <summary>Another process has it: most likely the one before this, which is about to end.</summary>
    public bool IsOwnedByAnother => State.Reason == Owned;

    /// <summary>Grows when the folder was taken anew: what was open in the old one is to be closed.</summary>
    public int OwnershipEpoch { get; private set; }

    /// <summary>A place in the folder.</summary>
    public string GetPath(params ReadOnlySpan<string> parts) => System.IO.Path.Join([_path, .. parts]);

    /// <summary>Takes the folder, or looks whether it is as it was. At most one looks at a time, however long it takes.</summary>
    public async Task CheckAsync()
    {
        if (_path is null || Interlocked.Exchange(ref _looking, 1) != 0) return;
        await WaitAsync(Begin(() => Check(_path)), CancellationToken.None);
    }

    /// <summary>
    /// Runs what touches the disk, away from the caller's thread. A result that comes after the caller gave up is disposed of.
    /// </summary>
    /// <returns>Null when the disk cannot be used, failed, or did not answer in time.</returns>
    public async Task<T?> RunAsync<T>(Func<T?> work, CancellationToken cancellation, bool writes = false) where T : class
    {
        var state = State;
        if (writes ? !state.CanWrite : !state.CanRead) return null;
        if (!await _working.WaitAsync(Patience, cancellation)) return null;
        var handover = new Handover<T>();
        var (begun, done) = Begin(() =>
        {
            try
            {
                handover.Give(work());
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                Fail(e, writes);
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                // A fault here costs a miss, never the request.
                log.DiskWorkFailed(e);
            }
            finally
            {
                _working.Release();
            }
        });
        try
        {
            await WaitAsync((begun, done), cancellation);
        }
        catch
        {
            (handover.Close() as IDisposable)?.Dispose();
            throw;
        }
        return handover.Close();
    }

    /// <summary>A result, or the news that nobody waits for it any more, whichever comes first.</summary>
    private sealed class Handover<T> where T : class
    {
        private readonly Lock _lock = new();
        private bool _isClosed;
        private T? _result;

        public void Give(T? result)
        {
            lock (_lock)
            {
                if (!_isClosed)
                {
                    _result = result;
                    return;
                }
            }
            (result as IDisposable)?.Dispose();
        }

        /// <summary>The caller takes what is there by now.</summary>
        public T? Close()
        {
            lock (_lock)
            {
                _isClosed = true;
                return _result;
            }
        }
    }

    /// <summary>Notes that the disk failed: it is left alone until <see cref="CheckAsync"/> finds it well.</summary>
    public void Fail(Exception exception, bool wasWriting) =>
        Set(new(wasWriting && State.CanRead, false, Describe(exception), IsFull(exception)));

    /// <summary>Whether there is no room left on the disk.</summary>
    public static bool IsFull(Exception exception) =>
        exception is Microsoft.Data.Sqlite.SqliteException { SqliteErrorCode: SqliteFull } || exception is IOException
            && (exception.HResult & 0xFFFF) is UnixNoSpace or WindowsDiskFull;

    /// <summary>Makes a folder that nobody else may look into.</summary>
    public static void CreateFolder(string folder)
    {
        if (Directory.Exists(folder)) return;
        // The mode is given to the last one alone.
        if (System.IO.Path.GetDirectoryName(folder) is { } above) CreateFolder(above);
        if (OperatingSystem.IsWindows()) Directory.CreateDirectory(folder);
        else Directory.CreateDirectory(folder, OwnerOnly);
    }

    /// <summary>A file that is not there yet and that nobody else may read.</summary>
    /// <param name="mode">For a file that may be there.</param>
    /// <param name="share">Who may open it meanwhile.</param>
    public static FileStreamOptions NewFile(FileMode mode = FileMode.CreateNew, FileShare share = FileShare.ReadWrite | FileShare.Delete)
    {
        var options = new FileStreamOptions { Mode = mode, Access = FileAccess.ReadWrite, Share = share, BufferSize = 0 };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        return options;
    }

    public void Dispose()
    {
        Volatile.Write(ref _state, new(false, false, "the proxy stops"));
        _lock?.Dispose();
        _working.Dispose();
    }

    /// <summary>Begun may take its time when all threads are busy, which says nothing of the disk.</summary>
    private static (Task Begun, Task Done) Begin(Action work)
    {
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        return (begun.Task, Task.Run(() =>
        {
            begun.SetResult();
            work();
        }));
    }

    /// <summary>False when the disk did not answer: whoever hangs there is left hanging.</summary>
    private async Task<bool> WaitAsync((Task Begun, Task Done) work, CancellationToken cancellation)
    {
        await work.Begun.WaitAsync(cancellation);
        try
        {
            await work.Done.WaitAsync(Patience, cancellation);
            return true;
        }
        catch (TimeoutException)
        {
            Set(new(false, false, "the disk does not answer"));
            return false;
        }
    }

    private void Check(string path)
    {
        try
        {
            if (_lock is not null && IsOurs()) Probe();
            else Take(path);
            Set(new(true, true, null));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Without the lock it may be another's; with it, what is there can still be read.
            Set(new(_lock is not null && Directory.Exists(GetPath("entries")), false, Describe(e), IsFull(e)));
        }
        finally
        {
            Volatile.Write(ref _looking, 0);
        }
    }

    private bool IsOurs()
    {
        try
        {
            return File.ReadAllText(GetPath("owner")) == _word;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return false;
        }
    }

    private void Take(string path)
    {
        _lock?.Dispose();
        _lock = null;
        CreateFolder(path);
        // A path that was mistyped must not cost anybody his files.
        if (!File.Exists(GetPath("lock"))
            && Directory.EnumerateFileSystemEntries(path).Any(e => System.IO.Path.GetFileName(e) != "lost+found"))
            throw new IOException(NotOurs);
        var held = new FileStream(GetPath("lock"), NewFile(mode: FileMode.OpenOrCreate, share: FileShare.None));
        try
        {
            _word = Convert.ToHexString(RandomNumberGenerator.GetBytes(16));
            File.Delete(GetPath("owner"));
            using (var owner = new FileStream(GetPath("owner"), NewFile())) owner.Write(System.Text.Encoding.ASCII.GetBytes(_word));
            if (Directory.Exists(GetPath("tmp"))) Directory.Delete(GetPath("tmp"), recursive: true);
            CreateFolder(GetPath("tmp"));
            CreateFolder(GetPath("entries"));
            Probe();
        }
        catch
        {
            // Read-only, or full: the lock stays, for reading.
            _lock = held;
            throw;
        }
        _lock = held;
        OwnershipEpoch++;
    }

    /// <summary>Writes as much as a frame may have, and takes it away.</summary>
    private void Probe()
    {
        var file = GetPath("tmp", "probe");
        File.Delete(file);
        using (var probe = new FileStream(file, NewFile()))
        {
            probe.Write(new byte[ProbeBytes]);
            probe.Flush(flushToDisk: true);
        }
        File.Delete(file);
    }

    private void Set(FolderState state)
    {
        var before = Interlocked.Exchange(ref _state, state);
        if (before == state) return;
        if (state.Reason is null) log.FolderReady(_path!);
        else log.FolderFailed(_path ?? "", state.Name, state.Reason);
    }

    /// <summary>What went wrong, without the names of files.</summary>
    private static string Describe(Exception e) => e switch
    {
        UnauthorizedAccessException => "no permission, or the disk is read-only",
        DirectoryNotFoundException => "the folder is gone",
        _ when IsFull(e) => "the disk is full",
        _ when e.Message == NotOurs => NotOurs,
        _ when e.Message.Contains("being used by another process", StringComparison.Ordinal) => Owned,
        Microsoft.Data.Sqlite.SqliteException sqlite => $"the database cannot be used (SQLite {sqlite.SqliteExtendedErrorCode})",
        _ => $"the disk reports an error ({e.HResult & 0xFFFF})",
    };
}
