using Proxy.Dicom;
using Proxy.Wire;

namespace Proxy.Backends.DicomWeb;

/// <summary>The object in a response: its whole body, or the only part of a multipart body.</summary>
/// <remarks>
/// The closing delimiter proves the end of a part. Orthanc sends compressed pixel data as bulk data in its items: a part with the
/// offset table, then one for each fragment (PS3.5 §A.4). The table of a single frame or a video says nothing, and is passed over.
/// </remarks>
internal sealed class ResponseBody : ArchiveBody, IDisposable
{
    private readonly BackendResponse _response;
    /// <summary>The length of an offset table with one entry (PS3.5 §A.4).</summary>
    private const int TableBytes = 4;

    private readonly MultipartReader? _multipart;
    private ReadOnlyMemory<byte> _start;

    private ResponseBody(
        BackendResponse response, MultipartReader? multipart, (string MediaType, string? TransferSyntax) type, long? length)
        : base(type.MediaType, type.TransferSyntax, length) => (_response, _multipart) = (response, multipart);

    /// <inheritdoc/>
    public override bool IsTruncationDetectable => _multipart is not null || _response.IsTruncationDetectable;

    /// <summary>Opens the body.</summary>
    /// <param name="response">The response.</param>
    /// <param name="byDefault">The type of a response without a Content-Type; null when a Content-Type is required.</param>
    /// <param name="cancellation">Cancels the reading.</param>
    /// <exception cref="MalformedAnswerException">The response declares no type, an invalid type, or has no part.</exception>
    public static async Task<ResponseBody> OpenAsync(BackendResponse response, MediaType? byDefault, CancellationToken cancellation)
    {
        var type = response.ContentType ?? byDefault ?? throw new MalformedAnswerException("The answer has no Content-Type.");
        if (!type.IsMultipart) return new(response, null, ReadType(type, type), response.Length);
        var multipart = response.OpenMultipart();
        try
        {
            var part = await multipart.ReadPartAsync(cancellation)
                ?? throw new MalformedAnswerException("The multipart answer has no part.");
            // Bulk data only: an archive may send compressed pixel data as its items.
            var start = byDefault is not null && part.Length is 0 or TableBytes ? await ReadStartAsync(multipart, cancellation) : [];
            if (part.Length == start.Length && !start.ContainsAnyExcept((byte)0) && await multipart.ReadPartAsync(cancellation) is { } item)
                (part, start) = (item, []);
            return new(response, multipart, ReadType(part.ContentType, type), part.Length) { _start = start };
        }
        catch
        {
            multipart.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override ValueTask<int> ReadAsync(Memory<byte> destination, CancellationToken cancellation)
    {
        if (_start.IsEmpty)
            return _multipart?.ReadBodyAsync(destination, cancellation) ?? _response.Body.ReadAsync(destination, cancellation);
        var count = Math.Min(_start.Length, destination.Length);
        _start[..count].CopyTo(destination);
        _start = _start[count..];
        return new(count);
    }

    /// <inheritdoc/>
    public override async ValueTask CheckEndAsync(CancellationToken cancellation)
    {
        if (_multipart is not null && await _multipart.ReadPartAsync(cancellation) is not null)
            throw new MalformedAnswerException("The answer has more parts than requested.");
    }

    /// <inheritdoc/>
    public void Dispose() => _multipart?.Dispose();

    /// <summary>The first bytes of the current part: all of an offset table, and one more of a longer part.</summary>
    private static async Task<byte[]> ReadStartAsync(MultipartReader multipart, CancellationToken cancellation)
    {
        var start = new byte[TableBytes + 1];
        var filled = 0;
        for (int count; filled < start.Length && (count = await multipart.ReadBodyAsync(start.AsMemory(filled), cancellation)) > 0;)
            filled += count;
        return start[..filled];
    }

    /// <summary>The declared media type and transfer syntax. A part's headers override those of the answer.</summary>
    private static (string MediaType, string? TransferSyntax) ReadType(MediaType? part, MediaType whole)
    {
        var type = part?.Type ?? whole.Find("type")?.ToLowerInvariant() ?? Dicom.MediaType.OctetStream;
        if (!Dicom.MediaType.IsWellFormed(type)) throw new MalformedAnswerException("A part's Content-Type is not a media type.");
        var transferSyntax = part?.Find("transfer-syntax") ?? whole.Find("transfer-syntax");
        // Some archives repeat the wildcard of the request, which names no transfer syntax.
        if (transferSyntax is BodyFormat.Any or "") transferSyntax = null;
        return transferSyntax is null || Uid.TryParse(transferSyntax, out _)
            ? (type, transferSyntax)
            : throw new MalformedAnswerException("The answer's transfer syntax is not a UID.");
    }
}
