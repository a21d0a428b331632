using System.Text.Json;
using Proxy.Dicom;
using Proxy.Wire;

namespace Proxy.Demo.Http;

/// <summary>STOW-RS of DICOM files (PS3.18 10.5).</summary>
internal sealed class DemoStore(DemoHolding holding, Func<string> root)
{
    /// <summary>The limit of one file, in bytes.</summary>
    private const int MaxFileBytes = 64 << 20;

    /// <summary>Failure reasons (PS3.18 Table I.2-2).</summary>
    private const int OutOfResources = 0xA700, WrongStudy = 0xA900, NotReadable = 0xC000;

    /// <summary>What became of one file.</summary>
    /// <param name="Path">The instance; null for a file that cannot be read.</param>
    /// <param name="Reason">The failure reason; null for a stored file.</param>
    private sealed record Outcome(InstancePath? Path, int? Reason);

    /// <summary>Stores the files of a request.</summary>
    /// <param name="request">The request.</param>
    /// <param name="study">The study that the files must belong to; null for any.</param>
    public async Task<Answer> StoreAsync(HttpRequest request, string? study)
    {
        var type = MediaType.Parse(request.ContentType);
        if (type?.Is(MediaType.MultipartRelated) != true || MediaType.Parse(type.Find("type"))?.Is(BodyFormat.Dicom) == false)
            return Answer.Error(
                StatusCodes.Status415UnsupportedMediaType, "This PACS stores multipart/related; type=\"application/dicom\".");
        var outcomes = new List<Outcome>();
        try
        {
            using var parts = new MultipartReader(request.Body, type.Find("boundary"));
            while (await parts.ReadPartAsync(request.HttpContext.RequestAborted) is not null)
                outcomes.Add(Store(await ReadAsync(parts, request.HttpContext.RequestAborted), study));
        }
        catch (MalformedAnswerException)
        {
            return Answer.Error(StatusCodes.Status400BadRequest, "The body is no complete multipart message.");
        }
        var failed = outcomes.Count(outcome => outcome.Reason is not null);
        var status = failed == 0 ? StatusCodes.Status200OK
            : failed < outcomes.Count ? StatusCodes.Status202Accepted : StatusCodes.Status409Conflict;
        return Answer.Create(status, "application/dicom+json", Describe(outcomes));
    }

    private Outcome Store(byte[]? bytes, string? study)
    {
        if (bytes is null) return new(null, OutOfResources);
        if (DemoFile.Read(bytes, root()) is not { } file) return new(null, NotReadable);
        if (study is not null && $"{file.Path.Study}" != study) return new(file.Path, WrongStudy);
        return new(file.Path, holding.TryAdd(file) ? null : OutOfResources);
    }

    /// <summary>The bytes of a part; null when there are too many.</summary>
    private static async Task<byte[]?> ReadAsync(MultipartReader parts, CancellationToken cancellation)
    {
        using var bytes = new MemoryStream();
        var piece = new byte[64 * 1024];
        for (int count; (count = await parts.ReadBodyAsync(piece, cancellation)) > 0;)
        {
            if (bytes.Length + count <= MaxFileBytes) bytes.Write(piece, 0, count);
            else bytes.SetLength(MaxFileBytes);
        }
        return bytes.Length < MaxFileBytes ? bytes.ToArray() : null;
    }

    /// <summary>The dataset of the answer (PS3.18 Table 10.5.3-2).</summary>
    private byte[] Describe(List<Outcome> outcomes)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            WriteItems(json, "00081198", outcomes.Where(outcome => outcome.Reason is not null));
            WriteItems(json, "00081199", outcomes.Where(outcome => outcome.Reason is null));
            json.WriteEndObject();
        }
        return buffer.ToArray();
    }

    private void WriteItems(Utf8JsonWriter json, string sequence, IEnumerable<Outcome> outcomes)
    {
        if (!outcomes.Any()) return;
        json.WriteStartObject(sequence);
        json.WriteString("vr", "SQ");
        json.WriteStartArray("Value");
        foreach (var (path, reason) in outcomes)
        {
            json.WriteStartObject();
            if (path is { } instance)
            {
                WriteAttribute(json, "00081155", "UI", () => json.WriteStringValue($"{instance.Instance}"));
                WriteAttribute(json, "00081190", "UR", () => json.WriteStringValue($"{root()}/{instance}"));
            }
            if (reason is { } number) WriteAttribute(json, "00081197", "US", () => json.WriteNumberValue(number));
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteAttribute(Utf8JsonWriter json, string tag, string vr, Action writeValue)
    {
        json.WriteStartObject(tag);
        json.WriteString("vr", vr);
        json.WriteStartArray("Value");
        writeValue();
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
