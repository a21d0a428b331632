using System.IO.Hashing;
using Microsoft.Win32.SafeHandles;
using Proxy.Disk;

namespace Proxy.Cache.OnDisk;

/// <summary>A body that is too large for memory, on its way into a file: whoever comes late reads from there.</summary>
/// <remarks>
/// The head is written last, when length and sum are known; room for it is left at the beginning. Room on disk is taken
/// before anything is written there: what is spooled is within the budget at every moment.
/// </remarks>
public sealed class Spool : IDisposable
{
    private static readonly object Done = new();

    /// <summary>So much room is taken at a time for a body that does not declare its length.</summary>
    private const long StepBytes = 16L << 20;

    private readonly CacheFolder _folder;
    private readonly DiskWriter _writer;
    private readonly FileStream _file;
    private readonly EntryHead _head;
    private readonly int _start;
    private readonly XxHash128 _hash = new();
    private long _room;
    private bool _isKept;

    private Spool(CacheFolder folder, DiskWriter writer, FileStream file, EntryKey key, EntryHead head, int start)
    {
        _folder = folder;
        _writer = writer;
        _file = file;
        _head = head;
        _start = start;
        Key = key;
    }

    /// <summary>Under which it is to be kept.</summary>
    internal EntryKey Key { get; }

    /// <summary>Where it is written.</summary>
    internal string Path => _file.Name;

    /// <summary>Of the body so far, in bytes.</summary>
    public long Length { get; private set; }

    internal DateTimeOffset Stored { get; private set; }

    /// <summary>Of the file, in bytes.</summary>
    internal long FileBytes => _start + Length;

    internal SafeFileHandle File => _file.SafeFileHandle;

    /// <summary>Begins a file; null when that cannot be.</summary>
    internal static Task<Spool?> BeginAsync(CacheFolder folder, DiskWriter writer, EntryKey key, EntryHead head) => folder.RunAsync(
        () => EntryFile.WriteHead(key, head, 0, 0, default(DateTimeOffset).AddYears(1970)) is { } empty
            ? new Spool(folder, writer, new FileStream(writer.NextTemporary(), CacheFolder.NewFile()), key, head, empty.Length)
            : null,
        CancellationToken.None,
        writes: true);

    /// <summary>Adds bytes behind the others; false when the disk did not take them, or there is no room for them in the budget.</summary>
    public async ValueTask<bool> AppendAsync(ReadOnlyMemory<byte> bytes)
    {
        if (!await TakeRoomAsync(FileBytes + bytes.Length)) return false;
        var isWritten = await _folder.RunAsync(
            () =>
            {
                RandomAccess.Write(File, bytes.Span, _start + Length);
                _hash.Append(bytes.Span);
                return Done;
            },
            CancellationToken.None,
            writes: true) is not null;
        if (isWritten) Length += bytes.Length;
        return isWritten;
    }

    /// <summary>Reads what was written, for a client that is behind. 0 when the disk does not give it.</summary>
    public async ValueTask<int> ReadAsync(long position, Memory<byte> room, CancellationToken cancellation) =>
        await _folder.RunAsync(() => (object)RandomAccess.Read(File, room.Span, _start + position), cancellation) is int count ? count : 0;

    /// <summary>The body is whole.</summary>
    public void End(DateTimeOffset now) => Stored = now;

    /// <summary>Writes the head over the room that was left for it.</summary>
    internal void WriteHead(bool isPrefetched) =>
        RandomAccess.Write(File, EntryFile.WriteHead(Key, _head, Length, _hash.GetCurrentHashAsUInt128(), Stored, isPrefetched)!, 0);

    /// <summary>The room that was taken is free again: the body is to be kept, or goes.</summary>
    internal void ReturnRoom() => _writer.ReturnSpoolRoom(Interlocked.Exchange(ref _room, 0));

    private async ValueTask<bool> TakeRoomAsync(long bytes)
    {
        if (bytes <= _room) return true;
        var wanted = Math.Max(bytes, _head.Length is { } declared
            && _room == 0 ? _start + declared : Math.Min(_room + StepBytes, _writer.MaxBytes / 4));
        if (wanted > _writer.MaxBytes / 4 || !await _writer.TakeSpoolRoomAsync(wanted - _room)) return false;
        _room = wanted;
        return true;
    }

    /// <summary>The file has its name now and stays when the spool goes.</summary>
    internal void Keep() => _isKept = true;

    public void Dispose()
    {
        _file.Dispose();
        try
        {
            if (!_isKept) System.IO.File.Delete(Path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It goes with the others in tmp when the folder is taken next.
        }
        ReturnRoom();
    }
}
