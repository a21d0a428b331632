using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Wire;

namespace Proxy.Retrieve;

/// <summary>What an answer has around a body that is alone in it.</summary>
/// <param name="ContentType">Of the whole.</param>
/// <param name="Opening">What stands before the body.</param>
/// <param name="End">What stands behind it.</param>
public sealed record Wrapping(string ContentType, byte[] Opening, byte[] End)
{
    /// <summary>The body itself.</summary>
    public static Wrapping None(EntryHead head) => new(TypeOf(head), [], []);

    /// <summary>The one part of a multipart answer.</summary>
    public static Wrapping Multipart(string boundary, EntryHead head)
    {
        var writer = new MultipartWriter(boundary);
        return new(TypeOfMultipart(boundary, head), writer.PartHead(isFirst: true, TypeOf(head), head.Length), writer.End());
    }

    /// <summary>The type of a part or of a single body, with the transfer syntax that its bytes are in.</summary>
    public static string TypeOf(EntryHead head) => head.TransferSyntax is null ? head.MediaType : $"{head.MediaType}; transfer-syntax={head.TransferSyntax}";

    /// <summary>The type of the whole whose first part this is.</summary>
    public static string TypeOfMultipart(string boundary, EntryHead first) => $"{MediaType.MultipartRelated}; type=\"{first.MediaType}\"; boundary={boundary}";
}
