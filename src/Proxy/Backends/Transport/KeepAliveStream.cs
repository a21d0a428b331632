namespace Proxy.Backends.Transport;

/// <summary>Hides a PACS's <c>Keep-Alive: timeout=1</c> from the client, which would close after every answer.</summary>
/// <remarks>
/// <para>
/// Orthanc announces one second and keeps its connection for as long as requests come. The handler takes a time-out
/// that short for "do not reuse": a CT of 120 slices then opens 120 connections. A connection that was closed all the
/// same is noticed before it is used again, and a request that no byte answered is sent anew on another.
/// </para>
/// <para>
/// Only the name of that header is changed (to <c>Keep-Alivx</c>), only in an answer's head, never in a body: on one
/// connection requests and answers take turns, so whatever is read first after something was written is a head.
/// </para>
/// </remarks>
internal sealed class KeepAliveStream(Stream inner) : Stream
{
    private bool _isHead;
    private int _matched;
    private int _lineEnds;

    private static ReadOnlySpan<byte> Name => "\nkeep-alive"u8;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var count = await inner.ReadAsync(buffer, cancellationToken);
        if (_isHead) Hide(buffer.Span[..count]);
        return count;
    }

    public override int Read(Span<byte> buffer)
    {
        var count = inner.Read(buffer);
        if (_isHead) Hide(buffer[..count]);
        return count;
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        BeginHead();
        return inner.WriteAsync(buffer, cancellationToken);
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        BeginHead();
        inner.Write(buffer);
    }

    private void BeginHead()
    {
        _isHead = true;
        _matched = _lineEnds = 0;
    }

    private void Hide(Span<byte> read)
    {
        for (var i = 0; i < read.Length; i++)
        {
            var c = read[i];
            if (c == '\n')
            {
                _matched = 1;
                if (++_lineEnds < 2) continue;
                _isHead = false;
                return;
            }
            if (c != '\r') _lineEnds = 0;
            if (_matched == 0) continue;
            _matched = (c | 0x20) == Name[_matched] || c == Name[_matched] ? _matched + 1 : 0;
            if (_matched != Name.Length) continue;
            read[i] = (byte)'x';
            _matched = 0;
        }
    }

    public override void Flush() => inner.Flush();

    public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    protected override void Dispose(bool disposing)
    {
        if (disposing) inner.Dispose();
        base.Dispose(disposing);
    }
}
