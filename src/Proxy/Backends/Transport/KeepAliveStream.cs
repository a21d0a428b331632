using System.Buffers.Text;

namespace Proxy.Backends.Transport;

/// <summary>Hides a PACS's <c>Keep-Alive: timeout=1</c> from the HTTP handler, which would close the connection each time.</summary>
/// <remarks>
/// <para>
/// Orthanc announces one second but keeps the connection open while requests arrive. The handler treats this short timeout as
/// "do not reuse": a CT of 120 slices then opens 120 connections. The handler detects a closed connection before reuse, and
/// retries a request on a new connection when no byte of an answer arrived.
/// </para>
/// <para>
/// Only the header's name changes (to <c>Keep-Alivx</c>), only in the head of an answer, never in a body. The first bytes read
/// after a request has begun are a head (RFC 9112 §9.3: exchanges do not overlap). An answer may begin while the request's body
/// is still being sent, so the stream tracks the end of each request: only bytes after it begin a new request.
/// </para>
/// <para>
/// After a request without a known length (chunked, upgrade), nothing more on the connection is changed: at worst the handler
/// does not reuse it.
/// </para>
/// </remarks>
internal sealed class KeepAliveStream(Stream inner) : Stream
{
    /// <summary>The offset of the status code: <c>HTTP/1.1 200</c>.</summary>
    private const int StatusOffset = 9;

    // Answer state: only the reader uses it during an exchange.
    private bool _isHead;
    private int _matched;
    private int _lineEnds;
    private int _headOffset;
    private bool _isInterim;

    // Request state: only the writer uses it.
    private readonly byte[] _line = new byte[64];
    private Request _request;
    private int _lineLength;
    private bool _isEndUnknown;
    private long _bodyRemaining;

    /// <summary>The part of a request that is written next.</summary>
    private enum Request
    {
        None,
        Head,
        Body,
        Unknown,
    }

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
        Track(buffer.Span);
        return inner.WriteAsync(buffer, cancellationToken);
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        Track(buffer);
        inner.Write(buffer);
    }

    private void Track(ReadOnlySpan<byte> written)
    {
        while (!written.IsEmpty && _request != Request.Unknown)
        {
            switch (_request)
            {
                case Request.None:
                    _request = Request.Head;
                    BeginAnswer();
                    break;
                case Request.Head:
                    var end = written.IndexOf((byte)'\n');
                    var piece = end < 0 ? written : written[..end];
                    if (_lineLength < _line.Length)
                        piece[..Math.Min(piece.Length, _line.Length - _lineLength)].CopyTo(_line.AsSpan(_lineLength));
                    _lineLength += piece.Length;
                    written = end < 0 ? default : written[(end + 1)..];
                    if (end >= 0) EndLine(_line.AsSpan(0, Math.Min(_lineLength, _line.Length)).TrimEnd((byte)'\r'));
                    break;
                default:
                    var count = (int)Math.Min(_bodyRemaining, written.Length);
                    _bodyRemaining -= count;
                    written = written[count..];
                    if (_bodyRemaining == 0) _request = Request.None;
                    break;
            }
        }
    }

    private void EndLine(ReadOnlySpan<byte> line)
    {
        _lineLength = 0;
        if (line.IsEmpty)
        {
            _request = _isEndUnknown ? Request.Unknown : _bodyRemaining > 0 ? Request.Body : Request.None;
        }
        else if (IsNamed(line, "content-length:"u8))
        {
            if (!Utf8Parser.TryParse(line["content-length:".Length..].Trim((byte)' '), out _bodyRemaining, out _)) _isEndUnknown = true;
        }
        else
        {
            _isEndUnknown |= IsNamed(line, "transfer-encoding:"u8) || IsNamed(line, "upgrade:"u8);
        }
    }

    private static bool IsNamed(ReadOnlySpan<byte> line, ReadOnlySpan<byte> name) =>
        line.Length >= name.Length && System.Text.Ascii.EqualsIgnoreCase(line[..name.Length], name);

    private void BeginAnswer()
    {
        _isHead = true;
        _matched = _lineEnds = _headOffset = 0;
        _isInterim = _isEndUnknown = false;
        _bodyRemaining = 0;
    }

    private void Hide(Span<byte> read)
    {
        for (var i = 0; i < read.Length; i++)
        {
            var c = read[i];
            if (_headOffset++ == StatusOffset) _isInterim = c == '1';
            if (c == '\n')
            {
                _matched = 1;
                if (++_lineEnds < 2) continue;
                if (_isInterim)
                {
                    // 100 and 103 (RFC 9110 §15.2): the final head follows.
                    _matched = _lineEnds = _headOffset = 0;
                    continue;
                }
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

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

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
