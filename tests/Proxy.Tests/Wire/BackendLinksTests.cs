using System.Buffers;
using System.Text.Json;
using FsCheck;
using FsCheck.Xunit;
using Proxy.Dicom;
using Proxy.Wire;
using Xunit;

namespace Proxy.Tests.Wire;

public class BackendLinksTests
{
    private const string Instance = "studies/1.2/series/1.3/instances/1.4";

    private readonly BackendLinks _links = new(
        "east", new("http://pacs:8042/dicom-web"), new("http://pacs:8042/dicom-web/studies/1.2/series/1.3/metadata"));

    [Theory]
    [InlineData("http://pacs:8042/dicom-web/" + Instance + "/bulk/7fe00010", "/" + Instance + "/bulkdata/east/bulk/7fe00010")]
    [InlineData(
        "http:\\/\\/pacs:8042\\/dicom-web\\/studies\\/1.2\\/series\\/1.3\\/instances\\/1.4\\/bulk\\/7fe00010",
        "/" + Instance + "/bulkdata/east/bulk/7fe00010")]
    [InlineData("http://localhost/other-root/" + Instance + "/bulk/1", "/" + Instance + "/bulkdata/east/bulk/1")]
    [InlineData("/dicom-web/" + Instance + "/bulk/1", "/" + Instance + "/bulkdata/east/bulk/1")]
    [InlineData("instances/1.4/bulk/1", "/" + Instance + "/bulkdata/east/bulk/1")]
    [InlineData("../../bulk/1", "/studies/1.2/bulkdata/east/bulk/1")]
    [InlineData("bulkdata/1", "/studies/1.2/series/1.3/bulkdata/east/|bulkdata/1")]
    [InlineData("series/1.3/instances/1.4/bulk/1", "/studies/1.2/series/1.3/bulkdata/east/|series/1.3/instances/1.4/bulk/1")]
    [InlineData("http://pacs:8042/dicom-web/" + Instance + "/bulk/a%20b", "/" + Instance + "/bulkdata/east/bulk/a%20b")]
    [InlineData("http://pacs:8042/dicom-web/" + Instance + "/bulk/a b", "/" + Instance + "/bulkdata/east/bulk/a%20b")]
    [InlineData("http://pacs:8042/dicom-web/" + Instance + "/bulk/a%2Fb", "/" + Instance + "/bulkdata/east/bulk/a%2Fb")]
    [InlineData("http://pacs:8042/dicom-web/" + Instance + "/bulk/\u00e9", "/" + Instance + "/bulkdata/east/bulk/%C3%A9")]
    [InlineData("http://pacs:8042/dicom-web/" + Instance + "/bulk/%E9", "/" + Instance + "/bulkdata/east/bulk/%E9")]
    [InlineData("http://pacs:8042/dicom-web/" + Instance + "/bulk//1", "/" + Instance + "/bulkdata/east/bulk//1")]
    [InlineData("http://pacs:8042/dicom-web/studies/1.2/bulkdata/a?x=1&y=2", "/studies/1.2/bulkdata/east/bulkdata/a?x=1&y=2")]
    [InlineData("http://pacs:8042/dicom-web/bulk/1?x=2", "/studies/1.2/bulkdata/east/^bulk/1?x=2")]
    [InlineData(
        "http://pacs:8042/dicom-web/" + Instance + "?tag=00291010&y=a/b",
        "/" + Instance + "/bulkdata/east/^" + Instance + "?tag=00291010&y=a/b")]
    [InlineData("http://pacs:8042/dicom-web/studies/1.2?tag=1", "/studies/1.2/bulkdata/east/^studies/1.2?tag=1")]
    public void RewritesBulkDataUrls(string uri, string expected) => Assert.Equal(expected, RewriteBulkData(uri));

    [Theory]
    [InlineData("http://pacs:8042/dicom-web/studies/1.9/series/1.3/instances/1.4/bulk/1")]
    [InlineData("http://evil.example/dicom-web/bulk/1")]
    [InlineData("http://pacs:8042/admin/delete")]
    [InlineData("http://pacs:8042/dicom-web-2/bulk/1")]
    [InlineData("http://pacs:9999/dicom-web/bulk/1")]
    [InlineData("../../../../../etc/passwd")]
    [InlineData("file:///etc/passwd")]
    [InlineData("data:text/html,x")]
    [InlineData("http://[")]
    [InlineData("http://pacs:8042/dicom-web/studies/..%2f..%2fadmin")]
    public void DoesNotFollowBulkDataElsewhere(string uri) =>
        Assert.EndsWith("/bulkdata/east/", RewriteBulkData(uri), StringComparison.Ordinal);

    [Theory]
    [InlineData("http://pacs:8042/dicom-web/" + Instance + "/a/%2e%2e%2f%2e%2e%2fx")]
    [InlineData("http://pacs:8042/dicom-web/" + Instance + "/bulk/%00")]
    [InlineData("http://pacs:8042/dicom-web/" + Instance + "/bulk/%252e%252e/x")]
    public void DoesNotFollowAPathThatLeavesItsResource(string uri) =>
        Assert.Equal("/" + Instance + "/bulkdata/east/", RewriteBulkData(uri));

    [Theory]
    [InlineData("http://pacs:8042/dicom-web/studies/1.2", "/studies/1.2")]
    [InlineData("http://pacs:8042/dicom-web/studies/1.2/series/1.3", "/studies/1.2/series/1.3")]
    [InlineData("http:\\/\\/evil.example\\/x\\/studies\\/1.2\\/series\\/1.3\\/instances\\/1.4", "/" + Instance)]
    [InlineData("http://pacs:8042/dicom-web/studies/1.9", "/studies/1.2")]
    [InlineData("http://evil.example/", "/studies/1.2")]
    [InlineData("javascript:alert(1)", "/studies/1.2")]
    public void RewritesRetrieveUrls(string url, string expected)
    {
        var rewritten = _links.Rewrite(
            Answers.Dataset("{\"00081190\":{\"vr\":\"UR\",\"Value\":[\"" + url + "\"]},\"0020000D\":{\"vr\":\"UI\",\"Value\":[\"1.2\"]}}"));
        Assert.Equal("\uFFFF" + expected, rewritten.FindString(Tag.RetrieveUrl));
    }

    [Property(MaxTest = 100)]
    public async Task ChangesOnlyUrls(DoNotSize<int> any)
    {
        var seed = any.Item;
        foreach (var dataset in await Answers.ReadAsync(RandomDatasets.Answer(seed, 4)))
        {
            var rewritten = _links.Rewrite(dataset);
            using var before = JsonDocument.Parse(dataset.Json, new() { MaxDepth = 300 });
            using var after = JsonDocument.Parse(Rooted(rewritten, "http://proxy"), new() { MaxDepth = 300 });
            Assert.Equal(WithoutUrls(before.RootElement), WithoutUrls(after.RootElement));
            Assert.DoesNotContain("pacs", Answers.Text(rewritten), StringComparison.Ordinal);
            // The index still has the correct position of each attribute.
            foreach (var attribute in rewritten.Attributes)
            {
                using var value = JsonDocument.Parse(rewritten.Json[attribute.Start..attribute.End], new() { MaxDepth = 300 });
                var member = after.RootElement.GetProperty(GetName(before, attribute.Tag)).GetRawText();
                Assert.Equal(member, value.RootElement.GetRawText().Replace("\uFFFF", "http://proxy", StringComparison.Ordinal));
            }
        }
    }

    [Property(MaxTest = 1000)]
    public void NeverThrows_ForAnyText(string? text)
    {
        var json = "{\"0020000D\":{\"vr\":\"UI\",\"Value\":[\"1.2\"]},\"7FE00010\":{\"vr\":\"OW\",\"BulkDataURI\":"
            + JsonSerializer.Serialize("http:" + text + "/studies/1.2/" + text) + "}}";
        var rewritten = _links.Rewrite(Answers.Dataset(json));
        using var _ = JsonDocument.Parse(rewritten.Json);
    }

    [Fact]
    public void KeepsADatasetWithoutUrls()
    {
        var dataset = Answers.Dataset("""{"00080018":{"vr":"UI","Value":["1.2"]}}""");
        Assert.Same(dataset, _links.Rewrite(dataset));
    }

    private string RewriteBulkData(string uri)
    {
        var rewritten = _links.Rewrite(Answers.Dataset(
            "{\"0020000D\":{\"vr\":\"UI\",\"Value\":[\"1.2\"]},\"7FE00010\":{\"vr\":\"OW\",\"BulkDataURI\":\"" + uri + "\"}}"));
        using var json = JsonDocument.Parse(rewritten.Json);
        var text = json.RootElement.GetProperty("7FE00010").GetProperty("BulkDataURI").GetString()!;
        Assert.StartsWith("\uFFFF/", text, StringComparison.Ordinal);
        return text[1..];
    }

    private static ReadOnlyMemory<byte> Rooted(Dataset dataset, string root)
    {
        var output = new ArrayBufferWriter<byte>();
        DicomJsonWriter.Write(output, dataset.Json.Span, System.Text.Encoding.UTF8.GetBytes(root));
        return output.WrittenMemory;
    }

    private static string GetName(JsonDocument json, Tag tag) =>
        json.RootElement.EnumerateObject().First(m => m.Name.Equals(tag.ToString(), StringComparison.OrdinalIgnoreCase)).Name;

    private static string WithoutUrls(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => "{"
            + string.Join(
                ',', element.EnumerateObject().Select(m => m.Name + ":" + (m.Name == "BulkDataURI" ? "" : WithoutUrls(m.Value)))) + "}",
        JsonValueKind.Array => "[" + string.Join(',', element.EnumerateArray().Select(WithoutUrls)) + "]",
        _ => element.GetRawText(),
    };
}
