using System.Buffers;
using System.Text;
using Proxy.Backends.PassThrough;
using Proxy.Dicom;
using Proxy.Wire;

namespace Proxy.Backends.DicomWeb;

/// <summary>Reads the answer of a backend to a request that stores instances: one dataset (PS3.18 §10.5.3, §I.2).</summary>
/// <remarks>
/// <code>
/// 1 bound      at most MaxBytes
/// 2 parse      one DICOM JSON object, or an array of one; or one NativeDicomModel without a DTD
/// 3 rewrite    Retrieve URLs at any depth, by BackendLinks; other addresses of the backend in texts, by BackendAddresses
/// </code>
/// A refusal (400, 413, 415) is valid without a dataset; with any other status, such a body is a malformed answer.
/// </remarks>
internal static class StoreResponse
{
    /// <summary>The longest accepted answer, in bytes: a hundred thousand instances.</summary>
    public const int MaxBytes = 64 << 20;

    private static readonly string[] XmlTypes = [MediaType.DicomXml, "application/xml", "text/xml"];

    /// <summary>Reads the answer.</summary>
    /// <param name="response">The response.</param>
    /// <param name="root">The DICOMweb root as the client addresses it.</param>
    /// <param name="destinations">The roots of the backend's destinations.</param>
    /// <param name="cancellation">Cancels the reading.</param>
    /// <exception cref="MalformedAnswerException">The body is not a dataset, and the status is not a refusal.</exception>
    public static async Task<StoreAnswer> ReadAsync(
        BackendResponse response, string root, IEnumerable<Uri> destinations, CancellationToken cancellation)
    {
        var status = (StoreStatus)(int)response.Status;
        try
        {
            var text = await ReadTextAsync(response.Body, cancellation);
            var host = Uri.TryCreate(root, UriKind.Absolute, out var uri) && !uri.IsFile ? uri.Authority : "";
            var addresses = new BackendAddresses(destinations, root, host);
            // Orthanc sends the dataset of a refusal without a type.
            var type = response.ContentType?.Type
                ?? (text.Span.TrimStart(" \t\r\n"u8) is [(byte)'<', ..] ? MediaType.DicomXml : MediaType.DicomJson);
            if (type is MediaType.DicomJson or "application/json")
                return await ReadJsonAsync(status, response, text, root, addresses, cancellation);
            if (XmlTypes.Contains(type)) return StoreResponseXml.Read(status, response, text, root, addresses);
            throw new MalformedAnswerException("The answer's type is not DICOM JSON or XML.");
        }
        catch (MalformedAnswerException) when (status is StoreStatus.Invalid or StoreStatus.TooLarge or StoreStatus.UnsupportedForm)
        {
            return new(status, "", default, []);
        }
    }

    private static async Task<StoreAnswer> ReadJsonAsync(
        StoreStatus status, BackendResponse response, ReadOnlyMemory<byte> text, string root, BackendAddresses addresses,
        CancellationToken cancellation)
    {
        // Some archives wrap the object in an array, as in a search.
        var isArray = text.Span.TrimStart(" \t\r\n"u8).StartsWith("["u8);
        using var stream = new MemoryStream(isArray ? text.ToArray() : [(byte)'[', .. text.Span, (byte)']']);
        Dataset? only = null;
        await foreach (var dataset in DicomJsonReader.ReadAsync(stream, cancellation))
        {
            if (only is not null) throw new MalformedAnswerException("The answer has more than one dataset.");
            only = dataset;
        }
        // The error document of a web server is JSON too, without any tag.
        if (only is null or { Attributes.IsEmpty: true, LeftOut: > 0 })
            throw new MalformedAnswerException("The answer is not a dataset.");
        var stored = response.Rewrite(only).Json;
        var written = new ArrayBufferWriter<byte>(stored.Length + 256);
        DicomJsonWriter.Write(written, stored.Span, Encoding.UTF8.GetBytes(root));
        // Latin-1 keeps every byte, and an address is ASCII.
        var changed = addresses.Rewrite(Encoding.Latin1.GetString(written.WrittenSpan));
        return new(status, MediaType.DicomJson, Encoding.Latin1.GetBytes(changed), FindInstances(stored.Span))
        {
            Unchanged = StoredInstances.FindUnchanged(stored.Span),
        };
    }

    private static List<InstancePath> FindInstances(ReadOnlySpan<byte> stored)
    {
        var found = new List<InstancePath>();
        for (int at; (at = stored.IndexOf(DicomJsonWriter.RootMark)) >= 0;)
        {
            stored = stored[(at + DicomJsonWriter.RootMark.Length)..];
            var end = stored.IndexOf((byte)'"');
            if (end >= 0 && FindInstance(Encoding.UTF8.GetString(stored[..end])) is { } path) found.Add(path);
        }
        return found;
    }

    /// <summary>The instance that a path names, such as <c>/studies/1.2/series/1.3/instances/1.4</c>; null for none.</summary>
    public static InstancePath? FindInstance(string path) =>
        path.Split('/') is ["", "studies", var s, "series", var e, "instances", var i, ..] && Uid.TryParse(s, out var study)
            && Uid.TryParse(e, out var series) && Uid.TryParse(i, out var instance) ? new(study, series, instance) : null;

    private static async Task<ReadOnlyMemory<byte>> ReadTextAsync(Stream body, CancellationToken cancellation)
    {
        var text = new ArrayBufferWriter<byte>();
        for (int count; (count = await body.ReadAsync(text.GetMemory(16 * 1024), cancellation)) > 0;)
        {
            text.Advance(count);
            if (text.WrittenCount > MaxBytes) throw new MalformedAnswerException($"The answer is longer than {MaxBytes} bytes.");
        }
        return text.WrittenMemory;
    }
}
