using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Proxy.Demo.Http;

/// <summary>What the demo PACS says to one request. The length is known before the first byte of the body is made.</summary>
internal sealed record Answer(int Status, string ContentType, long Length, IEnumerable<ReadOnlyMemory<byte>> Body) : IResult
{
    // Names stay readable in the body, as other PACS write them; nobody puts these bytes into HTML.
    private static readonly JsonWriterOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static Answer Error(int status, string reason) => Create(status, "text/plain; charset=utf-8", Encoding.UTF8.GetBytes(reason));

    /// <summary>A JSON array of datasets, each with the address of what it describes (PS3.18 F.2).</summary>
    public static Answer Json(IEnumerable<(DemoDataset Dataset, string Url)> rows)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, Readable))
        {
            json.WriteStartArray();
            foreach (var (dataset, url) in rows) dataset.Write(json, url);
            json.WriteEndArray();
        }
        return Create(StatusCodes.Status200OK, "application/dicom+json", buffer.GetBuffer().AsMemory(0, (int)buffer.Length));
    }

    public async Task ExecuteAsync(HttpContext httpContext)
    {
        httpContext.Response.StatusCode = Status;
        httpContext.Response.ContentType = ContentType;
        httpContext.Response.ContentLength = Length;
        var pace = httpContext.RequestServices.GetRequiredService<Pace>();
        foreach (var piece in Body)
            await pace.SendAsync(httpContext.Response.Body, piece, httpContext.RequestAborted);
    }

    private static Answer Create(int status, string contentType, ReadOnlyMemory<byte> body) =>
        new(status, contentType, body.Length, [body]);
}
