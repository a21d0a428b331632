using Microsoft.Win32.SafeHandles;

namespace Proxy.Cache.OnDisk;

/// <summary>An open file of an entry with its users: it is closed when the last of them has ended.</summary>
/// <param name="handle">The open file.</param>
/// <param name="found">The head of the file.</param>
/// <param name="path">The path of the file.</param>
internal sealed class OpenFile(SafeFileHandle handle, EntryFile.Found found, string path)
{
    private readonly FileStamp? _stamp = found.Seal is null ? FileStamp.Read(handle) : null;

    /// <summary>The user who opened it is the first one.</summary>
    private int _users = 1;

    private long _lastUsed;

    /// <summary>The open file.</summary>
    public SafeFileHandle Handle => handle;

    /// <summary>The head of the file.</summary>
    public EntryFile.Found Found => found;

    /// <summary>The time of the last write to the file, as it was when the file was opened.</summary>
    public DateTime Written { get; init; }

    /// <summary>The ownership of the cache folder in which it was opened.</summary>
    public int OwnershipEpoch { get; init; }

    /// <summary>The folder of its series, as in <see cref="EntryFile.GetFolder"/>.</summary>
    public string SeriesFolder { get; init; } = "";

    /// <summary>The time stamp of the last hit while it was kept open.</summary>
    public long LastUsed
    {
        get => Volatile.Read(ref _lastUsed);
        set => Volatile.Write(ref _lastUsed, value);
    }

    /// <summary>
    /// Whether it can be kept open: what is encrypted has a state of its own, and where the system does not tell about deleted files, each
    /// hit must open the file.
    /// </summary>
    public bool CanBeKept => _stamp is not null;

    /// <summary>Whether the file still has its name, and was not written since it was opened.</summary>
    public bool IsUnchanged => _stamp is { } stamp && FileStamp.Read(handle) == stamp;

    /// <summary>Whether it is the file at a path, or in a folder at this path.</summary>
    public bool IsAtOrBelow(string at) =>
        path.StartsWith(at, StringComparison.Ordinal) && (path.Length == at.Length || path[at.Length] == Path.DirectorySeparatorChar);

    /// <summary>Adds a user; false when it is closed already.</summary>
    public bool TryUse()
    {
        for (var users = Volatile.Read(ref _users); users > 0;)
        {
            var before = Interlocked.CompareExchange(ref _users, users + 1, users);
            if (before == users) return true;
            users = before;
        }
        return false;
    }

    /// <summary>Ends a user.</summary>
    public void Release()
    {
        if (Interlocked.Decrement(ref _users) > 0) return;
        handle.Dispose();
        found.Seal?.Dispose();
    }
}
