using System.Runtime.CompilerServices;
using Proxy.Backends.Transport;
using Proxy.Dicom;
using Proxy.Metadata;
using Proxy.Wire;

namespace Proxy.Backends;

/// <summary>A backend's 200, with its body as it arrives: unpacked, timed, and what its type promises or an error.</summary>
public sealed class BackendResponse : IAsyncDisposable
{
    private readonly BackendLinks _links;
    private readonly Stream _body;

    private BackendResponse(MediaType? contentType, long? length, Stream body, BackendLinks links, HttpResponseMessage response)
    {
        ContentType = contentType;
        Length = length;
        IsEndProved = length is not null || body is GzipStream
            || response.Headers.TransferEncodingChunked == true || response.Version.Major >= 2;
        var etag = Find(response.Headers.NonValidated, "ETag");
        var modified = Find(response.Content.Headers.NonValidated, "Last-Modified");
        Validators = etag is null && modified is null ? null : new(etag, modified);
        Warnings = response.Headers.NonValidated.TryGetValues("Warning", out var warnings) ? [.. warnings] : [];
        _body = body;
        _links = links;
    }

    /// <summary>Read leniently from the raw header; null when there is none.</summary>
    public MediaType? ContentType { get; }

    /// <summary>Bytes of the body, when they were declared and it is not packed.</summary>
    public long? Length { get; }

    /// <summary>
    /// A body that is cut shows as an error, whatever its length: it has one, comes in chunks (RFC 9112 §7.1) or in frames
    /// of HTTP/2, or is packed with a trailer. One that ends with its connection does not.
    /// </summary>
    public bool IsEndProved { get; }

    /// <summary>By what it can be asked later whether this still holds; null when the backend gives nothing.</summary>
    public Validators? Validators { get; }

    /// <summary>Its <c>Warning</c> headers as they stand.</summary>
    public IReadOnlyList<string> Warnings { get; }

    /// <summary>The body, timed and unpacked.</summary>
    public Stream Body => _body;

    internal static async Task<BackendResponse> OpenAsync(
        HttpResponseMessage response, BackendOptions backend, TimeProvider time, CancellationToken cancellation)
    {
        var headers = response.Content.Headers.NonValidated;
        var length = ReadLength(headers);
        Stream body = new TimedStream(await response.Content.ReadAsStreamAsync(cancellation), backend.Timeout, time, cancellation);
        var encoding = headers.TryGetValues("Content-Encoding", out var encodings) ? encodings.ToString().Trim() : "";
        // The older name of the same coding (RFC 9110 §8.4.1.3).
        if (encoding.Equals("gzip", StringComparison.OrdinalIgnoreCase) || encoding.Equals("x-gzip", StringComparison.OrdinalIgnoreCase))
            (body, length) = (new GzipStream(body), null);
        else if (encoding is not ""
            && !encoding.Equals("identity", StringComparison.OrdinalIgnoreCase)) throw new MalformedAnswerException(
                "The answer is packed in a way that was not asked for.");
        var type = headers.TryGetValues("Content-Type", out var types) ? MediaType.Parse(types.ToString()) : null;
        return new(type, length, body, new BackendLinks(backend.Name, backend.Address, response.RequestMessage!.RequestUri!), response);
    }

    /// <summary>Reads the datasets of a DICOM JSON answer, their URLs already the proxy's.</summary>
    /// <exception cref="MalformedAnswerException">It is not DICOM JSON, whole to its last bracket.</exception>
    public IAsyncEnumerable<Dataset> ReadDatasetsAsync(CancellationToken cancellation) =>
        ReadAsync(body => DicomJsonReader.ReadAsync(body, cancellation), cancellation);

    /// <summary>
    /// Reads the rows of a search, each to be looked at until the next is asked for. They have no Retrieve URL: that is the proxy's to say.
    /// </summary>
    /// <exception cref="MalformedAnswerException">It is not DICOM JSON, whole to its last bracket.</exception>
    public IAsyncEnumerable<Dataset> ReadRowsAsync(CancellationToken cancellation) =>
        ReadAsync(body => DicomJsonReader.ReadRowsAsync(body, without: Tag.RetrieveUrl, cancellation), cancellation);

    private async IAsyncEnumerable<Dataset> ReadAsync(
        Func<Stream, IAsyncEnumerable<Dataset>> read, [EnumeratorCancellation] CancellationToken cancellation)
    {
        // A log-in page comes as 200 text/html.
        if (ContentType is not { Type: MediaType.DicomJson or "application/json" })
            throw new MalformedAnswerException("The answer's type is not DICOM JSON.");
        await foreach (var dataset in read(_body).WithCancellation(cancellation)) yield return _links.Rewrite(dataset);
    }

    /// <summary>Reads the parts of a multipart answer.</summary>
    /// <exception cref="MalformedAnswerException">It is not multipart.</exception>
    public MultipartReader OpenMultipart() =>
        ContentType is { IsMultipart: true } type
            ? new MultipartReader(_body, type.Find("boundary"))
            : throw new MalformedAnswerException("The answer's type is not multipart.");

    public ValueTask DisposeAsync() => _body.DisposeAsync();

    private static string? Find(System.Net.Http.Headers.HttpHeadersNonValidated headers, string name) =>
        headers.TryGetValues(name, out var values) && values.ToString() is { Length: > 0 and < 1024 } text && !text.Any(char.IsControl)
            ? text
            : null;

    /// <summary>Two lengths that differ, or one that is no number, make the framing a guess (RFC 9112 §6.3).</summary>
    private static long? ReadLength(System.Net.Http.Headers.HttpHeadersNonValidated headers)
    {
        if (!headers.TryGetValues("Content-Length", out var lengths)) return null;
        var values = lengths.SelectMany(v => v.Split(',', StringSplitOptions.TrimEntries)).Distinct().ToList();
        return values.Count == 1
            && long.TryParse(
                values[0], System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var length)
            ? length
            : throw new MalformedAnswerException("The answer's lengths contradict each other.");
    }
}
