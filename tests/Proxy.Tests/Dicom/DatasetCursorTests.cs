using System.Text;
using System.Text.Json;
using Proxy.Dicom;
using Proxy.Tests.Wire;
using Xunit;

namespace Proxy.Tests.Dicom;

public class DatasetCursorTests
{
    [Fact]
    public void VisitsItemsInTheirSequence()
    {
        var json = """
            {"00080060":{"vr":"CS","Value":["CT"]},
             "00081140":{"vr":"SQ","Value":[{"00081155":{"vr":"UI","Value":["1.2"]}},{}]},
             "7FE00010":{"vr":"OW","BulkDataURI":"bulk/1"}}
            """;
        Assert.Equal(
            ["0 Element 00080060 CS Values [\"CT\"]", "0 Element 00081140 SQ Items ", "1 Item", "1 Element 00081155 UI Values [\"1.2\"]",
                "0 ItemEnd", "1 Item", "0 ItemEnd", "0 SequenceEnd", "0 Element 7FE00010 OW BulkData \"bulk/1\""],
            Visit(json));
    }

    [Theory]
    [InlineData("""{"00081140":{"Value":[{"00081155":{"Value":["1.2"],"vr":"UI"}}],"vr":"SQ","x":[1]}}""")]
    [InlineData("""{"00081140":{"Value":[{"00081155":{"Value":["1.2"],"vr":"UI"}}],"x":{"vr":"SQ"}}}""")]
    [InlineData("""{"a":[{}],"00081140":{"Value":[null,{"b":1,"00081155":{"x":[],"Value":["1.2"],"vr":"UI"}}],"vr":"SQ"}}""")]
    public void TakesMembersInAnyOrderAndPassesOverOthers(string json) =>
        Assert.Equal(
            ["1 Item", "1 Element 00081155 UI Values [\"1.2\"]", "0 ItemEnd", "0 SequenceEnd"],
            Visit(json)[1..]);

    [Theory]
    [InlineData("""{"00100010":{"vr":"PN","Value":[{"Alphabetic":"A^B"}]}}""", "0 Element 00100010 PN Values [{\"Alphabetic\":\"A^B\"}]")]
    [InlineData("""{"00100010":{"Value":[{"Alphabetic":"A^B"}]}}""", "0 Element 00100010  Values [{\"Alphabetic\":\"A^B\"}]")]
    [InlineData("""{"00080060":{"vr":"CS"}}""", "0 Element 00080060 CS Empty ")]
    [InlineData("""{"00080060":{"vr":"CS","Value":"CT"}}""", "0 Element 00080060 CS Empty ")]
    [InlineData("""{"00080060":{"vr":"\ud800","Value":["CT"]}}""", "0 Element 00080060  Values [\"CT\"]")]
    [InlineData("""{"00080060":{"\ud800":1,"vr":"CS","\u0056alue":["CT"]}}""", "0 Element 00080060 CS Values [\"CT\"]")]
    [InlineData("""{"7FE00010":{"vr":"OB","InlineBinary":"AAAA"}}""", "0 Element 7FE00010 OB Inline \"AAAA\"")]
    [InlineData("""{"00080060":7}""", null)]
    [InlineData("{}", null)]
    public void NamesTheFormOfAValue(string json, string? node) => Assert.Equal(node is null ? [] : [node], Visit(json));

    /// <summary>The oracle is the framework's document model.</summary>
    [Fact]
    public void VisitsWhatADocumentHolds()
    {
        for (var seed = 0; seed < 500; seed++)
        {
            foreach (var text in RandomDatasets.Texts(seed, 3))
            {
                var expected = new List<string>();
                using var document = JsonDocument.Parse(text);
                List(document.RootElement, 0, expected);
                Assert.Equal(expected, Visit(text).Select(node => string.Join(' ', node.Split(' ').Take(5))));
            }
        }
    }

    private static void List(JsonElement dataset, int depth, List<string> nodes)
    {
        foreach (var member in dataset.EnumerateObject())
        {
            var vr = member.Value.TryGetProperty("vr", out var found) ? found.GetString() : "";
            var kind = vr == "SQ" && member.Value.TryGetProperty("Value", out _) ? "Items"
                : member.Value.TryGetProperty("Value", out _) ? "Values"
                : member.Value.TryGetProperty("BulkDataURI", out _) ? "BulkData"
                : member.Value.TryGetProperty("InlineBinary", out _) ? "Inline"
                : "Empty";
            nodes.Add($"{depth} Element {member.Name.ToUpperInvariant()} {vr} {kind}");
            if (kind != "Items") continue;
            foreach (var item in member.Value.GetProperty("Value").EnumerateArray())
            {
                nodes.Add($"{depth + 1} Item");
                List(item, depth + 1, nodes);
                nodes.Add($"{depth} ItemEnd");
            }
            nodes.Add($"{depth} SequenceEnd");
        }
    }

    private static List<string> Visit(string json)
    {
        var nodes = new List<string>();
        var cursor = new DatasetCursor(Encoding.UTF8.GetBytes(json));
        while (cursor.MoveNext())
        {
            nodes.Add(cursor.Node == DatasetNode.Element
                ? $"{cursor.Depth} Element {cursor.Tag} {cursor.Vr} {cursor.Value} {Encoding.UTF8.GetString(cursor.Text)}"
                : $"{cursor.Depth} {cursor.Node}");
        }
        return nodes;
    }
}
