using System.Security.Cryptography;
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
    /// <summary>
    /// The boundary of every answer: constant, so that ranges of a repeated answer fit together, and random, so that no stored pixels
    /// contain it.
    /// </summary>
    public static readonly string Boundary = $"part-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16))}";

    private static readonly MultipartWriter Writer = new(Boundary);

    /// <summary>True when the body is a part of a multipart answer.</summary>
    public bool IsMultipart => Opening.Length > 0;

    /// <summary>The body alone, not multipart.</summary>
    public static Wrapping None(EntryHead head) => new(GetContentType(head), [], []);

    /// <summary>The body as the only part of a multipart answer.</summary>
    /// <param name="head">The head of the body.</param>
    /// <param name="location">The address of the body alone.</param>
    public static Wrapping Multipart(EntryHead head, string location) =>
        new(GetMultipartType(head), CreatePartHead(isFirst: true, head, location), Writer.End());

    /// <summary>The delimiter and headers in front of a part's body.</summary>
    /// <param name="isFirst">True for the first part.</param>
    /// <param name="head">The head of the body.</param>
    /// <param name="location">The address of the body alone.</param>
    public static byte[] CreatePartHead(bool isFirst, EntryHead head, string location) =>
        Writer.CreatePartHead(isFirst, GetContentType(head), location, head.Length);

    /// <summary>The closing delimiter, behind the last part's body.</summary>
    public static byte[] EndOfParts() => Writer.End();

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

    /// <summary>The Content-Type of a multipart answer with this first part.</summary>
    public static string GetMultipartType(EntryHead first) =>
        $"{MediaType.MultipartRelated}; type=\"{InertBody.GetContentType(first.MediaType)}\"; boundary={Boundary}";
}
