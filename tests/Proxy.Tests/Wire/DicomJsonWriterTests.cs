using System.Buffers;
using System.Text;
using System.Text.Json;
using Proxy.Dicom;
using Proxy.Wire;
using Xunit;

namespace Proxy.Tests.Wire;

public class DicomJsonWriterTests
{
    private const string Row =
        """{ "0020000d": {"vr":"UI","Value":["1.2"]}, "00081190":{"vr":"UR","Value":["http://pacs/dicom-web/studies/1.2"]}, "00100020" : """
        + """{"vr":"LO","Value":["7\/8"]} }""";

    private readonly Dataset _stored = new BackendLinks("east", new("http://pacs/dicom-web"), new("http://pacs/dicom-web/studies"))
        .Rewrite(Answers.Dataset(Row));

    [Fact]
    public void WritesTheOriginalText_WithTheBackendsOwnRoot() => Assert.Equal(Row.Trim(), Write("http://pacs/dicom-web"));

    [Fact]
    public void ReplacesEveryMarkByTheRoot()
    {
        var output = new ArrayBufferWriter<byte>();
        DicomJsonWriter.Write(output, Encoding.UTF8.GetBytes("\uFFFF/a,\uFFFF/b,\uFFFF"), "R"u8);
        Assert.Equal("R/a,R/b,R", Answers.Text(output.WrittenSpan));
    }

    [Fact]
    public void KeepsTextWithoutMarks()
    {
        var output = new ArrayBufferWriter<byte>();
        DicomJsonWriter.Write(output, "{\"a\":\"\uFFFE\uFFFD\"}"u8, "R"u8);
        Assert.Equal("{\"a\":\"\uFFFE\uFFFD\"}", Answers.Text(output.WrittenSpan));
    }

    [Fact]
    public void ReplacesAddsAndRemovesAttributes_InOrderOfTags()
    {
        var output = new ArrayBufferWriter<byte>();
        var changes = new Dictionary<Tag, byte[]?>
        {
            [Tag.PatientId] = null,
            [Tag.NumberOfStudyRelatedSeries] = "{\"vr\":\"IS\",\"Value\":[3]}"u8.ToArray(),
            [Tag.Modality] = "{\"vr\":\"CS\"}"u8.ToArray(),
            [Tag.RetrieveUrl] = "{\"vr\":\"UR\",\"Value\":[\"\uFFFF/x\"]}"u8.ToArray(),
            [Tag.StudyDate] = null,
        };

        DicomJsonWriter.Write(output, _stored, changes, new ClientRoot("http://proxy", new()));

        using var json = JsonDocument.Parse(output.WrittenMemory);
        Assert.Equal(["00080060", "00081190", "0020000D", "00201206"], json.RootElement.EnumerateObject().Select(m => m.Name));
        Assert.Equal("http://proxy/x", json.RootElement.GetProperty("00081190").GetProperty("Value")[0].GetString());
        Assert.Equal("1.2", json.RootElement.GetProperty("0020000D").GetProperty("Value")[0].GetString());
    }

    [Fact]
    public void WritesAnEmptyDataset_WhenAllAttributesAreRemoved()
    {
        var output = new ArrayBufferWriter<byte>();
        var changes = new Dictionary<Tag, byte[]?> { [Tag.Modality] = null };
        DicomJsonWriter.Write(output, Answers.Dataset("""{"00080060":{"vr":"CS"}}"""), changes, new ClientRoot("", new()));
        Assert.Equal("{}", Answers.Text(output.WrittenSpan));
    }

    private string Write(string root)
    {
        var output = new ArrayBufferWriter<byte>();
        DicomJsonWriter.Write(output, _stored.Json.Span, Encoding.UTF8.GetBytes(root));
        return Answers.Text(output.WrittenSpan);
    }
}
