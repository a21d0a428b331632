using System.Buffers;
using System.IO.Hashing;
using System.Net.Sockets;
using Microsoft.Win32.SafeHandles;
using Proxy.Disk;
using Proxy.Operations;
using Proxy.Operations.Output;
using Proxy.Wire.Part10;

namespace Proxy.Cache.OnDisk;

/// <summary>A body that is read from an open file while it is sent. Deleting the file meanwhile does not affect it.</summary>
/// <param name="folder">The cache folder, which runs the reads.</param>
/// <param name="file">The open file, which the body uses until it is disposed.</param>
/// <param name="found">The head of the file.</param>
/// <param name="cut">
/// The ranges of the body to send, as offsets from its start; null to send it whole, verified by its hash on the way.
/// </param>
internal sealed class FileBody(
    CacheFolder folder, OpenFile file, EntryFile.Found found, IReadOnlyList<(long Offset, long Length)>? cut = null) : ICachedBody
{
    private const int PieceBytes = 64 * 1024;

    /// <summary>The bytes that are copied to a socket that takes no more, to learn when it does again.</summary>
    private const int AwaitedBytes = 4096;

    private readonly IReadOnlyList<(long Offset, long Length)> _ranges = cut ?? [(0, found.Length)];
    private XxHash128? _hasher = cut is null ? new() : null;
    private byte[]? _buffer;
    /// <summary>The whole body, when it was read at once; and the offset of the next byte in it.</summary>
    private List<Memory<byte>>? _whole;
    private int _wholePosition;
    private List<byte[]> _rented = [];
    private OpenFile? _file = file;
    private int _range;
    private long _position;

    public EntryHead Head => found.Head;

    public DateTimeOffset? Stored => found.Stored;

    public bool IsPrefetched => found.IsPrefetched;

    public long Length { get; } = cut?.Sum(s => s.Length) ?? found.Length;

    public bool IsVerified { get; private set; }

    public void SetVerified() => IsVerified = true;

    /// <summary>Verifies a body that is otherwise verified while it is sent whole; false when it is damaged.</summary>
    public Func<CancellationToken, ValueTask<bool>>? VerifyFirst { get; set; }

    /// <summary>The file; null after <see cref="Cut"/>.</summary>
    public OpenFile? File => _file;

    /// <summary>The rest of the body can go from the file to a socket as it is: it is verified and not encrypted.</summary>
    public bool CanSend => FileSend.IsSupported && _hasher is null && _whole is null && found.Seal is null;

    /// <summary>The number of bytes that were not read or sent yet.</summary>
    public long Left => _ranges.Skip(_range).Sum(r => r.Length) - _position;

    /// <summary>True after a disk failure while the body was sent: the client's connection must be closed.</summary>
    public bool IsTruncated { get; private set; }

    /// <summary>Sends the next bytes from the file to a socket, without a copy in this process.</summary>
    /// <param name="socket">The socket; nothing else is sent on it meanwhile.</param>
    /// <param name="bytes">The number of bytes, at most <see cref="Left"/>.</param>
    /// <param name="cancellation">Cancels the sending; the connection is of no use afterwards.</param>
    /// <exception cref="TruncatedBodyException">The disk failed.</exception>
    /// <exception cref="SocketException">The client is gone.</exception>
    public async ValueTask SendAsync(Socket socket, long bytes, CancellationToken cancellation)
    {
        while (bytes > 0)
        {
            while (_position == _ranges[_range].Length) (_range, _position) = (_range + 1, 0);
            var (offset, length) = _ranges[_range];
            var at = found.Start + offset + _position;
            var count = Math.Min(bytes, length - _position);
            var from = _file!.Handle;
            // A disk that hangs delays an operation of the folder, and not the thread of the request.
            var sent = FileSend.IsInMemory(from, at, count)
                ? SendAtOnce(socket, from, at, count)
                : await folder.RunAsync(() => FileSend.Send(socket, from, at, count), cancellation);
            if (sent is null or { End: FileSendEnd.Truncated })
            {
                IsTruncated = true;
                throw new TruncatedBodyException();
            }
            if (sent.End == FileSendEnd.Disconnected) throw new SocketException((int)SocketError.ConnectionReset);
            _position += sent.Bytes;
            bytes -= sent.Bytes;
            if (!sent.IsFull) continue;
            // The socket takes no more. The runtime sends the next bytes: it knows when the client has made room, much more than for these.
            if (bytes == 0) return;
            var piece = await ReadPieceAsync((int)Math.Min(bytes, AwaitedBytes), cancellation);
            bytes -= piece.Length;
            while (!piece.IsEmpty) piece = piece[await socket.SendAsync(piece, cancellation)..];
        }
    }

    /// <summary>Counts a small body that is read at once; null to read every body piece by piece.</summary>
    public InFlightBytes? InFlight { get; init; }

    private FileSent? SendAtOnce(Socket socket, SafeFileHandle from, long offset, long count)
    {
        try
        {
            return FileSend.Send(socket, from, offset, count);
        }
        catch (IOException e)
        {
            folder.Fail(e, wasWriting: false);
            return null;
        }
    }

    public async ValueTask<ReadOnlyMemory<byte>> ReadAsync(CancellationToken cancellation)
    {
        if (_whole is null && CanReadAtOnce && InFlight!.TryReserve(Length)) await ReadAtOnceAsync(cancellation);
        if (_whole is null) return await ReadPieceAsync(PieceBytes, cancellation);
        if (_wholePosition >= Length) return default;
        var piece = _whole[_wholePosition / PieceBytes][(_wholePosition % PieceBytes)..];
        _wholePosition += piece.Length;
        return piece;
    }

    private async ValueTask<ReadOnlyMemory<byte>> ReadPieceAsync(int maxBytes, CancellationToken cancellation)
    {
        while (_range < _ranges.Count && _position == _ranges[_range].Length) (_range, _position) = (_range + 1, 0);
        if (_range == _ranges.Count) return default;
        var (offset, length) = _ranges[_range];
        var at = offset + _position;
        // An operation that outlasts its caller still writes into the array: it returns to the pool only after an operation has ended.
        var rented = Interlocked.Exchange(ref _buffer, null) ?? ArrayPool<byte>.Shared.Rent(PieceBytes);
        var buffer = rented.AsMemory(0, (int)Math.Min(Math.Min(GetPieceBytes(at), maxBytes), length - _position));
        var from = _file!.Handle;
        var read = await folder.RunAsync(() => ReadFully(from, buffer.Span, at) ? Done : null, cancellation);
        if (read is null)
        {
            IsTruncated = true;
            throw new TruncatedBodyException();
        }
        _buffer = rented;
        _position += buffer.Length;
        Verify(buffer.Span);
        return buffer;
    }

    public async ValueTask MoveToAsync(long offset, CancellationToken cancellation)
    {
        // Bytes that are skipped would not be hashed, so a body that is verified on the way must be verified first.
        if (_hasher is not null && offset > 0 && (VerifyFirst is null || !await VerifyFirst(cancellation)))
            throw new TruncatedBodyException();
        _wholePosition = (int)Math.Min(offset, int.MaxValue);
        for (_range = 0; _range < _ranges.Count && offset >= _ranges[_range].Length; _range++) offset -= _ranges[_range].Length;
        _position = offset;
    }

    /// <summary>Reads and verifies the whole body, so that it is not hashed again when sent; false when it is damaged.</summary>
    public async ValueTask<bool> VerifyAsync(CancellationToken cancellation)
    {
        try
        {
            while (!(await ReadAsync(cancellation)).IsEmpty)
            {
                // ReadAsync updates the hash.
            }
        }
        catch (TruncatedBodyException)
        {
            return false;
        }
        (_range, _position, _hasher) = (0, 0, null);
        return true;
    }

    /// <summary>Skips the verification: the file was verified recently.</summary>
    public void Trust() => _hasher = null;

    public async ValueTask<T?> InspectAsync<T>(Func<ReadAt, T?> inspect, CancellationToken cancellation) where T : class
    {
        var opened = _file!.Handle;
        return await folder.RunAsync(() => inspect((offset, buffer) => ReadAt(opened, offset, buffer)), cancellation);
    }

    public int ReadAt(long offset, Span<byte> buffer) => ReadAt(_file!.Handle, offset, buffer);

    private int ReadAt(SafeFileHandle from, long offset, Span<byte> buffer) =>
        found.Read(from, offset, buffer[..(int)Math.Clamp(Length - offset, 0, buffer.Length)]);

    public ICachedBody Cut(EntryHead head, IReadOnlyList<(long Offset, long Length)> ranges)
    {
        var body = new FileBody(folder, _file!, found with { Head = head }, ranges);
        _file = null;
        return body;
    }

    public void Dispose()
    {
        // After Cut, the other body uses the file.
        Interlocked.Exchange(ref _file, null)?.Release();
        if (Interlocked.Exchange(ref _buffer, null) is { } buffer) ArrayPool<byte>.Shared.Return(buffer);
        if (Interlocked.Exchange(ref _whole, null) is null) return;
        _rented.ForEach(static piece => ArrayPool<byte>.Shared.Return(piece));
        InFlight!.Release(Length);
    }

    /// <summary>True for a small body that is verified and was not read yet: one operation on the disk, not one for each piece.</summary>
    private bool CanReadAtOnce =>
        InFlight is not null && _hasher is null && found.Seal is null && Length <= DiskTier.ReadAtOnceBytes
            && (_range, _position) == (0, 0) && _ranges is [{ Length: > 0 }];

    private async ValueTask ReadAtOnceAsync(CancellationToken cancellation)
    {
        _whole = [];
        for (var left = Length; left > 0; left -= PieceBytes)
        {
            _rented.Add(ArrayPool<byte>.Shared.Rent(PieceBytes));
            _whole.Add(_rented[^1].AsMemory(0, (int)Math.Min(left, PieceBytes)));
        }
        var (pieces, at) = (_whole, _ranges[0].Offset);
        var rented = _rented;
        // An operation that hangs on the disk may still write into the arrays: until it ends they do not return to the pool.
        _rented = [];
        var from = _file!.Handle;
        var length = await folder.RunAsync(() => (object)RandomAccess.Read(from, pieces, found.Start + at), cancellation);
        if (length is not long read) throw new TruncatedBodyException();
        _rented = rented;
        if (read != Length) throw new TruncatedBodyException();
    }

    private static readonly object Done = new();

    /// <summary>The length of the next piece: of an encrypted body, the rest of a chunk, so that no chunk is decrypted twice.</summary>
    private int GetPieceBytes(long offset) =>
        found.Seal is null ? PieceBytes : FileSeal.ChunkBytes - (int)(offset % FileSeal.ChunkBytes);

    private bool ReadFully(SafeFileHandle file, Span<byte> buffer, long offset)
    {
        while (!buffer.IsEmpty)
        {
            var count = found.Read(file, offset, buffer);
            if (count == 0) return false;
            buffer = buffer[count..];
            offset += count;
        }
        return true;
    }

    /// <summary>Hashes the bytes; throws before the last ones are sent when the hash does not match.</summary>
    private void Verify(ReadOnlySpan<byte> bytes)
    {
        if (_hasher is null) return;
        _hasher.Append(bytes);
        if (_range == _ranges.Count - 1 && _position == _ranges[_range].Length && _hasher.GetCurrentHashAsUInt128() != found.Hash)
            throw new TruncatedBodyException();
    }
}
