using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Hashing;
using Proxy.Wire;

namespace Proxy.Backends.Transport;

/// <summary>Decompresses a gzip body and checks the checksum and length in its trailer (RFC 1952 §2.3.1).</summary>
/// <remarks>The framework's stream does not report a truncated body.</remarks>
internal sealed class GzipStream(Stream compressed) : ReadOnlyStream
{
    /// <summary>A header, the shortest deflate block and a trailer (RFC 1952 §2.3).</summary>
    private const int MinBytes = 20;

    /// <summary>The highest accepted compression ratio: a higher one, of a large body, may be an attack on memory and disk.</summary>
    private const int MaxRatio = 100;

    /// <summary>Up to this decompressed size in bytes, any ratio is accepted: an empty mask compresses very well.</summary>
    private const long SmallBytes = 16L << 20;

    private readonly GZipStream _inner = new(new TailStream(compressed), CompressionMode.Decompress);
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
        if (_length > SmallBytes && _length / MaxRatio > _inner.BaseStream.Length)
            throw new MalformedAnswerException("A gzip answer has a compression ratio of more than 100.");
        if (count == 0 && buffer.Length > 0 && !_isChecked) Check();
        return count;
    }

    private void Check()
    {
        var stream = (TailStream)_inner.BaseStream;
        var tail = stream.Tail;
        // The checksum of an empty body and an empty tail are both zero, so check the length too.
        if (stream.Length < MinBytes || BinaryPrimitives.ReadUInt32LittleEndian(tail) != _checksum.GetCurrentHashAsUInt32()
            || BinaryPrimitives.ReadUInt32LittleEndian(tail[4..]) != (uint)_length)
            throw new MalformedAnswerException("A gzip answer does not match its trailer.");
        _isChecked = true;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) _inner.Dispose();
        base.Dispose(disposing);
    }

    /// <summary>Keeps the last eight bytes read.</summary>
    private sealed class TailStream(Stream inner) : ReadOnlyStream
    {
        private readonly byte[] _tail = new byte[8];
        private long _count;

        public ReadOnlySpan<byte> Tail => _tail;

        /// <summary>The number of bytes read.</summary>
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
