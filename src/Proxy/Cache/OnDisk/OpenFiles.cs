using System.Collections.Concurrent;
using Proxy.Operations;

namespace Proxy.Cache.OnDisk;

/// <summary>Verified files that stay open after a hit, so that the next hits open, hash and read nothing.</summary>
/// <remarks>
/// <para>
/// After a file is deleted or replaced, it is closed here (<see cref="CloseBelow"/>). A lookup may have opened the file before that and
/// keep it afterwards: it reads <see cref="Changes"/> first, and a file is not kept if something was changed since. Changes by other
/// programs show in the <see cref="FileStamp"/> of each hit.
/// </para>
/// <para>
/// A deleted file holds its room on the disk until it is closed: the files of this class for <see cref="IdleTime"/> at most.
/// </para>
/// </remarks>
internal sealed class OpenFiles : IDisposable
{
    /// <summary>The maximum of open files, and at most a sixteenth of what the process may open.</summary>
    public const int MaxFiles = 512;

    /// <summary>How long a file without a hit stays open, at least; half as long again at most.</summary>
    public static readonly TimeSpan IdleTime = TimeSpan.FromSeconds(20);

    private readonly ConcurrentDictionary<EntryKey, OpenFile> _files = new();
    private readonly Lock _lock = new();
    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private readonly int _max = Math.Clamp((OpenFileLimit.Find() ?? int.MaxValue) / 16, 1, MaxFiles);
    private long _changes;
    private bool _isDisposed;

    /// <summary>Starts the closing of idle files.</summary>
    public OpenFiles(TimeProvider time)
    {
        _time = time;
        _timer = time.CreateTimer(static files => ((OpenFiles)files!).CloseIdle(), this, IdleTime / 2, IdleTime / 2);
    }

    /// <summary>The number of open files.</summary>
    public int Count => _files.Count;

    /// <summary>Counts the changes to files.</summary>
    public long Changes => Interlocked.Read(ref _changes);

    /// <summary>Finds an open file, for a user who releases it; null when it must be opened.</summary>
    /// <param name="key">The key on disk.</param>
    /// <param name="ownershipEpoch">The ownership of the cache folder: another process may have changed what was open before.</param>
    public OpenFile? Find(EntryKey key, int ownershipEpoch)
    {
        if (!_files.TryGetValue(key, out var file)) return null;
        if (file.OwnershipEpoch == ownershipEpoch && file.IsUnchanged && file.TryUse())
        {
            file.LastUsed = _time.GetTimestamp();
            return file;
        }
        Close(key, file);
        return null;
    }

    /// <summary>Keeps a verified file open after its user has ended.</summary>
    /// <param name="key">The key on disk.</param>
    /// <param name="file">The file.</param>
    /// <param name="changes">The value of <see cref="Changes"/> before the file was opened.</param>
    public void Keep(EntryKey key, OpenFile file, long changes)
    {
        if (!file.CanBeKept) return;
        lock (_lock)
        {
            if (_isDisposed || _changes != changes || _files.ContainsKey(key) || !file.TryUse()) return;
            if (_files.Count >= _max)
            {
                var (oldest, idle) = _files.MinBy(static kept => kept.Value.LastUsed);
                Close(oldest, idle);
            }
            file.LastUsed = _time.GetTimestamp();
            _files[key] = file;
        }
    }

    /// <summary>Closes an entry's file, which is not valid any more.</summary>
    public void Close(EntryKey key)
    {
        if (_files.TryGetValue(key, out var file)) Close(key, file);
    }

    /// <summary>Closes what was deleted or replaced. A body that is being sent from it is sent to its end.</summary>
    /// <param name="path">The path of a file or folder, as it was before the change.</param>
    public void CloseBelow(string path)
    {
        lock (_lock)
        {
            Interlocked.Increment(ref _changes);
            foreach (var (key, file) in _files)
            {
                if (file.IsAtOrBelow(path)) Close(key, file);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _timer.Dispose();
        lock (_lock)
        {
            _isDisposed = true;
            foreach (var (key, file) in _files) Close(key, file);
        }
    }

    private void CloseIdle()
    {
        foreach (var (key, file) in _files)
        {
            if (_time.GetElapsedTime(file.LastUsed) >= IdleTime || !file.IsUnchanged) Close(key, file);
        }
    }

    private void Close(EntryKey key, OpenFile file)
    {
        if (_files.TryRemove(new(key, file))) file.Release();
    }
}
