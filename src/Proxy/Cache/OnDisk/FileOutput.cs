using System.Buffers;
using Microsoft.Win32.SafeHandles;
using Proxy.Disk;

namespace Proxy.Cache.OnDisk;

/// <summary>Writes the file of an entry: the body piece by piece, the head at the end. Encrypts both, if there is a key.</summary>
/// <remarks>
/// The last bytes of an encrypted body wait in memory until it is known whether their chunk is the last one. A reader may read while the
/// body grows. After a failed write nothing more is written.
/// </remarks>
internal sealed class FileOutput : IDisposable
{
    private readonly Lock _lock = new();
    private readonly SafeFileHandle _file;
    private readonly FileSeal? _seal;
    private readonly int _headBytes;
    private byte[]? _pending;
    private int _pendingBytes;
    private bool _hasFailed;
    private bool _hasEnded;

    /// <summary>Creates the output; nothing is written yet.</summary>
    /// <param name="file">An empty file.</param>
    /// <param name="keys">The keys; null for a file that is not encrypted.</param>
    /// <param name="headBytes">The length of the head.</param>
    public FileOutput(SafeFileHandle file, KeyRing? keys, int headBytes)
    {
        (_file, _headBytes) = (file, headBytes);
        _seal = keys is null ? null : FileSeal.Create(keys, headBytes);
    }

    /// <summary>The length of the body so far, in bytes.</summary>
    public long Length { get; private set; }

    private int Start => _seal?.Start ?? _headBytes;

    /// <summary>The length of the file of an entry.</summary>
    /// <param name="keys">The keys; null for a file that is not encrypted.</param>
    /// <param name="headBytes">The length of the head.</param>
    /// <param name="length">The length of the body.</param>
    public static long GetFileBytes(KeyRing? keys, int headBytes, long length) => keys is null
        ? headBytes + length
        : FileSeal.FixedBytes + headBytes + FileSeal.TagBytes + FileSeal.GetSealedLength(length);

    /// <summary>Writes the next bytes of the body.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        if (_hasFailed) throw new IOException("An earlier write failed.");
        _hasFailed = true;
        if (_seal is null)
        {
            RandomAccess.Write(_file, bytes, Start + Length);
            Length += bytes.Length;
        }
        else
        {
            lock (_lock) AppendSealed(_seal, bytes);
        }
        _hasFailed = false;
    }

    /// <summary>Writes what is left of the body, and the head.</summary>
    public void End(ReadOnlySpan<byte> head)
    {
        if (_seal is null)
        {
            RandomAccess.Write(_file, head, 0);
            return;
        }
        lock (_lock)
        {
            if (_pendingBytes > 0) WritePending(_seal, isLast: true);
            _hasEnded = true;
        }
        RandomAccess.Write(_file, _seal.SealHead(head), 0);
    }

    /// <summary>Reads bytes that were written before.</summary>
    /// <returns>The number of bytes; 0 when they cannot be read.</returns>
    public int Read(long offset, Span<byte> buffer)
    {
        if (_seal is null) return RandomAccess.Read(_file, buffer, Start + offset);
        lock (_lock)
        {
            var written = Length - _pendingBytes;
            if (offset >= written)
            {
                var within = (int)(offset - written);
                var count = Math.Min(buffer.Length, _pendingBytes - within);
                if (count <= 0) return 0;
                _pending.AsSpan(within, count).CopyTo(buffer);
                return count;
            }
            // Before the end no chunk on disk is the last one: a length beyond them says so.
            return _seal.Read(_file, _hasEnded ? written : written + 1, offset, buffer[..(int)Math.Min(buffer.Length, written - offset)]);
        }
    }

    /// <summary>Does not wait for an operation that hangs on the disk; its array then goes to the garbage collector.</summary>
    public void Dispose()
    {
        _seal?.Dispose();
        if (!_lock.TryEnter()) return;
        try
        {
            if (_pending is not null) ArrayPool<byte>.Shared.Return(_pending);
            (_pending, _pendingBytes) = (null, 0);
        }
        finally
        {
            _lock.Exit();
        }
    }

    private void AppendSealed(FileSeal seal, ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            if (_pendingBytes == FileSeal.ChunkBytes) WritePending(seal, isLast: false);
            _pending ??= ArrayPool<byte>.Shared.Rent(FileSeal.ChunkBytes);
            var count = Math.Min(bytes.Length, FileSeal.ChunkBytes - _pendingBytes);
            bytes[..count].CopyTo(_pending.AsSpan(_pendingBytes));
            _pendingBytes += count;
            Length += count;
            bytes = bytes[count..];
        }
    }

    private void WritePending(FileSeal seal, bool isLast)
    {
        var form = ArrayPool<byte>.Shared.Rent(FileSeal.SealedChunkBytes);
        try
        {
            var number = (Length - _pendingBytes) / FileSeal.ChunkBytes;
            seal.SealChunk(number, isLast, _pending.AsSpan(0, _pendingBytes), form);
            RandomAccess.Write(
                _file, form.AsSpan(0, _pendingBytes + FileSeal.TagBytes), Start + number * FileSeal.SealedChunkBytes);
            _pendingBytes = 0;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(form);
        }
    }
}
