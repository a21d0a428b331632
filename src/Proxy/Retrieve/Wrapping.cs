using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Wire;

namespace Proxy.Retrieve;

/// <summary>The headers and delimiters around the only body of an answer.</summary>
/// <param name="ContentType">The Content-Type of the answer.</param>
/// <param name="Opening">The bytes in front of the body.</param>
/// <param name="End">The bytes behind the body.</param>
public sealed record Wrapping(string ContentType, byte[] Opening, byte[] End)
{
    /// <summary>True for a verified document that a browser may show; every other body is saved only.</summary>
    public bool IsShown { get; init; }

    /// <summary>True when the body is a part of a multipart answer.</summary>
    public bool IsMultipart => Opening.Length > 0;

    /// <summary>The body alone, not multipart.</summary>
    public static Wrapping None(EntryHead head) => new(GetContentType(head), [], []);

    /// <summary>The body as the only part of a multipart answer with a boundary of its own.</summary>
    /// <param name="head">The head of the body.</param>
    /// <param name="location">The address of the body alone.</param>
    public static Wrapping Multipart(EntryHead head, string location)
    {
        var writer = MultipartWriter.CreateRandom();
        return new(GetMultipartType(writer, head), CreatePartHead(writer, isFirst: true, head, location), writer.End());
    }

    /// <summary>The delimiter and headers in front of a part's body.</summary>
    /// <param name="writer">Writes the answer.</param>
    /// <param name="isFirst">True for the first part.</param>
    /// <param name="head">The head of the body.</param>
    /// <param name="location">The address of the body alone.</param>
    public static byte[] CreatePartHead(MultipartWriter writer, bool isFirst, EntryHead head, string location) =>
        writer.CreatePartHead(isFirst, GetContentType(head), location, head.Length);

    /// <summary>The Content-Type of a part or of a single body, with its transfer syntax.</summary>
    /// <remarks>Frames have no VR: a frame of an implicit instance counts as Explicit VR Little Endian (PS3.18 §8.7.3.3).</remarks>
    public static string GetContentType(EntryHead head)
    {
        var type = InertBody.GetContentType(head.MediaType);
        return head.TransferSyntax switch
        {
            null => type,
            TransferSyntax.ImplicitLittleEndian when type == MediaType.OctetStream =>
                $"{type}; transfer-syntax={BodyFormat.ExplicitLittleEndian}",
            var syntax => $"{type}; transfer-syntax={syntax}",
        };
    }

    /// <summary>The Content-Type of a multipart answer.</summary>
    /// <param name="writer">Writes the answer.</param>
    /// <param name="first">The head of its first part.</param>
    public static string GetMultipartType(MultipartWriter writer, EntryHead first) =>
        $"{MediaType.MultipartRelated}; type=\"{InertBody.GetContentType(first.MediaType)}\"; boundary={writer.Boundary}";
}
