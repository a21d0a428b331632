using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Proxy.Demo.Http;

/// <summary>An answer of the demo PACS.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="ContentType">The content type.</param>
/// <param name="Length">The length of the body, known before the body is generated.</param>
/// <param name="Body">The pieces of the body, generated on demand.</param>
internal sealed record Answer(int Status, string ContentType, long Length, IEnumerable<ReadOnlyMemory<byte>> Body) : IResult
{
    // Like other PACS, do not escape non-ASCII names. Safe here, since these bytes are never embedded in HTML.
    private static readonly JsonWriterOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>An error with a reason as plain text.</summary>
    public static Answer Error(int status, string reason) => Create(status, "text/plain; charset=utf-8", Encoding.UTF8.GetBytes(reason));

    /// <summary>A JSON array of datasets, each with the URL of its resource (PS3.18 F.2).</summary>
    public static Answer Json(IEnumerable<(DemoDataset Dataset, string Url)> rows) =>
        Json(rows.Select(row => (Action<Utf8JsonWriter>)(json => row.Dataset.Write(json, row.Url))));

    /// <summary>A JSON array of datasets.</summary>
    public static Answer Json(IEnumerable<Action<Utf8JsonWriter>> datasets)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, Readable))
        {
            json.WriteStartArray();
            foreach (var write in datasets) write(json);
            json.WriteEndArray();
        }
        return Create(StatusCodes.Status200OK, "application/dicom+json", buffer.GetBuffer().AsMemory(0, (int)buffer.Length));
    }

    /// <inheritdoc/>
    public async Task ExecuteAsync(HttpContext httpContext)
    {
        httpContext.Response.StatusCode = Status;
        httpContext.Response.ContentType = ContentType;
        httpContext.Response.ContentLength = Length;
        var pace = httpContext.RequestServices.GetRequiredService<Pace>();
        foreach (var piece in Body)
            await pace.SendAsync(httpContext.Response.Body, piece, httpContext.RequestAborted);
    }

    /// <summary>An answer with a body in memory.</summary>
    public static Answer Create(int status, string contentType, ReadOnlyMemory<byte> body) =>
        new(status, contentType, body.Length, [body]);
}
