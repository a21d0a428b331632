using System.Buffers.Text;

namespace Proxy.Backends.Transport;

/// <summary>Hides a PACS's <c>Keep-Alive: timeout=1</c> from the client, which would close after every answer.</summary>
/// <remarks>
/// <para>
/// Orthanc announces one second and keeps its connection for as long as requests come. The handler takes a time-out
/// that short for "do not reuse": a CT of 120 slices then opens 120 connections. A connection that was closed all the
/// same is noticed before it is used again, and a request that no byte answered is sent anew on another.
/// </para>
/// <para>
/// Only the name of that header is changed (to <c>Keep-Alivx</c>), only in an answer's head, never in a body. What is read
/// first after a request began is a head (RFC 9112 §9.3: one exchange after the other). An answer may begin while the
/// request's body is still going out, so the request is followed to its end: only what is written after that is a new one.
/// </para>
/// <para>
/// After a request whose end cannot be told by a length (chunked, an upgrade), nothing on the connection is
/// changed any more: at worst the handler does not use it again.
/// </para>
/// </remarks>
internal sealed class KeepAliveStream(Stream inner) : Stream
{
    /// <summary>Where the first digit of the status stands: <c>HTTP/1.1 200</c>.</summary>
    private const int StatusAt = 9;

    // Of the answer: only the reader uses these while an exchange runs.
    private bool _isHead;
    private int _matched;
    private int _lineEnds;
    private int _headAt;
    private bool _isInterim;

    // Of the request: only the writer uses these.
    private readonly byte[] _line = new byte[64];
    private Request _request;
    private int _lineLength;
    private bool _endIsUnknown;
    private long _bodyLeft;

    /// <summary>Which part of a request is written next.</summary>
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
        Follow(buffer.Span);
        return inner.WriteAsync(buffer, cancellationToken);
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        Follow(buffer);
        inner.Write(buffer);
    }

    private void Follow(ReadOnlySpan<byte> written)
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
                    var count = (int)Math.Min(_bodyLeft, written.Length);
                    _bodyLeft -= count;
                    written = written[count..];
                    if (_bodyLeft == 0) _request = Request.None;
                    break;
            }
        }
    }

    private void EndLine(ReadOnlySpan<byte> line)
    {
        _lineLength = 0;
        if (line.IsEmpty)
        {
            _request = _endIsUnknown ? Request.Unknown : _bodyLeft > 0 ? Request.Body : Request.None;
        }
        else if (IsNamed(line, "content-length:"u8))
        {
            if (!Utf8Parser.TryParse(line["content-length:".Length..].Trim((byte)' '), out _bodyLeft, out _)) _endIsUnknown = true;
        }
        else
        {
            _endIsUnknown |= IsNamed(line, "transfer-encoding:"u8) || IsNamed(line, "upgrade:"u8);
        }
    }

    private static bool IsNamed(ReadOnlySpan<byte> line, ReadOnlySpan<byte> name) =>
        line.Length >= name.Length && System.Text.Ascii.EqualsIgnoreCase(line[..name.Length], name);

    private void BeginAnswer()
    {
        _isHead = true;
        _matched = _lineEnds = _headAt = 0;
        _isInterim = _endIsUnknown = false;
        _bodyLeft = 0;
    }

    private void Hide(Span<byte> read)
    {
        for (var i = 0; i < read.Length; i++)
        {
            var c = read[i];
            if (_headAt++ == StatusAt) _isInterim = c == '1';
            if (c == '\n')
            {
                _matched = 1;
                if (++_lineEnds < 2) continue;
                if (_isInterim)
                {
                    // 100 and 103 (RFC 9110 §15.2): the answer's own head follows.
                    _matched = _lineEnds = _headAt = 0;
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
