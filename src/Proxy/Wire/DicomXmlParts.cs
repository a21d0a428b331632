using System.Buffers;
using Proxy.Dicom;

namespace Proxy.Wire;

/// <summary>Writes datasets as a multipart answer, each as a part of DICOM XML (PS3.18 §8.7.3.2).</summary>
public static class DicomXmlParts
{
    /// <summary>The XML escapes line ends, so no line of it can be the delimiter: the boundary needs no random part.</summary>
    private static readonly MultipartWriter Parts = new("dicom-xml-part");

    /// <summary>The Content-Type of the answer.</summary>
    public static string ContentType { get; } =
        $"{MediaType.MultipartRelated}; type=\"{MediaType.DicomXml}\"; boundary={Parts.Boundary}";

    /// <summary>Writes the answer in pieces; nothing when there is no dataset.</summary>
    /// <param name="datasets">The datasets in DICOM JSON, with the URLs that the client gets.</param>
    public static IEnumerable<ReadOnlyMemory<byte>> Write(IEnumerable<ReadOnlyMemory<byte>> datasets)
    {
        var isFirst = true;
        foreach (var dataset in datasets)
        {
            var xml = new ArrayBufferWriter<byte>(2 * dataset.Length + 512);
            DicomXmlWriter.Write(xml, dataset.Span);
            yield return Parts.CreatePartHead(isFirst, MediaType.DicomXml, location: null, xml.WrittenCount);
            yield return xml.WrittenMemory;
            isFirst = false;
        }
        if (!isFirst) yield return Parts.End();
    }
}
