using System.Net;
using System.Runtime.CompilerServices;
using Proxy.Backends.Transport;
using Proxy.Dicom;
using Proxy.Metadata;
using Proxy.Wire;

namespace Proxy.Backends.DicomWeb;

/// <summary>An answer of a backend with its body as a stream: decompressed, under a timeout, and checked against its media type.</summary>
public sealed class BackendResponse : IAsyncDisposable
{
    private readonly BackendLinks _links;
    private readonly Stream _body;

    private BackendResponse(MediaType? contentType, long? length, Stream body, BackendLinks links, HttpResponseMessage response)
    {
        ContentType = contentType;
        Length = length;
        IsTruncationDetectable = length is not null || body is GzipStream
            || response.Headers.TransferEncodingChunked == true || response.Version.Major >= 2;
        var etag = Find(response.Headers.NonValidated, "ETag");
        var modified = Find(response.Content.Headers.NonValidated, "Last-Modified");
        Validators = etag is null && modified is null ? null : new(etag, modified);
        Warnings = response.Headers.NonValidated.TryGetValues("Warning", out var warnings) ? [.. warnings] : [];
        Server = Find(response.Headers.NonValidated, "Server");
        Status = response.StatusCode;
        _body = body;
        _links = links;
    }

    /// <summary>The status: 200, unless the request accepts others (<see cref="BackendRequest.IsAnswer"/>).</summary>
    public HttpStatusCode Status { get; }

    /// <summary>The media type, parsed leniently; null when the answer has none.</summary>
    public MediaType? ContentType { get; }

    /// <summary>The declared length of the body in bytes; null when it is unknown or the body is compressed.</summary>
    public long? Length { get; }

    /// <summary>
    /// True when a truncated body is an error: it has a declared length, is chunked (RFC 9112 §7.1), arrives in HTTP/2 frames,
    /// or is compressed with a trailer. False for a body that ends with its connection.
    /// </summary>
    public bool IsTruncationDetectable { get; }

    /// <summary>The validators for a later conditional request; null when the backend sent none.</summary>
    public Validators? Validators { get; }

    /// <summary>The product that answered (RFC 9110 §10.2.4); null when the backend does not tell it.</summary>
    public string? Server { get; }

    /// <summary>The <c>Warning</c> headers, unparsed.</summary>
    public IReadOnlyList<string> Warnings { get; }

    /// <summary>The decompressed body; a slow read throws <see cref="TimeoutException"/>.</summary>
    public Stream Body => _body;

    internal static async Task<BackendResponse> OpenAsync(
        HttpResponseMessage response, BackendOptions backend, TimeProvider time, CancellationToken cancellation)
    {
        var headers = response.Content.Headers.NonValidated;
        var length = ReadLength(headers);
        Stream body = new TimedStream(await response.Content.ReadAsStreamAsync(cancellation), backend.Timeout, time, cancellation);
        var encoding = headers.TryGetValues("Content-Encoding", out var encodings) ? encodings.ToString().Trim() : "";
        // x-gzip is the older name of gzip (RFC 9110 §8.4.1.3).
        if (encoding.Equals("gzip", StringComparison.OrdinalIgnoreCase) || encoding.Equals("x-gzip", StringComparison.OrdinalIgnoreCase))
            (body, length) = (new GzipStream(body), null);
        else if (encoding is not "" && !encoding.Equals("identity", StringComparison.OrdinalIgnoreCase))
            throw new MalformedAnswerException("The answer has a content coding that was not requested.");
        var type = headers.TryGetValues("Content-Type", out var types) ? MediaType.Parse(types.ToString()) : null;
        return new(type, length, body, new BackendLinks(backend.Name, backend.Address, response.RequestMessage!.RequestUri!), response);
    }

    /// <summary>Reads the datasets of a DICOM JSON answer; URLs of the backend are replaced with the proxy's.</summary>
    /// <exception cref="MalformedAnswerException">The body is not complete DICOM JSON.</exception>
    public IAsyncEnumerable<Dataset> ReadDatasetsAsync(CancellationToken cancellation) =>
        ReadAsync(body => DicomJsonReader.ReadAsync(body, cancellation), cancellation);

    /// <summary>
    /// Reads the rows of a search; a row is valid until the next one is read. The Retrieve URL is removed, because the proxy writes
    /// its own.
    /// </summary>
    /// <exception cref="MalformedAnswerException">The body is not complete DICOM JSON.</exception>
    public IAsyncEnumerable<Dataset> ReadRowsAsync(CancellationToken cancellation) =>
        ReadAsync(body => DicomJsonReader.ReadRowsAsync(body, without: Tag.RetrieveUrl, cancellation), cancellation);

    private async IAsyncEnumerable<Dataset> ReadAsync(
        Func<Stream, IAsyncEnumerable<Dataset>> read, [EnumeratorCancellation] CancellationToken cancellation)
    {
        // A login page arrives as 200 text/html. A web server sends a file without an extension as a stream of bytes.
        if (ContentType is not { Type: MediaType.DicomJson or "application/json" or MediaType.OctetStream })
            throw new MalformedAnswerException("The answer's type is not DICOM JSON.");
        await foreach (var dataset in read(_body).WithCancellation(cancellation)) yield return _links.Rewrite(dataset);
    }

    /// <summary>The same dataset with the backend's URLs under <see cref="DicomJsonWriter.RootMark"/>.</summary>
    public Dataset Rewrite(Dataset dataset) => _links.Rewrite(dataset);

    /// <inheritdoc cref="BackendLinks.FindResource(string)"/>
    public string FindResource(string text) => _links.FindResource(text);

    /// <summary>Reads the parts of a multipart answer.</summary>
    /// <exception cref="MalformedAnswerException">The answer is not multipart.</exception>
    public MultipartReader OpenMultipart() =>
        ContentType is { IsMultipart: true } type
            ? new MultipartReader(_body, type.Find("boundary"))
            : throw new MalformedAnswerException("The answer's type is not multipart.");

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _body.DisposeAsync();

    private static string? Find(System.Net.Http.Headers.HttpHeadersNonValidated headers, string name) =>
        headers.TryGetValues(name, out var values) && values.ToString() is { Length: > 0 and < 1024 } text && !text.Any(char.IsControl)
            ? text
            : null;

    /// <summary>Two different lengths, or an invalid one, leave the framing undefined (RFC 9112 §6.3).</summary>
    private static long? ReadLength(System.Net.Http.Headers.HttpHeadersNonValidated headers)
    {
        if (!headers.TryGetValues("Content-Length", out var lengths)) return null;
        var values = lengths.SelectMany(v => v.Split(',', StringSplitOptions.TrimEntries)).Distinct().ToList();
        return values.Count == 1
            && long.TryParse(
                values[0], System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var length)
            ? length
            : throw new MalformedAnswerException("The Content-Length of the answer is invalid.");
    }
}
