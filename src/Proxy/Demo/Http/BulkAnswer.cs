using System.Text;

namespace Proxy.Demo.Http;

/// <summary>One body part.</summary>
/// <param name="Location">The URL of the part.</param>
/// <param name="Length">The length, in bytes.</param>
/// <param name="Bytes">Generates the bytes.</param>
internal sealed record BulkPart(string Location, long Length, Func<IEnumerable<byte[]>> Bytes);

/// <summary>Frames and bulk data as multipart/related, or as a single part if the client asks for it (PS3.18 8.6.1).</summary>
/// <remarks>
/// <code>
/// --boundary
/// Content-Type: application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1
/// Content-Length: 524288
/// Content-Location: http://127.0.0.1:49152/dicom-web/studies/…/frames/1
///
/// bytes
/// --boundary--
/// </code>
/// Each part is generated after the previous part is sent, so that memory never holds a whole long answer.
/// </remarks>
internal static class BulkAnswer
{
    private const string Boundary = "demo-pacs-5f0c2a9e7d414b6f8e13c6";
    private const string Single = "application/octet-stream";
    private const string Octets = "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1";

    private static readonly byte[] End = Encoding.ASCII.GetBytes($"--{Boundary}--\r\n");

    /// <summary>Creates the answer that the client accepts; 406 if it accepts neither form.</summary>
    public static Answer Create(string? accept, params BulkPart[] parts)
    {
        var types = string.IsNullOrWhiteSpace(accept)
            ? ["*/*"]
            : accept.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

        foreach (var type in types)
        {
            if (Names(type, "multipart/related") || Names(type, "*/*") || Names(type, "multipart/*"))
                return Multipart(parts);
            if (parts is [var only] && Names(type, Single))
                return new Answer(StatusCodes.Status200OK, Octets, only.Length, only.Bytes().Select(b => (ReadOnlyMemory<byte>)b));
        }
        return Answer.Error(StatusCodes.Status406NotAcceptable, $"This PACS answers multipart/related or {Single}.");
    }

    private static bool Names(string accepted, string type) =>
        accepted.Split(';')[0].TrimEnd().Equals(type, StringComparison.OrdinalIgnoreCase);

    /// <summary>A file as the only part of a multipart answer.</summary>
    public static Answer OfFile(BulkPart part) => Multipart([part], "application/dicom", "application/dicom");

    private static Answer Multipart(BulkPart[] parts, string type = Single, string partType = Octets)
    {
        var heads = parts.Select(part => Head(part, partType)).ToArray();
        var length = heads.Sum(head => head.LongLength) + parts.Sum(part => part.Length + 2) + End.Length;
        return new Answer(StatusCodes.Status200OK, $"multipart/related; type=\"{type}\"; boundary={Boundary}", length, Pieces());

        IEnumerable<ReadOnlyMemory<byte>> Pieces()
        {
            for (var i = 0; i < parts.Length; i++)
            {
                yield return heads[i];
                foreach (var bytes in parts[i].Bytes()) yield return bytes;
                yield return "\r\n"u8.ToArray();
            }
            yield return End;
        }
    }

    private static byte[] Head(BulkPart part, string type) => Encoding.ASCII.GetBytes(
        $"--{Boundary}\r\nContent-Type: {type}\r\nContent-Length: {part.Length}\r\nContent-Location: {part.Location}\r\n\r\n");
}
