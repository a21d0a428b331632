using Proxy.Dicom;
using Proxy.Wire;

namespace Proxy.Backends.DicomWeb;

/// <summary>The object in a response: its whole body, or the only part of a multipart body.</summary>
/// <remarks>The closing delimiter proves the end of a part.</remarks>
internal sealed class ResponseBody : ArchiveBody, IDisposable
{
    private readonly BackendResponse _response;
    private readonly MultipartReader? _multipart;

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
            return new(response, multipart, ReadType(part.ContentType, type), part.Length);
        }
        catch
        {
            multipart.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override ValueTask<int> ReadAsync(Memory<byte> destination, CancellationToken cancellation) =>
        _multipart?.ReadBodyAsync(destination, cancellation) ?? _response.Body.ReadAsync(destination, cancellation);

    /// <inheritdoc/>
    public override async ValueTask CheckEndAsync(CancellationToken cancellation)
    {
        if (_multipart is not null && await _multipart.ReadPartAsync(cancellation) is not null)
            throw new MalformedAnswerException("The answer has more parts than requested.");
    }

    /// <inheritdoc/>
    public void Dispose() => _multipart?.Dispose();

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
