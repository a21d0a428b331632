using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Proxy.Demo;
using Proxy.Tests.Pacs;
using Proxy.Tests.Wire;
using Xunit;

namespace Proxy.Tests.Demo;

/// <summary>What clients store in a demo PACS, directly and through the proxy.</summary>
public sealed class StoreTests : IAsyncLifetime
{
    private static readonly string Study = DemoUid.Create("chest-ct");

    private readonly HttpClient _client = new(new SocketsHttpHandler { UseProxy = false });

    private DemoSites _sites = null!;

    public async ValueTask InitializeAsync() => _sites = await DemoSites.StartAsync();

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _sites.DisposeAsync();
    }

    [Fact]
    public async Task ListsAndServesAStoredInstance_InAnExistingStudy()
    {
        var file = GetFile(Study, "1.2.9.1", "1.2.9.1.1");

        var (status, answer) = await StoreAsync("/studies", file);

        Assert.Equal(HttpStatusCode.OK, status);
        Assert.EndsWith(
            $"/studies/{Study}/series/1.2.9.1/instances/1.2.9.1.1",
            (string)answer!["00081199"]!["Value"]![0]!["00081190"]!["Value"]![0]!);
        var series = await _sites.AskDatasetsAsync(_sites.East, $"/studies/{Study}/series");
        Assert.Equal(3, series.Length);
        Assert.Equal("SEG", series[2].Text("Modality"));
        Assert.Equal("DEMO-0001", series[2].Text("PatientID"));
        var row = Assert.Single(await _sites.AskDatasetsAsync(_sites.East, $"/studies?StudyInstanceUID={Study}"));
        Assert.Equal((3, 62), (row.Number("NumberOfStudyRelatedSeries"), row.Number("NumberOfStudyRelatedInstances")));
        var path = $"/studies/{Study}/series/1.2.9.1/instances/1.2.9.1.1";
        var metadata = JsonNode.Parse(await ReadAsync(path + "/metadata"))![0]!;
        Assert.Equal("SEG", (string)metadata["00080060"]!["Value"]![0]!);
        var bulk = (string)metadata["00211001"]!["BulkDataURI"]!;
        Assert.Contains(
            Encoding.Latin1.GetString(Pixels.Create("1.2.9.1.1", 2000)),
            await ReadAsync(bulk[_sites.East.Address.OriginalString.Length..]));
        Assert.Contains(Encoding.Latin1.GetString(file), await ReadAsync(path));
        Assert.Contains("application/octet-stream", await ReadAsync(path + "/frames/2"));
        Assert.Equal(HttpStatusCode.BadRequest, (await _sites.AskAsync(_sites.East, path + "/frames/3")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await StoreAsync("/studies", file)).Status);
        Assert.Single(await _sites.AskDatasetsAsync(_sites.East, $"/studies/{Study}/series/1.2.9.1/instances"));
    }

    [Fact]
    public async Task NamesEveryFailure()
    {
        var (status, answer) = await StoreAsync(
            "/studies/1.2.9", GetFile("1.2.9", "1.2.9.1", "1.2.9.1.1"), GetFile("1.2.8", "1.2.8.1", "1.2.8.1.1"), [1, 2, 3]);

        Assert.Equal(HttpStatusCode.Accepted, status);
        Assert.Single(answer!["00081199"]!["Value"]!.AsArray());
        Assert.Equal([0xA900, 0xC000], answer["00081198"]!["Value"]!.AsArray().Select(item => (int)item!["00081197"]!["Value"]![0]!));
        var row = Assert.Single(await _sites.AskDatasetsAsync(_sites.East, "/studies?StudyInstanceUID=1.2.9,1.2.8"));
        Assert.Equal("1.2.9", row.Text("StudyInstanceUID"));
        Assert.Equal(HttpStatusCode.Conflict, (await StoreAsync("/studies", [1, 2, 3])).Status);
        using var json = new StringContent("{}", Encoding.UTF8, "application/json");
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, await PostAsync(json));
        using var cut = StowMessage.WithType(new ByteArrayContent(StowMessage.Join(GetFile("1.2.9", "1.2.9.1", "1.2.9.1.2"))[..500]));
        Assert.Equal(HttpStatusCode.BadRequest, await PostAsync(cut));

        async Task<HttpStatusCode> PostAsync(HttpContent body)
        {
            using var reply = await _client.PostAsync(_sites.East.Address + "/studies", body, TestContext.Current.CancellationToken);
            return reply.StatusCode;
        }
    }

    [Fact]
    public async Task ShowsWhatAViewerSaves_ThroughTheProxy()
    {
        await using var proxy = new Walks.ProxyHost(
            ("east", _sites.East.Address.OriginalString), ("west", _sites.West.Address.OriginalString))
        { ["Store:Backend"] = "east" };
        Assert.Equal(2, (await proxy.GetAsync($"/dicomweb/studies/{Study}/series")).Rows.Count);

        var reply = await proxy.PostAsync("/dicomweb/studies", StowMessage.Body(GetFile(Study, "1.2.9.1", "1.2.9.1.1")));

        Assert.Equal(200, (int)reply.Status);
        Assert.Equal(3, (await proxy.GetAsync($"/dicomweb/studies/{Study}/series")).Rows.Count);
        var path = $"/dicomweb/studies/{Study}/series/1.2.9.1";
        Assert.Equal("SEG", Assert.Single((await proxy.GetAsync(path + "/metadata")).Values("00080060")));
        Assert.Equal(
            200,
            (int)(await proxy.GetAsync(path + "/instances/1.2.9.1.1", ("Accept", "multipart/related; type=\"application/dicom\""))).Status);
    }

    /// <summary>A segmentation of two frames.</summary>
    private static byte[] GetFile(string study, string series, string instance) =>
        Part10File.Native(8, 8, frames: 2).Set(0x00020003, "UI", Part10File.Even(instance, '\0'))
            .Set(0x00080018, "UI", Part10File.Even(instance, '\0')).Set(0x00080060, "CS", "SEG")
            .Set(0x00100020, "LO", "OTHER").Set(0x0020000D, "UI", Part10File.Even(study, '\0'))
            .Set(0x0020000E, "UI", Part10File.Even(series, '\0')).Set(0x00210010, "LO", "TESTS")
            .Set(0x00211001, "OB", Pixels.Create(instance, 2000)).ToArray();

    private async Task<(HttpStatusCode Status, JsonNode? Answer)> StoreAsync(string path, params byte[][] files)
    {
        using var body = StowMessage.Body(files);
        using var response = await _client.PostAsync(_sites.East.Address + path, body, DemoSites.Cancellation);
        return (response.StatusCode, JsonNode.Parse(await response.Content.ReadAsStringAsync(DemoSites.Cancellation)));
    }

    private async Task<string> ReadAsync(string path)
    {
        using var response = await _sites.AskAsync(_sites.East, path);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return Encoding.Latin1.GetString(await response.Content.ReadAsByteArrayAsync(DemoSites.Cancellation));
    }
}
