using System.Buffers;
using System.Text;
using System.Text.Json.Nodes;
using System.Xml.Linq;
using Proxy.Wire;
using Xunit;

namespace Proxy.Tests.Wire;

/// <summary>DICOM JSON as the Native DICOM Model (PS3.19 §A.1).</summary>
public class DicomXmlWriterTests
{
    private static readonly XNamespace Model = "http://dicom.nema.org/PS3.19/models/NativeDICOM";

    [Fact]
    public void WritesADocument()
    {
        var text = WriteText("""{"00080060":{"vr":"CS","Value":["CT","a&b<c>\"d"]}}""");

        Assert.Equal(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            + "<NativeDicomModel xmlns=\"http://dicom.nema.org/PS3.19/models/NativeDICOM\" xml:space=\"preserve\">"
            + "<DicomAttribute tag=\"00080060\" vr=\"CS\" keyword=\"Modality\"><Value number=\"1\">CT</Value>"
            + "<Value number=\"2\">a&amp;b&lt;c&gt;&quot;d</Value></DicomAttribute></NativeDicomModel>",
            text);
    }

    [Theory]
    [InlineData("""{"vr":"DS","Value":[1.50,"007",1e400]}""",
        "<Value number=\"1\">1.50</Value><Value number=\"2\">007</Value><Value number=\"3\">1e400</Value>")]
    [InlineData("""{"vr":"CS","Value":["MPG",null,"XR3"]}""",
        "<Value number=\"1\">MPG</Value><Value number=\"2\"></Value><Value number=\"3\">XR3</Value>")]
    [InlineData("""{"vr":"CS"}""", "")]
    [InlineData("""{"vr":"SQ"}""", "")]
    [InlineData("""{"vr":"SQ","Value":[]}""", "")]
    [InlineData("""{"vr":"SQ","Value":[{},{}]}""", "<Item number=\"1\"></Item><Item number=\"2\"></Item>")]
    [InlineData("""{"vr":"OB","InlineBinary":"AAE="}""", "<InlineBinary>AAE=</InlineBinary>")]
    [InlineData("""{"vr":"OB","BulkDataURI":"http:\/\/p\/a?b=1&c=2"}""", "<BulkData uri=\"http://p/a?b=1&amp;c=2\"/>")]
    [InlineData("""{"vr":"AT","Value":["0020000D"]}""", "<Value number=\"1\">0020000D</Value>")]
    public void WritesEachFormOfAValue(string attribute, string expected) =>
        Assert.Contains($">{expected}</DicomAttribute>", WriteText("{\"00081111\":" + attribute + "}"));

    [Theory]
    [InlineData("""{"Alphabetic":"Doe^Jane^Q^Dr.^III"}""",
        "Alphabetic(FamilyName=Doe GivenName=Jane MiddleName=Q NamePrefix=Dr. NameSuffix=III)")]
    [InlineData("""{"Alphabetic":"^Jane","Ideographic":"山田^太郎"}""",
        "Alphabetic(GivenName=Jane) Ideographic(FamilyName=山田 GivenName=太郎)")]
    [InlineData("""{"Phonetic":"やまだ"}""", "Phonetic(FamilyName=やまだ)")]
    [InlineData("\"Yamada^Tarou=山田\"", "Alphabetic(FamilyName=Yamada GivenName=Tarou) Ideographic(FamilyName=山田)")]
    [InlineData("null", "")]
    [InlineData("{}", "")]
    public void WritesTheGroupsAndComponentsOfAName(string name, string expected)
    {
        var written = Write("{\"00100010\":{\"vr\":\"PN\",\"Value\":[" + name + "]}}").Descendants(Model + "PersonName").Single();

        Assert.Equal("1", (string?)written.Attribute("number"));
        Assert.Equal(expected, string.Join(' ', written.Elements().Select(
            g => $"{g.Name.LocalName}({string.Join(' ', g.Elements().Select(c => $"{c.Name.LocalName}={c.Value}"))})")));
    }

    [Fact]
    public void NamesTheCreatorOfAPrivateAttribute_InItsOwnDataset()
    {
        var xml = Write(
            """
            {"00290000":{"vr":"UL","Value":[8]},"00290010":{"vr":"LO","Value":["ACME"]},"00290011":{"vr":"LO","Value":["OTHER"]},
            "00291010":{"vr":"OB","InlineBinary":"AA=="},"002910FF":{"vr":"SQ","Value":[
              {"00290010":{"vr":"LO","Value":["INNER"]},"00291010":{"vr":"LO","Value":["x"]}},{"00291010":{"vr":"LO","Value":["y"]}}]},
            "00291101":{"vr":"LO","Value":["z"]},"00311001":{"vr":"LO","Value":["unowned"]}}
            """);

        Assert.Equal(
            [("00290010", "ACME"), ("002900FF", "ACME"), ("00290010", "INNER"), ("00291010", null), ("00290001", "OTHER"),
                ("00311001", null)],
            xml.Descendants(Model + "DicomAttribute").Select(a => ((string)a.Attribute("tag")!, (string?)a.Attribute("privateCreator"))));
        Assert.DoesNotContain(xml.Descendants(), a => a.Attribute("keyword") is not null);
    }

    [Theory]
    [InlineData("60023000", "OverlayData")]
    [InlineData("00280400", "TransformLabel")]
    [InlineData("00091234", null)]
    [InlineData("00081234", null)]
    public void NamesTheKeyword(string tag, string? keyword) =>
        Assert.Equal(keyword, (string?)Write("{\"" + tag + "\":{\"vr\":\"UN\"}}").Root!.Elements().Single().Attribute("keyword"));

    [Fact]
    public void ReplacesCharacters_ThatXmlForbids()
    {
        var text = WriteText(""" {"00104000":{"vr":"LT","Value":["a\u0000\u001b\u0008\ufffe\uffff\ud800z","\t\r\n--part"]}} """);

        Assert.Contains("<Value number=\"2\">&#9;&#13;&#10;--part</Value>", text);
        Assert.DoesNotContain("\r", text);
        var values = XDocument.Parse(text).Descendants(Model + "Value").Select(v => v.Value).ToList();
        Assert.Equal("\t\r\n--part", values[1]);
        Assert.All(values[0], c => Assert.True(c is 'a' or 'z' or '\uFFFD'));
    }

    /// <summary>Any dataset gives a well-formed document with the same attributes, items and values.</summary>
    [Fact]
    public void KeepsTheStructure_OfAnyDataset()
    {
        for (var seed = 0; seed < 300; seed++)
        {
            foreach (var json in RandomDatasets.Texts(seed, 3))
                Assert.Equal(Outline((JsonObject)JsonNode.Parse(json)!), Outline(Write(json).Root!));
        }
    }

    private static string Outline(JsonObject dataset) => string.Concat(
        dataset.Where(a => !a.Key.EndsWith("0000", StringComparison.Ordinal) && !IsCreator(a.Key)).Select(a => $"A({Outline(a.Value!)})"));

    private static string Outline(JsonNode attribute) =>
        attribute["Value"] is not JsonArray values
            ? attribute["InlineBinary"] is not null ? "I" : attribute["BulkDataURI"] is not null ? "B" : ""
        : (string?)attribute["vr"] == "SQ" ? string.Concat(values.Select(v => "S(" + Outline((JsonObject)v!) + ")"))
        : new string('V', values.Count);

    private static string Outline(XElement dataset) => string.Concat(
        dataset.Elements().Select(a => "A(" + string.Concat(a.Elements().Select(v => v.Name.LocalName switch
        {
            "Item" => "S(" + Outline(v) + ")",
            "InlineBinary" => "I",
            "BulkData" => "B",
            _ => "V",
        })) + ")"));

    private static bool IsCreator(string tag) => tag[3] is '1' or '3' or '5' or '7' or '9' or 'B' or 'D' or 'F' or 'b' or 'd' or 'f'
        && tag[4..6] == "00" && tag[6] != '0';

    private static XDocument Write(string json) => XDocument.Parse(WriteText(json));

    private static string WriteText(string json)
    {
        var output = new ArrayBufferWriter<byte>();
        DicomXmlWriter.Write(output, Encoding.UTF8.GetBytes(json.Trim()));
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }
}
