using System.Net;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using Xunit;

namespace Proxy.Integration;

/// <summary>STOW-RS: what a client stores is in the archive, and seen through the proxy at once.</summary>
public sealed class StoreTests(Lab lab) : IAsyncLifetime
{
    private static readonly Study Stored = new("stored", Archives.Doe, "20250102", "Stored by a client");
    private static readonly Series Slices = new(Stored, "slices", 1, "Stored slices", new CtSlice(128), 4);
    private static readonly Series Later = new(Stored, "later", 2, "Stored later", new CtSlice(128), 1);
    private static readonly Series Elsewhere =
        new(new("stored-elsewhere", Archives.Doe, "20250102", "Of another study"), "other", 1, "Other", new CtSlice(128), 1);

    private ProxyProcess _proxy = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _proxy = await lab.StartProxyAsync(
        Cancel, ["Store:Backend=east", "Backends:east:Forward=true", "Cache:Memory:MaxBytes=67108864", .. ProxyProcess.NoPrefetch]);

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        foreach (var series in new[] { Slices, Later, Elsewhere })
            await lab.East.DeleteIfStoredAsync(series, Cancel);
    }

    [Fact]
    public async Task ShowsOneStoredInstance_AndOpensItWithoutTheArchive()
    {
        var instance = Later.Instances.Single();
        Assert.Empty((await _proxy.Client.GetJsonAsync($"studies?StudyInstanceUID={Stored.Uid}", Cancel)).Datasets);
        var watch = lab.Watch();

        var answer = await StoreAsync("studies", instance.ToPart10());

        Assert.Equal(HttpStatusCode.OK, answer.Status);
        var stored = Assert.Single(JsonNode.Parse(answer.Body)!["00081199"]!["Value"]!.AsArray())!;
        Assert.Equal($"{_proxy.Dicomweb}/{instance.Path}", stored.Text(0x00081190));
        await _proxy.Client.AssertStudyRowAsync(Stored, series: 1, instances: 1, Cancel);
        await _proxy.Client.AssertSeriesRowsAsync(Stored, [(Later, 1)], Cancel);
        await _proxy.Client.AssertMetadataAsync(Later, Later.Instances, Cancel);
        await _proxy.Client.AssertFramesAsync(Later.Instances, Cancel);
        var file = await _proxy.Client.AskAsync(instance.Path, "application/dicom; transfer-syntax=*", Cancel);
        Assert.Equal(instance.ToPart10(), file.Body);
        Assert.Empty(FindDetails(watch, Later));
        Assert.Equal(instance.Frame(1), Assert.Single((await lab.Archive(Archives.Axial).GetFramesAsync(instance, "1", Cancel)).Parts()));
    }

    [Fact]
    public async Task ShowsInstancesThatAreAddedToAKnownStudy()
    {
        Assert.Equal(HttpStatusCode.OK, (await StoreAsync("studies", Later.Instances.Single().ToPart10())).Status);
        await _proxy.Client.AssertMetadataAsync(Later, Later.Instances, Cancel);
        var watch = lab.Watch();

        var answer = await StoreAsync($"studies/{Stored.Uid}", [.. Slices.Instances.Select(i => i.ToPart10())]);

        Assert.Equal(HttpStatusCode.OK, answer.Status);
        await _proxy.Client.AssertStudyRowAsync(Stored, series: 2, instances: 5, Cancel);
        await _proxy.Client.AssertSeriesRowsAsync(Stored, [(Later, 1), (Slices, 4)], Cancel);
        await _proxy.Client.AssertMetadataAsync(Slices, Slices.Instances, Cancel);
        await _proxy.Client.AssertFramesAsync(Slices.Instances, Cancel);
        Assert.Empty(FindDetails(watch, Slices));
    }

    [Fact]
    public async Task PassesAPartialRefusal_AndShowsTheRest()
    {
        var (kept, refused) = (Later.Instances.Single(), Elsewhere.Instances.Single());
        var direct = await PostAsync(lab.East.Http, $"{lab.East.Address}/studies/{Stored.Uid}", [kept.ToPart10(), refused.ToPart10()]);
        await lab.East.DeleteIfStoredAsync(Later, Cancel);

        var answer = await StoreAsync($"studies/{Stored.Uid}", kept.ToPart10(), refused.ToPart10());

        Assert.Equal(direct.Status, answer.Status);
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(direct.Body)!.WithoutRoots(), JsonNode.Parse(answer.Body)!.WithoutRoots()));
        Assert.Equal(refused.Uid, Assert.Single(JsonNode.Parse(answer.Body)!["00081198"]!["Value"]!.AsArray())!.Text(0x00081155));
        await _proxy.Client.AssertMetadataAsync(Later, Later.Instances, Cancel);
        await _proxy.Client.AssertNotFoundAsync($"{Elsewhere.Path}/metadata", DicomwebClient.Json, Cancel);
    }

    [Fact]
    public async Task StreamsALargeBody()
    {
        var instance = Later.Instances.Single();
        // Data Set Trailing Padding (FFFC,FFFC) of 50 MB.
        var padding = new byte[50 << 20];
        byte[] file = [.. instance.ToPart10(), 0xFC, 0xFF, 0xFC, 0xFF, .. "OB\0\0"u8, .. BitConverter.GetBytes(padding.Length), .. padding];
        await StoreAsync("studies", Slices.Instances.First().ToPart10());
        var before = _proxy.ReadPeakBytes();

        Assert.Equal(HttpStatusCode.OK, (await StoreAsync("studies", file)).Status);

        Assert.InRange(_proxy.ReadPeakBytes() - before, 0, 40L << 20);
        await _proxy.Client.AssertFramesAsync([instance], Cancel);
    }

    [Fact]
    public async Task PassesTheRefusalOfADeletion_AndShowsTheStudyStill()
    {
        await StoreAsync("studies", Later.Instances.Single().ToPart10());
        await _proxy.Client.AssertMetadataAsync(Later, Later.Instances, Cancel);

        // Orthanc deletes with its own API only.
        using var refused = await _proxy.Http.DeleteAsync(
            new Uri($"backends/east/dicomweb/studies/{Stored.Uid}", UriKind.Relative), Cancel);

        Assert.Equal(HttpStatusCode.MethodNotAllowed, refused.StatusCode);
        await _proxy.Client.AssertMetadataAsync(Later, Later.Instances, Cancel);
    }

    /// <summary>The requests for metadata, instances or frames of a series.</summary>
    private static IEnumerable<string> FindDetails(Watch watch, Series series) =>
        watch.Asked.Where(target => target.Contains(series.Uid, StringComparison.Ordinal));

    private Task<Answer> StoreAsync(string path, params byte[][] files) => PostAsync(_proxy.Http, $"{_proxy.Dicomweb}/{path}", files);

    private static async Task<Answer> PostAsync(HttpClient http, string url, byte[][] files)
    {
        using var content = new MultipartContent("related", "a-part");
        content.Headers.ContentType!.Parameters.Add(new("type", "\"application/dicom\""));
        foreach (var file in files)
        {
            var part = new ByteArrayContent(file);
            part.Headers.ContentType = new MediaTypeHeaderValue("application/dicom");
            content.Add(part);
        }
        using var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = content };
        request.Headers.TryAddWithoutValidation("Accept", DicomwebClient.Json);
        using var answer = await http.SendAsync(request, Cancel);
        return new(url, answer.StatusCode, new Dictionary<string, string>(), await answer.Content.ReadAsByteArrayAsync(Cancel));
    }
}
