using System.Buffers;
using System.IO.Hashing;
using Microsoft.Win32.SafeHandles;
using Proxy.Disk;
using Proxy.Operations;
using Proxy.Wire.Part10;

namespace Proxy.Cache.OnDisk;

/// <summary>A body that is read from an open file as it leaves. Whoever deletes the file meanwhile takes nothing away.</summary>
/// <param name="folder">The folder that it lies in.</param>
/// <param name="file">Open; closed with the body.</param>
/// <param name="head">What it is.</param>
/// <param name="stored">When it came.</param>
/// <param name="isPrefetched">Whether that was before anybody asked for it.</param>
/// <param name="start">Where the body begins in the file.</param>
/// <param name="stretches">What of the body is given, in bytes from its beginning.</param>
/// <param name="hash">Of the whole body; null when it was proved, or when only a part is given.</param>
internal sealed class FileBody(
    CacheFolder folder, SafeFileHandle file, EntryHead head, DateTimeOffset stored, bool isPrefetched, long start,
    IReadOnlyList<(long Offset, long Length)> stretches,
    UInt128? hash) : ICachedBody
{
    private const int PieceBytes = 64 * 1024;

    private XxHash128? _proof = hash is null ? null : new();
    private byte[]? _buffer;
    private SafeFileHandle? _file = file;
    private int _stretch;
    private long _position;

    public EntryHead Head => head;

    public DateTimeOffset? Stored => stored;

    public bool IsPrefetched => isPrefetched;

    public long Length { get; } = stretches.Sum(s => s.Length);

    public async ValueTask<ReadOnlyMemory<byte>> ReadAsync(CancellationToken cancellation)
    {
        while (_stretch < stretches.Count && _position == stretches[_stretch].Length) (_stretch, _position) = (_stretch + 1, 0);
        if (_stretch == stretches.Count) return default;
        _buffer ??= ArrayPool<byte>.Shared.Rent(PieceBytes);
        var (offset, length) = stretches[_stretch];
        var room = _buffer.AsMemory(0, (int)Math.Min(PieceBytes, length - _position));
        var read = await folder.RunAsync(() => ReadFully(_file!, room.Span, start + offset + _position) ? Done : null, cancellation);
        if (read is null)
        {
            // Whoever hangs on the disk may still write into it.
            _buffer = null;
            throw new BrokenBodyException();
        }
        _position += room.Length;
        Prove(room.Span);
        return room;
    }

    /// <summary>Reads all of it; false when it is not what was written. From then on it leaves without being looked at again.</summary>
    public async ValueTask<bool> ProveAsync(CancellationToken cancellation)
    {
        try
        {
            while (!(await ReadAsync(cancellation)).IsEmpty)
            {
                // Its sum is made as it is read.
            }
        }
        catch (BrokenBodyException)
        {
            return false;
        }
        (_stretch, _position, _proof) = (0, 0, null);
        return true;
    }

    /// <summary>It was proved not long ago.</summary>
    public void Trust() => _proof = null;

    public async ValueTask<T?> InspectAsync<T>(Func<ReadAt, T?> look, CancellationToken cancellation) where T : class
    {
        var file = _file!;
        return await folder.RunAsync(() => look((offset, room) => ReadAt(file, offset, room)), cancellation);
    }

    public int ReadAt(long offset, Span<byte> room) => ReadAt(_file!, offset, room);

    private int ReadAt(SafeFileHandle from, long offset, Span<byte> room) =>
        RandomAccess.Read(from, room[..(int)Math.Clamp(Length - offset, 0, room.Length)], start + offset);

    public ICachedBody Cut(EntryHead cut, IReadOnlyList<(long Offset, long Length)> wanted)
    {
        var body = new FileBody(folder, _file!, cut, stored, isPrefetched, start, wanted, hash: null);
        _file = null;
        return body;
    }

    public void Dispose()
    {
        Interlocked.Exchange(ref _file, null)?.Dispose();
        if (Interlocked.Exchange(ref _buffer, null) is { } buffer) ArrayPool<byte>.Shared.Return(buffer);
    }

    private static readonly object Done = new();

    private static bool ReadFully(SafeFileHandle file, Span<byte> room, long offset)
    {
        while (!room.IsEmpty)
        {
            var count = RandomAccess.Read(file, room, offset);
            if (count == 0) return false;
            room = room[count..];
            offset += count;
        }
        return true;
    }

    /// <summary>The last bytes are held back when they do not make the sum.</summary>
    private void Prove(ReadOnlySpan<byte> bytes)
    {
        if (_proof is null) return;
        _proof.Append(bytes);
        if (_stretch == stretches.Count - 1 && _position == stretches[_stretch].Length && _proof.GetCurrentHashAsUInt128() != hash)
            throw new BrokenBodyException();
    }
}
