using System.Text.Json;
using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Retrieve;
using Proxy.Wire;

namespace Proxy.Rendering.Making;

/// <summary>Reads the PDF document inside an instance (PS3.3 §A.45.1): exactly its bytes.</summary>
/// <remarks>
/// The value of an attribute has an even number of bytes, so one zero byte behind the document may be padding (PS3.5 §6.2). No PDF ends
/// with a zero byte (ISO 32000-1 §7.5.5).
/// </remarks>
internal sealed class DocumentReader(EntryCache cache, BulkDataReader bulkData, BackendSet backends, RenderableInstances instances)
{
    public const string MediaType = "application/pdf";

    private const uint EncapsulatedDocument = 0x00420011;

    /// <summary>A document up to this size in bytes has a known length from the start; a larger one is sent as it arrives.</summary>
    private const int MaxHeldBytes = 16 << 20;

    private static readonly BulkDataForms AnyForm = BulkDataForms.Read(Accept.Parse(null));

    /// <summary>Reads the document for a client.</summary>
    /// <param name="backend">The owner of the series.</param>
    /// <param name="path">The instance.</param>
    /// <param name="cancellation">Cancelled when the client disconnects.</param>
    public Task<BodyResult> ReadAsync(string backend, InstancePath path, CancellationToken cancellation)
    {
        var key = new EntryKey(backend, $"{path}/rendered", new BodyFormat(MediaType, ""));
        // The value itself is cached on disk.
        var lookup = cache.Get(key, (inFlight, stopped) => CopyAsync(backend, path, inFlight, stopped), Placement.MemoryOnly);
        return BodyResult.FromLookupAsync(lookup, backend, cancellation);
    }

    private async Task<BackendAnswer<EntryHead>> CopyAsync(
        string backend, InstancePath path, InFlightBody inFlight, CancellationToken cancellation)
    {
        if (backends.Find(backend) is not { } options) return new() { IsMissing = true };
        var (link, inline) = FindValue(backend, path);
        if (inline is not null) return await SendAsync(backend, inline, inFlight, cancellation);
        using var result = await ReadValueAsync(options, path, link, cancellation);
        if (result.Body is not { } body) return result.Failures.Count > 0 ? new(result.Failures[0]) : new() { IsMissing = true };
        try
        {
            var start = new MemoryStream();
            ReadOnlyMemory<byte> piece;
            while (!(piece = await body.ReadAsync(cancellation)).IsEmpty && start.Length + piece.Length <= MaxHeldBytes)
                start.Write(piece.Span);
            return piece.IsEmpty
                ? await SendAsync(backend, start.ToArray(), inFlight, cancellation)
                : await StreamAsync(backend, [.. start.ToArray(), .. piece.Span], body, inFlight, cancellation);
        }
        catch (TruncatedBodyException)
        {
            return new(new BackendFailure(backend, BackendError.BadAnswer, "the document was truncated"));
        }
    }

    private static async Task<BackendAnswer<EntryHead>> SendAsync(
        string backend, byte[] value, InFlightBody inFlight, CancellationToken cancellation)
    {
        if (!IsPdf(value)) return new(NoPdf(backend));
        var document = new RenderedFile(MediaType, value.AsMemory(0, value[^1] == 0 ? value.Length - 1 : value.Length));
        return new(await document.CopyToAsync(inFlight, cancellation));
    }

    /// <summary>Sends a document while it arrives; its last byte waits until the end is known.</summary>
    private static async Task<BackendAnswer<EntryHead>> StreamAsync(
        string backend, byte[] start, IBody rest, InFlightBody inFlight, CancellationToken cancellation)
    {
        if (!IsPdf(start)) return new(NoPdf(backend));
        inFlight.Begin(new(MediaType, null, null));
        inFlight.Open();
        await inFlight.WriteAsync(start.AsMemory(..^1), cancellation);
        var last = new byte[] { start[^1] };
        var length = start.LongLength;
        for (ReadOnlyMemory<byte> piece; !(piece = await rest.ReadAsync(cancellation)).IsEmpty; length += piece.Length)
        {
            await inFlight.WriteAsync(last, cancellation);
            await inFlight.WriteAsync(piece[..^1], cancellation);
            last[0] = piece.Span[^1];
        }
        if (last[0] == 0) return new(new EntryHead(MediaType, null, length - 1));
        await inFlight.WriteAsync(last, cancellation);
        return new(new EntryHead(MediaType, null, length));
    }

    private static bool IsPdf(ReadOnlySpan<byte> value) => Codestream.FindType(value) == MediaType;

    private static BackendFailure NoPdf(string backend) =>
        new(backend, BackendError.NotInThisForm, "the document in the object is no PDF");

    private (BulkDataPath? Link, byte[]? Inline) FindValue(string backend, InstancePath path)
    {
        if (instances.FindJson(backend, path) is not { } json) return default;
        for (var cursor = new DatasetCursor(json.Span); cursor.MoveNext();)
        {
            if (cursor is not { Node: DatasetNode.Element, Depth: 0 } || cursor.Tag.Value != EncapsulatedDocument) continue;
            if (cursor.Value is not (ElementValue.BulkData or ElementValue.Inline)) return default;
            var text = ReadText(cursor.Text);
            if (cursor.Value == ElementValue.Inline) return (null, ReadBase64(text));
            return (BulkDataPath.TryReadLink(text, out var link) ? link : null, null);
        }
        return default;
    }

    private static string ReadText(ReadOnlySpan<byte> json)
    {
        try
        {
            return JsonSerializer.Deserialize<string>(json) ?? "";
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // An escape of half a character.
            return "";
        }
    }

    private static byte[]? ReadBase64(string text)
    {
        var value = new byte[text.Length / 4 * 3 + 3];
        return Convert.TryFromBase64String(text, value, out var count) && count > 0 ? value[..count] : null;
    }

    /// <summary>The value by the link of the metadata; else cut out of the instance, which every archive gives.</summary>
    private async Task<BodyResult> ReadValueAsync(
        BackendOptions backend, InstancePath path, BulkDataPath? link, CancellationToken cancellation)
    {
        if (link is not null)
        {
            var result = await bulkData.ReadAsync(backend, link, AnyForm, cancellation);
            if (result.Body is not null) return result;
            result.Dispose();
        }
        var inFile = new BulkDataPath(backend.Name, path.ToString(), $"#{new Tag(EncapsulatedDocument)}");
        return await bulkData.ReadAsync(backend, inFile, AnyForm, cancellation);
    }
}
