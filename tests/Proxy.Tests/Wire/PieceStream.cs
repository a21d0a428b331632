namespace Proxy.Tests.Wire;

/// <summary>
/// A stream that returns its bytes in pieces, like a socket: <paramref name="sizeOf"/> gives the size of each read. Written bytes
/// are discarded.
/// </summary>
internal sealed class PieceStream(ReadOnlyMemory<byte> bytes, Func<int, int> sizeOf) : Stream
{
    private int _at;
    private int _reads;

    /// <summary>Random reads of one to <paramref name="most"/> bytes, repeatable by seed.</summary>
    public static PieceStream Random(ReadOnlyMemory<byte> bytes, int seed, int most)
    {
        var random = new Random(seed);
        return new(bytes, _ => random.Next(1, most + 1));
    }

    public override int Read(Span<byte> buffer)
    {
        var count = Math.Min(Math.Min(buffer.Length, bytes.Length - _at), Math.Max(1, sizeOf(_reads++)));
        bytes.Span.Slice(_at, count).CopyTo(buffer);
        _at += count;
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return ValueTask.FromResult(Read(buffer.Span));
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override void Flush() { }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) { }
}
