using System.Text;
using System.Xml;
using Proxy.Backends.PassThrough;
using Proxy.Dicom;
using Proxy.Wire;

namespace Proxy.Backends.DicomWeb;

/// <summary>Reads an answer in XML (PS3.19 §A.1): copies elements, attributes and text, with other URLs.</summary>
/// <remarks>Comments, processing instructions and DTDs are not copied: a browser would run a style sheet.</remarks>
internal static class StoreResponseXml
{
    private const int MaxDepth = 256;

    private static readonly XmlReaderSettings ReaderSettings = new()
    {
        DtdProcessing = DtdProcessing.Prohibit,
        XmlResolver = null,
        IgnoreComments = true,
        IgnoreProcessingInstructions = true,
        MaxCharactersInDocument = StoreResponse.MaxBytes,
    };

    private static readonly XmlWriterSettings WriterSettings = new() { Encoding = new UTF8Encoding(false) };

    /// <inheritdoc cref="StoreResponse.ReadAsync"/>
    public static StoreAnswer Read(
        StoreStatus status, BackendResponse response, ReadOnlyMemory<byte> text, string root, BackendAddresses addresses)
    {
        var instances = new List<InstancePath>();
        using var output = new MemoryStream();
        try
        {
            using var input = new MemoryStream(text.ToArray());
            using var reader = XmlReader.Create(input, ReaderSettings);
            using var writer = XmlWriter.Create(output, WriterSettings);
            if (reader.MoveToContent() != XmlNodeType.Element || reader.LocalName != "NativeDicomModel")
                throw new MalformedAnswerException("The answer is not a NativeDicomModel (PS3.19 §A.1).");
            Copy(reader, writer, Rewrite);
        }
        catch (XmlException e)
        {
            throw new MalformedAnswerException("The answer is not XML without a DTD.", e);
        }
        return new(status, MediaType.DicomXml, output.ToArray(), instances);

        string Rewrite(string value, bool isUrl)
        {
            if (!isUrl) return addresses.Rewrite(value);
            var path = response.FindResource(value);
            if (StoreResponse.FindInstance(path) is { } instance) instances.Add(instance);
            return root + path;
        }
    }

    private static void Copy(XmlReader reader, XmlWriter writer, Func<string, bool, string> rewrite)
    {
        // The tags of the open elements; null for elements other than DicomAttribute.
        var tags = new Stack<string?>();
        do
        {
            switch (reader.NodeType)
            {
                case XmlNodeType.Element:
                    if (tags.Count >= MaxDepth) throw new MalformedAnswerException("The answer is nested too deeply.");
                    writer.WriteStartElement(reader.Prefix, reader.LocalName, reader.NamespaceURI);
                    var isEmpty = reader.IsEmptyElement;
                    tags.Push(reader.LocalName == "DicomAttribute" ? reader.GetAttribute("tag") : null);
                    while (reader.MoveToNextAttribute())
                    {
                        writer.WriteAttributeString(
                            reader.Prefix, reader.LocalName, reader.NamespaceURI,
                            reader.LocalName == "uri" ? rewrite(reader.Value, true) : rewrite(reader.Value, false));
                    }
                    if (!isEmpty) break;
                    writer.WriteEndElement();
                    tags.Pop();
                    break;
                case XmlNodeType.EndElement:
                    writer.WriteFullEndElement();
                    tags.Pop();
                    break;
                case XmlNodeType.Text or XmlNodeType.CDATA or XmlNodeType.SignificantWhitespace or XmlNodeType.Whitespace:
                    var isUrl = tags.TryPeek(out var own) && own is null && tags.ElementAtOrDefault(1) == $"{Tag.RetrieveUrl}";
                    writer.WriteString(isUrl && !string.IsNullOrWhiteSpace(reader.Value)
                        ? rewrite(reader.Value.Trim(), true)
                        : rewrite(reader.Value, false));
                    break;
                default:
                    break;
            }
        }
        while (reader.Read() && tags.Count > 0);
    }
}
