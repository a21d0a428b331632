using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Hashing;
using Proxy.Wire;

namespace Proxy.Backends.Transport;

/// <summary>Unpacks a gzip body and holds it to its trailer (RFC 1952 §2.3.1): checksum and length.</summary>
/// <remarks>The framework's stream takes a body that was cut for one that ended.</remarks>
internal sealed class GzipStream(Stream packed) : ReadOnlyStream
{
    /// <summary>A header and a trailer, with the shortest deflate block between them (RFC 1952 §2.3).</summary>
    private const int LeastBytes = 20;

    /// <summary>
    /// Pixels that are all the same shrink to a thousandth; an answer that grows more than this is made to fill memory and disk.
    /// </summary>
    private const int MostGrowth = 100;

    /// <summary>Up to here any growth is accepted, in bytes: an empty mask, some lines of text.</summary>
    private const long SmallBytes = 16L << 20;

    private readonly GZipStream _inner = new(new TailStream(packed), CompressionMode.Decompress);
    private readonly Crc32 _checksum = new();
    private long _length;
    private bool _isChecked;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        int count;
        try
        {
            count = await _inner.ReadAsync(buffer, cancellationToken);
        }
        catch (InvalidDataException e)
        {
            throw new MalformedAnswerException("The answer is not gzip.", e);
        }
        _checksum.Append(buffer.Span[..count]);
        _length += count;
        if (_length > SmallBytes && _length / MostGrowth > _inner.BaseStream.Length)
            throw new MalformedAnswerException("A packed answer grows to more than a hundred times its size.");
        if (count == 0 && buffer.Length > 0 && !_isChecked) Check();
        return count;
    }

    private void Check()
    {
        var stream = (TailStream)_inner.BaseStream;
        var tail = stream.Tail;
        // Of nothing at all the checksum is zero, and so is an empty tail.
        if (stream.Length < LeastBytes || BinaryPrimitives.ReadUInt32LittleEndian(tail) != _checksum.GetCurrentHashAsUInt32()
            || BinaryPrimitives.ReadUInt32LittleEndian(tail[4..]) != (uint)_length)
            throw new MalformedAnswerException("A packed answer does not match its trailer.");
        _isChecked = true;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) _inner.Dispose();
        base.Dispose(disposing);
    }

    /// <summary>Remembers the last eight bytes that passed.</summary>
    private sealed class TailStream(Stream inner) : ReadOnlyStream
    {
        private readonly byte[] _tail = new byte[8];
        private long _count;

        public ReadOnlySpan<byte> Tail => _tail;

        /// <summary>Bytes that passed.</summary>
        public override long Length => _count;

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var count = await inner.ReadAsync(buffer, cancellationToken);
            _count += count;
            var read = buffer.Span[..count];
            if (count >= 8)
            {
                read[^8..].CopyTo(_tail);
            }
            else
            {
                _tail.AsSpan(count).CopyTo(_tail);
                read.CopyTo(_tail.AsSpan(8 - count));
            }
            return count;
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing) inner.Dispose();
            base.Dispose(disposing);
        }
    }
}
