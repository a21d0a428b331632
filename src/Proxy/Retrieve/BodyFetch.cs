using Proxy.Backends;
using Proxy.Backends.DicomWeb;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Retrieve.Checks;
using Proxy.Wire;

namespace Proxy.Retrieve;

/// <summary>
/// Requests one body (a frame, an instance, bulk data) from a backend and reads it into an in-flight body, until it is proved
/// complete and the object that was requested.
/// </summary>
public sealed class BodyFetch(BackendClient client, PixelDescriptions pixels)
{
    /// <summary>Bulk data has one form; the accepted types only allow it with or without a multipart around it.</summary>
    private const string BulkDataAccept = $"multipart/related; type=\"{MediaType.OctetStream}\", {MediaType.OctetStream};q=0.5, */*;q=0.1";

    /// <summary>Requests a frame or an instance.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="body">The frame or instance.</param>
    /// <param name="asked">The requested forms.</param>
    /// <param name="inFlight">Receives the bytes.</param>
    /// <param name="cancellation">Cancels the request.</param>
    public Task<BackendAnswer<EntryHead>> AskAsync(
        BackendOptions backend, BodyPath body, RequestedForms asked, InFlightBody inFlight, CancellationToken cancellation)
    {
        BodyCheck check = body.Frame is { } frame
            ? new FrameCheck(asked, frame, pixels.Find(backend.Name, body.Path))
            : new InstanceCheck(asked, body.Path);
        return client.AskAsync(
            backend,
            // Archives answer 400 to a frame number past the last frame; the request itself is well formed.
            new(body.RelativePath, asked.Accept)
            {
                IsMissing = status => (int)status is 404 or 410 || (int)status is 400 && asked.Only == BodyFormat.AsStored,
            },
            (response, stopped) => CopyAsync(response, check, inFlight, stopped), cancellation);
    }

    /// <summary>Requests bulk data.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="path">Path and query below its DICOMweb root.</param>
    /// <param name="inFlight">Receives the bytes.</param>
    /// <param name="cancellation">Cancels the request.</param>
    public Task<BackendAnswer<EntryHead>> AskBulkDataAsync(
        BackendOptions backend, string path, InFlightBody inFlight, CancellationToken cancellation) =>
        client.AskAsync(
            backend, new(path, BulkDataAccept) { Scope = FailureScope.Study },
            (response, stopped) => CopyAsync(response, new BulkDataCheck(), inFlight, stopped), cancellation);

    private static async Task<EntryHead> CopyAsync(
        BackendResponse response, BodyCheck check, InFlightBody inFlight, CancellationToken cancellation)
    {
        var type = response.ContentType ?? check.DefaultType ?? throw new MalformedAnswerException("The answer has no Content-Type.");
        if (!type.IsMultipart)
        {
            var head = GetHead(type, type, response.Length);
            return await InFlightBodyCopy.SingleAsync(response.Body, head, check, response.IsTruncationDetectable, inFlight, cancellation);
        }
        using var multipart = response.OpenMultipart();
        var part = await multipart.ReadPartAsync(cancellation) ?? throw new MalformedAnswerException("The multipart answer has no part.");
        return await InFlightBodyCopy.PartAsync(multipart, GetHead(part.ContentType, type, part.Length), check, inFlight, cancellation);
    }

    /// <summary>The declared media type, transfer syntax and length. A part's headers override those of the answer.</summary>
    /// <exception cref="MalformedAnswerException">The media type or the transfer syntax is not well formed.</exception>
    internal static EntryHead GetHead(MediaType? part, MediaType whole, long? length)
    {
        var type = part?.Type ?? whole.Find("type")?.ToLowerInvariant() ?? MediaType.OctetStream;
        if (!MediaType.IsWellFormed(type)) throw new MalformedAnswerException("A part's Content-Type is not a media type.");
        var transferSyntax = part?.Find("transfer-syntax") ?? whole.Find("transfer-syntax");
        // Some archives repeat the wildcard of the request, which names no transfer syntax.
        if (transferSyntax is BodyFormat.Any or "") transferSyntax = null;
        return transferSyntax is null || Uid.TryParse(transferSyntax, out _)
            ? new(type, transferSyntax, length)
            : throw new MalformedAnswerException("The answer's transfer syntax is not a UID.");
    }
}
