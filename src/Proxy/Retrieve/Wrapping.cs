using System.Security.Cryptography;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Wire;

namespace Proxy.Retrieve;

/// <summary>What an answer has around a body that is alone in it.</summary>
/// <param name="ContentType">Of the whole.</param>
/// <param name="Opening">What stands before the body.</param>
/// <param name="End">What stands behind it.</param>
public sealed record Wrapping(string ContentType, byte[] Opening, byte[] End)
{
    /// <summary>
    /// Between the parts of every answer: the same for one request again, so that a range of the answer stays meaningful, and
    /// random, so that no stored pixels contain it.
    /// </summary>
    public static readonly string Boundary = $"part-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16))}";

    private static readonly MultipartWriter Writer = new(Boundary);

    /// <summary>The body itself.</summary>
    public static Wrapping None(EntryHead head) => new(GetContentType(head), [], []);

    /// <summary>The one part of a multipart answer.</summary>
    /// <param name="head">Of the body.</param>
    /// <param name="location">The address of the body alone.</param>
    public static Wrapping Multipart(EntryHead head, string location) =>
        new(TypeOfMultipart(head), PartHead(isFirst: true, head, location), Writer.End());

    /// <summary>What stands before a part's body.</summary>
    /// <param name="isFirst">No part precedes it.</param>
    /// <param name="head">Of the body.</param>
    /// <param name="location">The address of the body alone.</param>
    public static byte[] PartHead(bool isFirst, EntryHead head, string location) =>
        Writer.PartHead(isFirst, GetContentType(head), location, head.Length);

    /// <summary>What stands behind the last part's body.</summary>
    public static byte[] EndOfParts() => Writer.End();

    /// <summary>The type of a part or of a single body, with the transfer syntax that its bytes are in.</summary>
    /// <remarks>Frames have no VR: one of an implicit instance is one in Explicit VR Little Endian (PS3.18 §8.7.3.3).</remarks>
    public static string GetContentType(EntryHead head)
    {
        var type = InertBody.GetContentType(head.MediaType);
        return head.TransferSyntax switch
        {
            null => type,
            TransferSyntax.ImplicitLittleEndian when type == MediaType.OctetStream => $"{type}; transfer-syntax={BodyFormat.ExplicitLittleEndian}",
            var syntax => $"{type}; transfer-syntax={syntax}",
        };
    }

    /// <summary>The type of the whole whose first part this is.</summary>
    public static string TypeOfMultipart(EntryHead first) =>
        $"{MediaType.MultipartRelated}; type=\"{InertBody.GetContentType(first.MediaType)}\"; boundary={Boundary}";
}
