using System.Buffers;
using System.Text.Json;
using Proxy.Dicom;
using Proxy.Search;
using Proxy.Tests.Wire;
using Proxy.Wire;
using Xunit;

namespace Proxy.Tests.Search;

public class MergedRowTests
{
    [Fact]
    public void UsesThePreferredBackendsAttributes()
    {
        var row = Merge(
            """{"00100020":{"vr":"LO","Value":["EAST"]}}""",
            """{"00100020":{"vr":"LO","Value":["WEST"]},"00081030":{"vr":"LO","Value":["Chest"]}}""");
        Assert.Equal("EAST", FindValue(row, "00100020"));
        Assert.Equal("Chest", FindValue(row, "00081030"));
    }

    [Theory]
    [InlineData("""{"vr":"LO"}""")]
    [InlineData("""{"vr":"LO","Value":[]}""")]
    [InlineData("""{"vr":"LO","Value":[null]}""")]
    [InlineData("""{"vr":"LO","Value":[""]}""")]
    [InlineData("""{"vr":"PN","Value":[{}]}""")]
    [InlineData("""{"vr":"PN","Value":[{"Alphabetic":""}]}""")]
    [InlineData("""{"vr":"LO", "Value" : [ ]}""")]
    public void FillsAnEmptyAttribute_FromAnotherBackend(string empty)
    {
        var filled = """{"00081030":{"vr":"LO","Value":["Chest"]}}""";
        Assert.Equal("Chest", FindValue(Merge("{\"00081030\":" + empty + "}", filled), "00081030"));
        Assert.Equal("Chest", FindValue(Merge(filled, "{\"00081030\":" + empty + "}"), "00081030"));
    }

    [Theory]
    [InlineData("""{"vr":"IS","Value":[0]}""")]
    [InlineData("""{"vr":"LO","Value":[null,"x"]}""")]
    [InlineData("""{"vr":"SQ","Value":[{"00400009":{"vr":"SH","Value":["7"]}}]}""")]
    [InlineData("""{"vr":"OB","InlineBinary":"AA=="}""")]
    [InlineData("""{"vr":"OB","BulkDataURI":"http://pacs/studies/1.2/bulk"}""")]
    public void KeepsAnAttribute_WhenItHasAnyValue(string filled)
    {
        var row = Merge("{\"00091001\":" + filled + "}", """{"00091001":{"vr":"LO","Value":["other"]}}""");
        Assert.Equal([Tag.RetrieveUrl], row.Changes.Keys);
    }

    [Fact]
    public void UsesTheFirstFilledValueOfTheOtherBackends()
    {
        var row = Merge(
            "{}", """{"00081030":{"vr":"LO"}}""", """{"00081030":{"vr":"LO","Value":["second"]}}""",
            """{"00081030":{"vr":"LO","Value":["third"]}}""");
        Assert.Equal("second", FindValue(row, "00081030"));
    }

    [Fact]
    public void MergesModalitiesToTheirUnion()
    {
        var row = Merge("""{"00080061":{"vr":"CS","Value":["CT","SR"]}}""", """{"00080061":{"vr":"CS","Value":["MR","CT",null,""]}}""");
        Assert.Equal(
            ["CT", "SR", "MR"], Write(row).GetProperty("00080061").GetProperty("Value").EnumerateArray().Select(v => v.GetString()!));
    }

    [Fact]
    public void EscapesModalities_WithQuotes()
    {
        var row = Merge("""{"00080061":{"vr":"CS","Value":["A\"],\"x"]}}""", """{"00080061":{"vr":"CS","Value":["\u00e9\""]}}""");
        Assert.Equal(
            ["A\"],\"x", "é\""], Write(row).GetProperty("00080061").GetProperty("Value").EnumerateArray().Select(v => v.GetString()!));
    }

    [Theory]
    [InlineData("OFFLINE", "NEARLINE", "NEARLINE")]
    [InlineData("ONLINE", "UNAVAILABLE", "ONLINE")]
    [InlineData("nonsense", "OFFLINE", "OFFLINE")]
    [InlineData("UNAVAILABLE", "", "UNAVAILABLE")]
    public void UsesTheBestAvailability(string one, string other, string best)
    {
        static string Row(string availability) => "{\"00080056\":{\"vr\":\"CS\",\"Value\":[\"" + availability + "\"]}}";
        Assert.Equal(best, FindValue(Merge(Row(one), Row(other)), "00080056"));
        Assert.Equal(best, FindValue(Merge(Row(other), Row(one)), "00080056"));
    }

    [Fact]
    public void KeepsTheRow_WhenOnlyOneBackendHasIt()
    {
        var row = Merge("""{"00080056":{"vr":"CS","Value":["ONLINE"]},"00080061":{"vr":"CS","Value":["CT","CT"]}}""");
        Assert.Equal([Tag.RetrieveUrl], row.Changes.Keys);
        Assert.Equal(["b0"], row.Sources.Select(s => s.Backend));
    }

    [Fact]
    public void ListsTheHolders_PreferredFirst() =>
        Assert.Equal(["b0", "b1", "b2"], Merge("{}", "{}", "{}").Sources.Select(s => s.Backend));

    [Fact]
    public void ReplacesCountsAndUrls()
    {
        var row = Merge("""{"00081190":{"vr":"UR","Value":["x"]},"00201206":{"vr":"IS","Value":[1]}}""")
            .WithCounts(series: 3, instances: 7);
        Assert.Equal(3, Write(row).GetProperty("00201206").GetProperty("Value")[0].GetInt32());
        Assert.Equal(7, Write(row).GetProperty("00201208").GetProperty("Value")[0].GetInt32());
        Assert.Equal("http://proxy/dicomweb/studies/1.2", FindValue(row, "00081190"));
    }

    [Fact]
    public void RemovesAttributesThatOnlyTheProxyRequested()
    {
        var row = Merge(
            """{"00100021":{"vr":"LO"},"00100020":{"vr":"LO","Value":["7"]}}""",
            """{"00100021":{"vr":"LO","Value":["WEST"]}}""")
            .Without([new(0x00100021), new(0x00081030)]);
        Assert.Equal(["00081190", "00100020"], Write(row).EnumerateObject().Select(a => a.Name));
    }

    [Theory]
    [InlineData("DOE^JANE", "7", "DOE^JANE", "7", null)]
    [InlineData("DOE^JANE", "7", "Doe^Jane^^", "7", null)]
    [InlineData("DOE^JANE", "7", "", "7", null)]
    [InlineData("DOE^JANE", "7", "ROE^JANE", "7", "b1")]
    [InlineData("DOE^JANE", "7", "DOE^JANE", "8", "b1")]
    public void FindsAConflict_WhenThePatientsDiffer(string name, string id, string otherName, string otherId, string? conflict)
    {
        static string Row(string name, string id) =>
            "{\"00100010\":{\"vr\":\"PN\",\"Value\":[{\"Alphabetic\":\"" + name + "\"}]},\"00100020\":{\"vr\":\"LO\",\"Value\":[\"" + id
                + "\"]}}";
        Assert.Equal(conflict, Merge(Row(name, id), Row(otherName, otherId)).FindIdentityConflict());
    }

    private static MergedRow Merge(params string[] rows) =>
        MergedRow.Merge(Uid.Parse("1.2"), [.. rows.Select((json, i) => new SourceRow($"b{i}", Answers.Dataset(json)))], "studies/1.2");

    private static string? FindValue(MergedRow row, string tag) => Write(row).GetProperty(tag).GetProperty("Value")[0].GetString();

    private static JsonElement Write(MergedRow row)
    {
        var output = new ArrayBufferWriter<byte>();
        DicomJsonWriter.Write(output, row.Dataset, row.Changes, new ClientRoot("http://proxy/dicomweb", new()));
        return JsonDocument.Parse(output.WrittenMemory).RootElement;
    }
}
