using System.IO.Hashing;
using Microsoft.Win32.SafeHandles;
using Proxy.Disk;

namespace Proxy.Cache.OnDisk;

/// <summary>A body too large for memory that is written to a file as it arrives; readers that lag behind read from the file.</summary>
/// <remarks>
/// The head is written last, when length and hash are known, into space reserved at the start of the file. Disk space is reserved before
/// each write, so spooled bytes never exceed the budget.
/// </remarks>
public sealed class Spool : ISpool
{
    private static readonly object Done = new();

    /// <summary>The disk space reserved at a time for a body without a declared length.</summary>
    private const long StepBytes = 16L << 20;

    private readonly CacheFolder _folder;
    private readonly DiskWriter _writer;
    private readonly FileStream _file;
    private readonly EntryHead _head;
    private readonly int _headBytes;
    private readonly FileOutput _output;
    private readonly XxHash128 _hash = new();
    private long _reserved;
    private bool _isStored;

    private Spool(CacheFolder folder, DiskWriter writer, FileStream file, EntryKey key, EntryHead head, int headBytes)
    {
        _folder = folder;
        _writer = writer;
        _file = file;
        _head = head;
        _headBytes = headBytes;
        _output = new(file.SafeFileHandle, folder.Keys, headBytes);
        Key = key;
    }

    /// <summary>The key of the entry.</summary>
    internal EntryKey Key { get; }

    /// <summary>The path of the temporary file.</summary>
    internal string Path => _file.Name;

    /// <summary>The length of the body so far, in bytes.</summary>
    public long Length => _output.Length;

    internal DateTimeOffset Stored { get; private set; }

    /// <summary>The length of the file, in bytes.</summary>
    internal long FileBytes => GetFileBytes(Length);

    internal SafeFileHandle File => _file.SafeFileHandle;

    /// <summary>Creates the file; null when the disk refuses it or the head is too long.</summary>
    internal static Task<Spool?> BeginAsync(CacheFolder folder, DiskWriter writer, EntryKey key, EntryHead head) => folder.RunAsync(
        () => EntryFile.WriteHead(key, head, 0, 0, default(DateTimeOffset).AddYears(1970)) is { } empty
            ? new Spool(folder, writer, new FileStream(writer.NextTemporary(), CacheFolder.NewFile()), key, head, empty.Length)
            : null,
        CancellationToken.None,
        writes: true);

    /// <summary>Appends bytes; false when the write fails or the budget has no room for them.</summary>
    public async ValueTask<bool> AppendAsync(ReadOnlyMemory<byte> bytes)
    {
        if (!await ReserveAsync(GetFileBytes(Length + bytes.Length))) return false;
        return await _folder.RunAsync(
            () =>
            {
                _output.Append(bytes.Span);
                _hash.Append(bytes.Span);
                return Done;
            },
            CancellationToken.None,
            writes: true) is not null;
    }

    /// <summary>Reads written bytes, for a client that lags behind; 0 when the disk fails.</summary>
    public async ValueTask<int> ReadAsync(long position, Memory<byte> buffer, CancellationToken cancellation) =>
        await _folder.RunAsync(() => (object)_output.Read(position, buffer.Span), cancellation) is int count
            ? count
            : 0;

    /// <summary>Deletes the name of the file. Open handles can still use it, and the last one to close frees its bytes.</summary>
    public Task UnlinkAsync() => _folder.RunAsync(
        () =>
        {
            System.IO.File.Delete(Path);
            return Done;
        },
        CancellationToken.None,
        writes: true);

    /// <summary>Marks the body as complete.</summary>
    public void End(DateTimeOffset now) => Stored = now;

    /// <summary>Writes the head into the reserved space.</summary>
    internal void WriteHead(bool isPrefetched) =>
        _output.End(EntryFile.WriteHead(Key, _head, Length, _hash.GetCurrentHashAsUInt128(), Stored, isPrefetched)!);

    /// <summary>Returns the reserved disk space: the body is now either stored or dropped.</summary>
    internal void ReleaseReservation() => _writer.ReturnSpoolRoom(Interlocked.Exchange(ref _reserved, 0));

    private long GetFileBytes(long length) => FileOutput.GetFileBytes(_folder.Keys, _headBytes, length);

    private async ValueTask<bool> ReserveAsync(long bytes)
    {
        if (bytes <= _reserved) return true;
        var next = _reserved == 0 && _head.Length is { } declared
            ? GetFileBytes(declared)
            : Math.Min(_reserved + StepBytes, _writer.MaxBytes / 4);
        var needed = Math.Max(bytes, next);
        if (needed > _writer.MaxBytes / 4 || !await _writer.TakeSpoolRoomAsync(needed - _reserved)) return false;
        _reserved = needed;
        return true;
    }

    /// <summary>Keeps the file on disposal: it has been moved to its final path.</summary>
    internal void MarkAsStored() => _isStored = true;

    /// <inheritdoc/>
    public void Dispose()
    {
        _file.Dispose();
        _output.Dispose();
        try
        {
            if (!_isStored) System.IO.File.Delete(Path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The next start empties tmp/.
        }
        ReleaseReservation();
    }
}
