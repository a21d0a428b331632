using System.IO.Compression;

namespace Proxy.Wire.Part10;

/// <summary>The dataset of a deflated file (PS3.5 §A.5), inflated once from its beginning to its end while it is read.</summary>
internal sealed class InflatedDataset : IDisposable
{
    private readonly DeflateStream _inflated;
    private readonly long _maxBytes;
    private readonly byte[] _skipped = new byte[32 * 1024];
    private long _position;

    /// <summary>Creates the dataset in front of its first byte, which has the offset 0.</summary>
    /// <param name="length">The length of the file, in bytes.</param>
    /// <param name="read">Reads bytes of the file.</param>
    /// <param name="start">The offset of the deflated dataset in the file.</param>
    /// <param name="maxBytes">The limit of inflated bytes.</param>
    public InflatedDataset(long length, ReadAt read, long start, long maxBytes)
    {
        _inflated = new(new DeflatedBytes(length, read, start), CompressionMode.Decompress);
        _maxBytes = maxBytes;
    }

    /// <summary>A cursor over the inflated bytes.</summary>
    public Part10Cursor CreateCursor() => new(Part10Cursor.UnknownLength, ReadAt);

    /// <summary>Reads inflated bytes; the offset is never in front of bytes that were read before. 0 at the end.</summary>
    /// <exception cref="MalformedAnswerException">The bytes are not deflated, end before the offset, or exceed the limit.</exception>
    public int ReadAt(long offset, Span<byte> destination)
    {
        while (_position < offset)
        {
            var skipped = Read(_skipped.AsSpan(0, (int)Math.Min(_skipped.Length, offset - _position)));
            if (skipped == 0) throw new MalformedAnswerException("The file ends too early.");
        }
        return Read(destination);
    }

    /// <inheritdoc/>
    public void Dispose() => _inflated.Dispose();

    private int Read(Span<byte> destination)
    {
        try
        {
            var count = _inflated.Read(destination);
            _position += count;
            return _position <= _maxBytes ? count : throw new MalformedAnswerException("The inflated dataset is larger than the limit.");
        }
        catch (InvalidDataException e)
        {
            throw new MalformedAnswerException("The dataset is not deflated (PS3.5 §A.5).", e);
        }
    }

    /// <summary>The rest of a file as a stream.</summary>
    private sealed class DeflatedBytes(long length, ReadAt read, long start) : Stream
    {
        private long _position = start;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override int Read(Span<byte> buffer)
        {
            var room = (int)Math.Min(buffer.Length, length - _position);
            var count = room == 0 ? 0 : read(_position, buffer[..room]);
            _position += count;
            return count;
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override void Flush() => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
