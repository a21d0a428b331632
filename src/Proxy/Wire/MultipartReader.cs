using System.Buffers;
using System.Globalization;
using System.Text;
using Proxy.Dicom;

namespace Proxy.Wire;

/// <summary>Reads a multipart body (RFC 2046 §5.1, PS3.18 §8.6.1.2) part by part, in pieces as they arrive.</summary>
/// <remarks>
/// <code>
/// preamble CRLF --boundary CRLF  header CRLF header CRLF CRLF  body  CRLF --boundary … CRLF --boundary-- epilogue
/// </code>
/// HTTP cannot detect that a close-delimited body was truncated. Here a body is complete only when the closing delimiter was
/// read; anything else throws a <see cref="MalformedAnswerException"/>. A line that only begins like the delimiter is data.
/// Memory: one buffer for delimiters and headers, for parts of any size.
/// </remarks>
public sealed class MultipartReader : IDisposable
{
    private const int MaxHeaderBytes = 16 * 1024;
    private const int MaxPreambleBytes = 64 * 1024;
    private const int MaxEpilogueBytes = 64 * 1024;
    private const int BufferBytes = 64 * 1024;

    private readonly Stream _stream;
    private readonly byte[] _delimiter;
    private byte[] _buffer;
    private int _start;
    private int _end;
    private long _declaredLeft;
    private bool _isInPart;
    private bool _isLastPart;
    private bool _isPastPreamble;
    private long _skippedBytes;

    /// <summary>Reads the body in <paramref name="stream"/>, which stays open.</summary>
    /// <param name="stream">The body.</param>
    /// <param name="boundary">The boundary parameter of its Content-Type.</param>
    /// <param name="bufferBytes">The size of the buffer; a larger one needs fewer reads of a fast stream.</param>
    /// <exception cref="MalformedAnswerException">The boundary is empty, or far longer than RFC 2046 allows.</exception>
    public MultipartReader(Stream stream, string? boundary, int bufferBytes = BufferBytes)
    {
        if (string.IsNullOrEmpty(boundary) || boundary.Length > 200)
            throw new MalformedAnswerException("A multipart answer names no boundary.");
        _stream = stream;
        _buffer = ArrayPool<byte>.Shared.Rent(bufferBytes);
        _delimiter = Encoding.Latin1.GetBytes("\r\n--" + boundary);
        // The first delimiter may open the body without a preceding line end.
        "\r\n"u8.CopyTo(_buffer);
        _end = 2;
        _isInPart = true;
    }

    /// <summary>The limit of bytes in skipped parts; beyond it a <see cref="MalformedAnswerException"/> is thrown.</summary>
    public long MaxSkippedBytes { get; set; } = long.MaxValue;

    /// <summary>
    /// Whether to search every byte for the delimiter, although a part declares its length: for a sender that may lie about it.
    /// </summary>
    public bool IgnoresLengths { get; init; }

    /// <summary>The headers of one part.</summary>
    /// <param name="ContentType">As written; null when the part has none.</param>
    /// <param name="Length">The Content-Length in bytes; null when it is absent or not a number.</param>
    public sealed record Part(MediaType? ContentType, long? Length);

    /// <summary>Reads the next part's headers; null when the closing delimiter was read and the message has ended.</summary>
    /// <exception cref="MalformedAnswerException">The body is not valid multipart, or ends before its closing delimiter.</exception>
    public async ValueTask<Part?> ReadPartAsync(CancellationToken cancellation)
    {
        var rest = _isInPart ? new byte[4096] : [];
        while (_isInPart) CheckSkipped(await ReadBodyAsync(rest, cancellation));
        _isPastPreamble = true;
        if (_isLastPart)
        {
            await ReadEpilogueAsync(cancellation);
            return null;
        }
        int length;
        while ((length = Filled.IndexOf("\r\n\r\n"u8)) < 0)
        {
            // A part may have no headers: the empty line then follows directly.
            if (Filled.StartsWith("\r\n"u8)) break;
            if (_end - _start > MaxHeaderBytes) throw new MalformedAnswerException("The headers of a part are too long.");
            await FillAsync(cancellation);
        }
        var isBare = length < 0 || Filled.StartsWith("\r\n"u8);
        var headers = isBare ? "" : Encoding.Latin1.GetString(Filled[..length]);
        _start += isBare ? 2 : length + 4;
        _isInPart = true;
        var part = ParseHeaders(headers);
        _declaredLeft = IgnoresLengths ? 0 : part.Length ?? 0;
        return part;
    }

    /// <summary>Reads the available bytes of the current part's body that fit into the destination; 0 at its end.</summary>
    /// <remarks>
    /// The declared length of a part is read directly from the stream, past this reader's buffer; the delimiter must follow it.
    /// Bytes between the two are returned as data, so the caller can detect a wrong length. Without a declared length every byte is
    /// searched for the delimiter.
    /// </remarks>
    /// <exception cref="MalformedAnswerException">The body ends before its closing delimiter.</exception>
    public async ValueTask<int> ReadBodyAsync(Memory<byte> destination, CancellationToken cancellation)
    {
        if (_isInPart && _declaredLeft > 0) return await ReadDeclaredAsync(destination, cancellation);
        while (_isInPart)
        {
            var at = Filled.IndexOf(_delimiter);
            if (at > 0) return Take(at, destination);
            if (at == 0)
            {
                if (await ReadDelimiterAsync(cancellation)) break;
                return Take(_delimiter.Length, destination);
            }
            // Return the bytes that cannot be the beginning of a delimiter.
            var safe = _end - _start - (_delimiter.Length - 1);
            if (safe > 0) return Take(safe, destination);
            await FillAsync(cancellation);
        }
        return 0;
    }

    /// <summary>Returns the buffer to the pool; the stream stays open.</summary>
    public void Dispose()
    {
        var buffer = Interlocked.Exchange(ref _buffer, []);
        if (buffer.Length > 0) ArrayPool<byte>.Shared.Return(buffer);
    }

    private void CheckSkipped(int count)
    {
        _skippedBytes += count;
        if (!_isPastPreamble && _skippedBytes > MaxPreambleBytes)
            throw new MalformedAnswerException("A multipart answer begins with no delimiter.");
        if (_skippedBytes > MaxSkippedBytes) throw new MalformedAnswerException("The parts that were not requested are too long.");
    }

    private ReadOnlySpan<byte> Filled => _buffer.AsSpan(_start, _end - _start);

    /// <summary>
    /// Reads to the end of the message: a body shorter than its Content-Length is an HTTP error, even when only the epilogue is missing.
    /// </summary>
    private async ValueTask ReadEpilogueAsync(CancellationToken cancellation)
    {
        var length = _end - _start;
        for (int count; (count = await _stream.ReadAsync(_buffer, cancellation)) > 0;)
        {
            if ((length += count) > MaxEpilogueBytes)
                throw new MalformedAnswerException("The epilogue after the closing delimiter is too long.");
        }
        _start = _end = 0;
    }

    private async ValueTask<int> ReadDeclaredAsync(Memory<byte> destination, CancellationToken cancellation)
    {
        var max = (int)Math.Min(destination.Length, _declaredLeft);
        var count = _end > _start
            ? Take(Math.Min(_end - _start, max), destination)
            : await _stream.ReadAsync(destination[..max], cancellation);
        if (count == 0) throw new MalformedAnswerException("A multipart answer ends before its closing delimiter.");
        _declaredLeft -= count;
        return count;
    }

    private int Take(int count, Memory<byte> destination)
    {
        count = Math.Min(count, destination.Length);
        Filled[..count].CopyTo(destination.Span);
        _start += count;
        return count;
    }

    /// <summary>
    /// A delimiter is followed by <c>--</c> or, after optional white space, by a line end; otherwise it is data (RFC 2046 §5.1.1).
    /// </summary>
    private async ValueTask<bool> ReadDelimiterAsync(CancellationToken cancellation)
    {
        for (var i = _delimiter.Length; ; i++)
        {
            while (_end - _start < i + 2) await FillAsync(cancellation);
            var next = Filled[i..];
            var isClosing = i == _delimiter.Length && next.StartsWith("--"u8);
            if (isClosing || next.StartsWith("\r\n"u8))
            {
                _start += i + 2;
                _isInPart = false;
                _isLastPart = isClosing;
                return true;
            }
            if (next[0] is not ((byte)' ' or (byte)'\t') || i > _delimiter.Length + 64) return false;
        }
    }

    private async ValueTask FillAsync(CancellationToken cancellation)
    {
        if (_start > 0)
        {
            Filled.CopyTo(_buffer);
            _end -= _start;
            _start = 0;
        }
        var count = await _stream.ReadAsync(_buffer.AsMemory(_end), cancellation);
        if (count == 0) throw new MalformedAnswerException("A multipart answer ends before its closing delimiter.");
        _end += count;
    }

    private static Part ParseHeaders(string headers)
    {
        MediaType? type = null;
        long? length = null;
        foreach (var line in headers.Split("\r\n"))
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon <= 0) continue;
            var value = line[(colon + 1)..].Trim();
            if (line.AsSpan(0, colon).Equals("Content-Type", StringComparison.OrdinalIgnoreCase)) type = ReadType(value);
            if (line.AsSpan(0, colon).Equals("Content-Length", StringComparison.OrdinalIgnoreCase)
                && long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var n))
                length = n;
        }
        return new(type, length);
    }

    /// <summary>The type is repeated to clients, so it must be valid in a header.</summary>
    private static MediaType? ReadType(string value)
    {
        var type = MediaType.Parse(value);
        return type is null || MediaType.IsWellFormed(type.Type)
            ? type
            : throw new MalformedAnswerException("A part's Content-Type is not a media type.");
    }
}
