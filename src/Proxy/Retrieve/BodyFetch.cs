using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Retrieve.Checks;
using Proxy.Wire;

namespace Proxy.Retrieve;

/// <summary>
/// Asks a backend for one body (a frame, an instance, bulk data) and reads it into a fill, up to the proof that it is whole and
/// what was asked for.
/// </summary>
public sealed class BodyFetch(BackendClient client, PixelDescriptions pixels)
{
    /// <summary>Bulk data has one form: the accepted types only say how it may be wrapped.</summary>
    private const string BulkDataAccept = $"multipart/related; type=\"{MediaType.OctetStream}\", {MediaType.OctetStream};q=0.5, */*;q=0.1";

    /// <summary>Asks for a frame or an instance.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="body">Which frame or instance.</param>
    /// <param name="asked">The forms to ask for.</param>
    /// <param name="inFlight">Receives the bytes.</param>
    /// <param name="cancellation">Ends the request.</param>
    public Task<BackendAnswer<EntryHead>> AskAsync(
        BackendOptions backend, BodyPath body, AskedForms asked, InFlightBody inFlight, CancellationToken cancellation)
    {
        BodyCheck check = body.Frame is { } frame
            ? new FrameCheck(asked, frame, pixels.Find(backend.Name, body.Path))
            : new InstanceCheck(asked, body.Path.Instance);
        return client.AskAsync(
            backend,
            // Archives answer 400 to a frame past the last one; the request itself is well formed.
            new(body.RelativePath, asked.Accept)
            {
                IsMissing = status => (int)status is 404 or 410 || (int)status is 400 && asked.Only == BodyFormat.AsStored,
            },
            (response, stopped) => CopyAsync(response, check, inFlight, stopped), cancellation);
    }

    /// <summary>Asks for bulk data.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="place">Path and query below its DICOMweb root.</param>
    /// <param name="inFlight">Receives the bytes.</param>
    /// <param name="cancellation">Ends the request.</param>
    public Task<BackendAnswer<EntryHead>> AskBulkDataAsync(
        BackendOptions backend, string place, InFlightBody inFlight, CancellationToken cancellation) =>
        client.AskAsync(
            backend, new(place, BulkDataAccept) { Scope = FailureScope.Study },
            (response, stopped) => CopyAsync(response, new BulkDataCheck(), inFlight, stopped), cancellation);

    private static async Task<EntryHead> CopyAsync(
        BackendResponse response, BodyCheck check, InFlightBody inFlight, CancellationToken cancellation)
    {
        var type = response.ContentType ?? check.TypeOfNone ?? throw new MalformedAnswerException("The answer has no type.");
        if (!type.IsMultipart)
        {
            var head = GetHead(type, type, response.Length);
            return await InFlightBodyCopy.SingleAsync(response.Body, head, check, response.IsEndProved, inFlight, cancellation);
        }
        using var multipart = response.OpenMultipart();
        var part = await multipart.ReadPartAsync(cancellation) ?? throw new MalformedAnswerException("A multipart answer has no part.");
        return await InFlightBodyCopy.PartAsync(multipart, GetHead(part.ContentType, type, part.Length), check, inFlight, cancellation);
    }

    /// <summary>What an answer says of its body. The part's own word goes before the whole's.</summary>
    /// <exception cref="MalformedAnswerException">It is not in the form of a media type or of a UID.</exception>
    internal static EntryHead GetHead(MediaType? part, MediaType whole, long? length)
    {
        var type = part?.Type ?? whole.Find("type")?.ToLowerInvariant() ?? MediaType.OctetStream;
        if (!MediaType.IsWellFormed(type)) throw new MalformedAnswerException("A part's type is no media type.");
        var transferSyntax = part?.Find("transfer-syntax") ?? whole.Find("transfer-syntax");
        // Some archives repeat the wildcard of the request: that names nothing.
        if (transferSyntax is BodyFormat.Any or "") transferSyntax = null;
        return transferSyntax is null || Uid.TryParse(transferSyntax, out _)
            ? new(type, transferSyntax, length)
            : throw new MalformedAnswerException("An answer's transfer syntax is no UID.");
    }
}
