using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Xml;

namespace Proxy.Capabilities;

/// <summary>The Capabilities Description of a DICOMweb root: a WADL document, in XML or in JSON (PS3.18 Annex H).</summary>
/// <remarks>
/// <code>
/// application ─ resources base="http://…/dicomweb"
///                 └ resource path="studies" ─ method name="GET" id="SearchForStudies" ─ request ─ param
///                     └ resource path="{study}" …                                     └ response status="200" ─ representation
/// </code>
/// JSON has an object for each element, with its attributes as members; an element that may repeat is an array.
/// </remarks>
/// <param name="address">The root as the client wrote it.</param>
/// <param name="offered">The transactions that the root offers.</param>
internal sealed class CapabilityDescription(string address, IReadOnlyList<Capability> offered)
{
    /// <summary>The media type of WADL in XML.</summary>
    public const string Wadl = "application/vnd.sun.wadl+xml";

    private const string Namespace = "http://wadl.dev.java.net/2009/02";

    private static readonly XmlWriterSettings Xml = new() { Encoding = new UTF8Encoding(false), Indent = true };

    /// <summary>An element of the document. An attribute is text; children of one name are written together.</summary>
    private sealed record Element(string Name, (string Name, string Value)[] Attributes, IReadOnlyList<Element> Children);

    /// <summary>The document in XML.</summary>
    public byte[] ToXml()
    {
        using var text = new MemoryStream();
        using (var xml = XmlWriter.Create(text, Xml)) Write(xml, CreateRoot());
        return text.ToArray();
    }

    /// <summary>The document in JSON.</summary>
    public byte[] ToJson()
    {
        using var text = new MemoryStream();
        using (var json = new Utf8JsonWriter(text))
        {
            var root = CreateRoot();
            json.WriteStartObject();
            json.WritePropertyName(root.Name);
            Write(json, root);
            json.WriteEndObject();
        }
        return text.ToArray();
    }

    private Element CreateRoot() =>
        new("application", [], [new Element("resources", [("base", address)], CreateResource([]).Children)]);

    /// <summary>The resource with this path: its methods, then the resources one segment below it.</summary>
    private Element CreateResource(string[] path)
    {
        var below = offered.Where(c => GetSegments(c) is var other && other.Length >= path.Length && other.AsSpan().StartsWith(path))
            .ToList();
        var methods = below.Where(c => GetSegments(c).Length == path.Length).Select(CreateMethod);
        var children = below.Where(c => GetSegments(c).Length > path.Length).Select(c => GetSegments(c)[path.Length]).Distinct()
            .Select(segment => CreateResource([.. path, segment]));
        var name = path.Length == 0 ? "" : path[^1];
        Element[] parameters = name.StartsWith('{') ? [CreateParameter(name.Trim('{', '}'), "template", isRequired: true)] : [];
        IEnumerable<Element> own = path.Length == 0 && methods.Any() ? [new("resource", [("path", "")], [.. methods])] : methods;
        return new("resource", [("path", name)], [.. parameters, .. own, .. children]);
    }

    private static string[] GetSegments(Capability capability) => capability.Path.Length == 0 ? [] : capability.Path.Split('/');

    private static Element CreateMethod(Capability capability)
    {
        List<Element> request = [.. capability.Parameters.Concat(capability.Keys).Select(p => CreateParameter(p, "query"))];
        if (capability.Answers is [var byDefault, ..])
        {
            request.Insert(0, new(
                "param", [("name", "Accept"), ("style", "header"), ("default", byDefault)],
                [.. capability.Answers.Select(type => new Element("option", [("value", type)], []))]));
        }
        request.AddRange(capability.Takes.Select(CreateRepresentation));
        List<Element> parts = request.Count > 0 ? [new("request", [], request)] : [];
        parts.AddRange(capability.Statuses.Select(status => new Element(
            "response", [("status", status.ToString(CultureInfo.InvariantCulture))],
            status == 200 ? [.. capability.Answers.Select(CreateRepresentation)] : [])));
        return new("method", [("name", capability.Method), ("id", capability.Name)], parts);
    }

    private static Element CreateParameter(string name, string style, bool isRequired = false) =>
        new("param", isRequired ? [("name", name), ("style", style), ("required", "true")] : [("name", name), ("style", style)], []);

    private static Element CreateRepresentation(string type) => new("representation", [("mediaType", type)], []);

    private static void Write(XmlWriter xml, Element element)
    {
        xml.WriteStartElement(element.Name, Namespace);
        foreach (var (name, value) in element.Attributes) xml.WriteAttributeString(name, value);
        foreach (var child in element.Children) Write(xml, child);
        xml.WriteEndElement();
    }

    private static void Write(Utf8JsonWriter json, Element element)
    {
        json.WriteStartObject();
        foreach (var (name, value) in element.Attributes) json.WriteString(name, value);
        foreach (var children in element.Children.GroupBy(child => child.Name))
        {
            json.WritePropertyName(children.Key);
            if (children.Key is "resources" or "request")
            {
                Write(json, children.Single());
                continue;
            }
            json.WriteStartArray();
            foreach (var child in children) Write(json, child);
            json.WriteEndArray();
        }
        json.WriteEndObject();
    }
}
