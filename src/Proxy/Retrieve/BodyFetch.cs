using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Wire;

namespace Proxy.Retrieve;

/// <summary>Asks a backend for one body (a frame, an instance, bulk data) and reads it into a fill, up to the proof that it is whole.</summary>
public sealed class BodyFetch(BackendClient client)
{
    /// <summary>Bulk data has one form: the accepted types only say how it may be wrapped.</summary>
    private const string BulkDataAccept = $"multipart/related; type=\"{MediaType.OctetStream}\", {MediaType.OctetStream};q=0.5, */*;q=0.1";

    /// <summary>Asks for a frame or an instance.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="place">Path below its DICOMweb root.</param>
    /// <param name="asked">The forms to ask for.</param>
    /// <param name="fill">Receives the bytes.</param>
    /// <param name="cancellation">Ends the request.</param>
    public Task<BackendAnswer<EntryHead>> AskAsync(BackendOptions backend, string place, AskedForms asked, Fill fill, CancellationToken cancellation) =>
        client.AskAsync(
            backend,
            // Archives answer 400 to a frame past the last one; the request itself is well formed.
            new(place, asked.Accept) { IsMissing = status => (int)status is 404 or 410 || (int)status is 400 && asked.Only == BodyFormat.AsStored },
            (response, stopped) => CopyAsync(response, asked, fill, stopped), cancellation);

    /// <summary>Asks for bulk data.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="place">Path and query below its DICOMweb root.</param>
    /// <param name="fill">Receives the bytes.</param>
    /// <param name="cancellation">Ends the request.</param>
    public Task<BackendAnswer<EntryHead>> AskBulkDataAsync(BackendOptions backend, string place, Fill fill, CancellationToken cancellation) =>
        client.AskAsync(backend, new(place, BulkDataAccept), (response, stopped) => CopyBulkDataAsync(response, fill, stopped), cancellation);

    private static async Task<EntryHead> CopyAsync(BackendResponse response, AskedForms asked, Fill fill, CancellationToken cancellation)
    {
        if (response.ContentType is { } single && !single.Is(MediaType.MultipartRelated)) return await CopySingleAsync(response, single, asked, fill, cancellation);
        using var multipart = response.OpenMultipart();
        var part = await multipart.ReadPartAsync(cancellation) ?? throw new MalformedAnswerException("A multipart answer has no part.");
        var head = HeadOf(part.ContentType ?? response.ContentType!, response.ContentType!, part.Length, asked);
        return await BodyCopy.PartToFillAsync(multipart, head, fill, cancellation);
    }

    private static Task<EntryHead> CopySingleAsync(BackendResponse response, MediaType type, AskedForms asked, Fill fill, CancellationToken cancellation) =>
        type.Type.StartsWith("text/", StringComparison.Ordinal) || type.Type.Contains("json", StringComparison.Ordinal)
            ? throw new MalformedAnswerException("The answer's type is not pixel data.")
            : BodyCopy.SingleToFillAsync(response.Body, HeadOf(type, type, response.Length, asked), fill, cancellation);

    /// <summary>The part's own word goes before the whole's; a frame in another transfer syntax than was asked for is none.</summary>
    private static EntryHead HeadOf(MediaType part, MediaType whole, long? length, AskedForms asked)
    {
        var type = part.Is(MediaType.MultipartRelated) ? part.Find("type") ?? MediaType.OctetStream : part.Type;
        var transferSyntax = part.Find("transfer-syntax") ?? whole.Find("transfer-syntax");
        if (transferSyntax is not null && !Uid.TryParse(transferSyntax, out _)) throw new MalformedAnswerException("A frame's transfer syntax is no UID.");
        if (transferSyntax is not null && !asked.AreMetBy(type, transferSyntax))
            throw new MalformedAnswerException("A frame came in another transfer syntax than was asked for.");
        return new(type, transferSyntax ?? (asked.Only is { TransferSyntax: not BodyFormat.Any } only ? only.TransferSyntax : null), length);
    }

    private static async Task<EntryHead> CopyBulkDataAsync(BackendResponse response, Fill fill, CancellationToken cancellation)
    {
        var type = response.ContentType ?? new MediaType(MediaType.OctetStream, []);
        CheckBulkData(type.Type);
        if (!type.Is(MediaType.MultipartRelated)) return await BodyCopy.SingleToFillAsync(response.Body, new(type.Type, type.Find("transfer-syntax"), response.Length), fill, cancellation);
        using var multipart = response.OpenMultipart();
        var part = await multipart.ReadPartAsync(cancellation) ?? throw new MalformedAnswerException("A multipart answer has no part.");
        var partType = part.ContentType?.Type ?? type.Find("type") ?? MediaType.OctetStream;
        CheckBulkData(partType);
        return await BodyCopy.PartToFillAsync(multipart, new(partType, part.ContentType?.Find("transfer-syntax"), part.Length), fill, cancellation);
    }

    /// <summary>A page is no value of an attribute, nor is an answer that describes studies: it has the backend's own address in it.</summary>
    private static void CheckBulkData(string type)
    {
        if (type.ToLowerInvariant() is "text/html" or "application/xhtml+xml" || type.EndsWith("json", StringComparison.OrdinalIgnoreCase))
            throw new MalformedAnswerException("The answer's type is not bulk data.");
    }
}
