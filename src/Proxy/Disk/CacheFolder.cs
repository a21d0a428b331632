using System.Security.Cryptography;
using Proxy.Operations;

namespace Proxy.Disk;

/// <summary>The folder on disk that this process owns, with the data that survives a restart.</summary>
/// <remarks>
/// <code>
/// {path}/lock         locked while the process lives
/// {path}/owner        a random word of the owner: detects a folder that was replaced at the same path
/// {path}/folder.key   encrypts databases and small files; exists if the folder is encrypted (FolderSeal)
/// {path}/links.key    signs links to bulk data (TokenKeyStore)
/// {path}/sessions.key  protects the cookies of users who signed in (SessionKeyStore)
/// {path}/tmp/         bodies being written: emptied at the start
/// {path}/entries/     complete bodies, by study and series
/// {path}/entries.db   size and value of each series in entries/ (a hint)
/// {path}/studies.db   the metadata store
/// {path}/prefetch.json  the prefetch jobs
/// {path}/cluster.position  how far the changes of other proxies are applied (PositionFile)
/// {path}/codecs/      the machine code of the codecs (CompiledModule)
/// </code>
/// A disk may be full, read-only, missing, or too slow to be of use. Then lookups miss, nothing is stored, requests go on to the
/// backends, and the folder is checked every few seconds until it is usable again. Nothing waits for the disk longer than
/// <see cref="Timeout"/>.
/// </remarks>
/// <param name="path">The path of the folder; null for none.</param>
/// <param name="log">Logs changes of the state.</param>
public sealed partial class CacheFolder(string? path, ILogger<CacheFolder> log) : IDisposable
{
    /// <summary>The maximum time to wait for the disk.</summary>
    public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(2);

    private const string OwnedByAnother = "another process owns the folder";
    private const string NotOurs = "the folder is not empty and is not a cache of this proxy";
    private const int ProbeBytes = 512 * 1024;
    private const int SqliteFull = 13;
    private const int UnixNoSpace = 28;
    private const int WindowsDiskFull = 112;
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private static readonly FolderState NotConfigured = new(CanRead: false, "Cache:Disk:Path is not set") { IsConfigured = false };

    private readonly string? _path = path is null ? null : System.IO.Path.GetFullPath(path);
    /// <summary>The maximum of operations that may hang on an unresponsive disk.</summary>
    private readonly SemaphoreSlim _operations = new(32);
    private FolderState _state = path is null ? NotConfigured : new(CanRead: false, "not checked yet");
    private FileStream? _lock;
    private string _ownerWord = "";
    private int _checking;

    /// <summary>The keys that encrypt the content; null for a folder that is not encrypted.</summary>
    public KeyRing? Keys { get; init; }

    /// <summary>Encrypts databases and small files.</summary>
    public FolderSeal Seal { get; private set; } = FolderSeal.Plain;

    /// <summary>True when the content is encrypted.</summary>
    public bool IsEncrypted => Keys is not null;

    /// <summary>True when a folder is configured.</summary>
    public bool IsConfigured => _path is not null;

    /// <summary>The current state.</summary>
    public FolderState State => Volatile.Read(ref _state);

    /// <summary>True when another process owns it: usually the previous one, which is shutting down.</summary>
    public bool IsOwnedByAnother => State.Reason == OwnedByAnother;

    /// <summary>Grows each time the folder is acquired: files opened before must be reopened.</summary>
    public int OwnershipEpoch { get; private set; }

    /// <summary>A path within the folder.</summary>
    public string GetPath(params ReadOnlySpan<string> parts) => System.IO.Path.Join([_path, .. parts]);

    /// <summary>Acquires the folder, or checks that it is still usable. Returns at once while another check is running.</summary>
    public async Task CheckAsync()
    {
        if (_path is null || Interlocked.Exchange(ref _checking, 1) != 0) return;
        await WaitAsync(Start(() => Check(_path)), CancellationToken.None);
    }

    /// <summary>
    /// Runs a disk operation off the caller's thread. A result that arrives after the caller has given up is disposed.
    /// </summary>
    /// <returns>Null when the disk is unusable, fails, or does not answer in time.</returns>
    public async Task<T?> RunAsync<T>(Func<T?> work, CancellationToken cancellation, bool writes = false) where T : class
    {
        var state = State;
        if (writes ? !state.CanWrite : !state.CanRead) return null;
        if (!await _operations.WaitAsync(Timeout, cancellation)) return null;
        var handover = new Handover<T>();
        var (started, done) = Start(() =>
        {
            try
            {
                handover.Set(work());
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                Fail(e, writes);
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                // A bug here costs a cache miss, never the request.
                log.DiskAccessFailed(e);
            }
            finally
            {
                _operations.Release();
            }
        });
        try
        {
            await WaitAsync((started, done), cancellation);
        }
        catch
        {
            (handover.Close() as IDisposable)?.Dispose();
            throw;
        }
        return handover.Close();
    }

    /// <summary>Records a disk failure: the disk is not used until <see cref="CheckAsync"/> succeeds.</summary>
    public void Fail(Exception exception, bool wasWriting) =>
        Set(new(wasWriting && State.CanRead, Describe(exception)) { IsFull = IsFull(exception) });

    /// <summary>True when the exception means that the disk is full.</summary>
    public static bool IsFull(Exception exception) =>
        exception is Microsoft.Data.Sqlite.SqliteException { SqliteErrorCode: SqliteFull }
            || (exception is IOException && (exception.HResult & 0xFFFF) is UnixNoSpace or WindowsDiskFull);

    /// <summary>Creates a folder that only its owner may access.</summary>
    public static void CreateFolder(string folder)
    {
        if (Directory.Exists(folder)) return;
        // CreateDirectory applies the mode to the last folder only.
        if (System.IO.Path.GetDirectoryName(folder) is { } parent) CreateFolder(parent);
        if (OperatingSystem.IsWindows()) Directory.CreateDirectory(folder);
        else Directory.CreateDirectory(folder, OwnerOnly);
    }

    /// <summary>Options for a new file that only its owner may access.</summary>
    /// <param name="mode">The default fails when the file exists.</param>
    /// <param name="share">The access of other handles meanwhile.</param>
    public static FileStreamOptions NewFile(FileMode mode = FileMode.CreateNew, FileShare share = FileShare.ReadWrite | FileShare.Delete)
    {
        var options = new FileStreamOptions { Mode = mode, Access = FileAccess.ReadWrite, Share = share, BufferSize = 0 };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        return options;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Volatile.Write(ref _state, new(CanRead: false, "the proxy is shutting down"));
        _lock?.Dispose();
        _operations.Dispose();
    }

    /// <summary>Reports the start separately: a late start means that all threads are busy and says nothing about the disk.</summary>
    private static (Task Started, Task Done) Start(Action work)
    {
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        return (started.Task, Task.Run(() =>
        {
            started.SetResult();
            work();
        }));
    }

    /// <summary>False when the disk does not answer: the operation is left running.</summary>
    private async Task<bool> WaitAsync((Task Started, Task Done) work, CancellationToken cancellation)
    {
        await work.Started.WaitAsync(cancellation);
        try
        {
            await work.Done.WaitAsync(Timeout, cancellation);
            return true;
        }
        catch (TimeoutException)
        {
            Set(new(CanRead: false, "the disk does not answer"));
            return false;
        }
    }

    private void Check(string path)
    {
        try
        {
            if (_lock is null || !IsOurs()) Acquire(path);
            else
            {
                FollowKeys();
                Probe();
            }
            Set(new(CanRead: true, Reason: null));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Without the lock the folder may belong to another process; with it, the content can still be read.
            Set(new(_lock is not null && IsReadable && Directory.Exists(GetPath("entries")), Describe(e)) { IsFull = IsFull(e) });
        }
        finally
        {
            Volatile.Write(ref _checking, 0);
        }
    }

    private bool IsOurs()
    {
        try
        {
            return File.ReadAllText(GetPath("owner")) == _ownerWord;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return false;
        }
    }

    private void Acquire(string path)
    {
        _lock?.Dispose();
        _lock = null;
        CreateFolder(path);
        // Never delete files of others: the configured path may be mistyped.
        if (!File.Exists(GetPath("lock"))
            && Directory.EnumerateFileSystemEntries(path).Any(e => System.IO.Path.GetFileName(e) != "lost+found"))
            throw new IOException(NotOurs);
        var held = new FileStream(GetPath("lock"), NewFile(mode: FileMode.OpenOrCreate, share: FileShare.None));
        try
        {
            ReadSeal();
            _ownerWord = Convert.ToHexString(RandomNumberGenerator.GetBytes(16));
            File.Delete(GetPath("owner"));
            using (var owner = new FileStream(GetPath("owner"), NewFile())) owner.Write(System.Text.Encoding.ASCII.GetBytes(_ownerWord));
            if (Directory.Exists(GetPath("tmp"))) Directory.Delete(GetPath("tmp"), recursive: true);
            CreateFolder(GetPath("tmp"));
            CompleteSeal();
            CreateFolder(GetPath("entries"));
            Probe();
        }
        catch
        {
            // Read-only or full: keep the lock for reading.
            _lock = held;
            throw;
        }
        _lock = held;
        OwnershipEpoch++;
    }

    /// <summary>Writes and deletes a file of the size of a frame.</summary>
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

    /// <summary>Describes a failure without file names.</summary>
    private static string Describe(Exception e) => e switch
    {
        UnauthorizedAccessException => "no permission, or the disk is read-only",
        DirectoryNotFoundException => "the folder is gone",
        _ when IsFull(e) => "the disk is full",
        _ when e.Message is NotOurs or Encrypted => e.Message,
        _ when e.Message.Contains("being used by another process", StringComparison.Ordinal) => OwnedByAnother,
        Microsoft.Data.Sqlite.SqliteException sqlite => $"the database cannot be used (SQLite {sqlite.SqliteExtendedErrorCode})",
        _ => $"the disk reports an error ({e.HResult & 0xFFFF})",
    };
}

/// <summary>The state of the cache folder, with the reason when it is unusable.</summary>
/// <param name="CanRead">The content may be read.</param>
/// <param name="Reason">The problem, for the operator; null if the folder is ready.</param>
public sealed record FolderState(bool CanRead, string? Reason)
{
    /// <summary>The content may be changed.</summary>
    public bool CanWrite => Reason is null;

    /// <summary>The disk is full.</summary>
    public bool IsFull { get; init; }

    /// <summary>A folder is configured.</summary>
    public bool IsConfigured { get; init; } = true;

    /// <summary>The state in one word: ready, read-only, unusable or not configured.</summary>
    public string Name => CanWrite ? "ready" : CanRead ? "read-only" : IsConfigured ? "unusable" : "not configured";
}
