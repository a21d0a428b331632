using System.Net;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Time.Testing;
using Proxy.Tests.Pacs;
using Proxy.Tests.Wire;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>
/// What a client stored through the proxy opens without a request to the PACS, if the PACS certainly holds the same bytes.
/// </summary>
public sealed class WriteThroughWalks : IAsyncDisposable
{
    private const string Root = "/backends/east/dicomweb";
    private const string Series = "/dicomweb/studies/1.2.1/series/1.2.1.9";
    private const string Instance = Series + "/instances/1.2.1.9.1";

    private static readonly (string, string) Dicom = ("Accept", "application/dicom; transfer-syntax=*");
    private static readonly (string, string) AsStored = ("Accept", "application/octet-stream; transfer-syntax=*");

    private readonly FakeTimeProvider _time = new(TimeProvider.System.GetUtcNow());
    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 2));
    private readonly ProxyHost _proxy;

    public WriteThroughWalks() =>
        _proxy = new(("east", _east.Address)) { Time = _time, ["Backends:east:Forward"] = "true" };

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ServesAStoredInstance_WithoutAskingThePacs(bool isStudyKnown)
    {
        if (isStudyKnown) await _proxy.GetAsync("/dicomweb/studies/1.2.1/series");

        await StoreAsync(File());

        var metadata = Assert.Single((await _proxy.GetAsync(Series + "/metadata")).Rows)!;
        Assert.Equal("Äneas", metadata["00100010"]!["Value"]![0]!["Alphabetic"]!.GetValue<string>());
        Assert.Equal("Proxy; hit", (await _proxy.GetAsync(Series + "/metadata")).CacheStatus);
        Assert.Single((await _proxy.GetAsync(Instance + "/metadata")).Rows);
        Assert.Equal(Part10File.Counting(64), (await _proxy.GetAsync(Instance + "/frames/1", AsStored)).Body);
        Assert.Equal(File().ToArray(), (await _proxy.GetAsync(Instance, Dicom)).Body);
        Assert.Equal(Part10File.Counting(2000), (await _proxy.GetAsync(GetPath(metadata["00291010"]!))).Body);
        Assert.DoesNotContain(_east.Requests, r => r.Method == "GET" && r.Path.Contains("1.2.1.9", StringComparison.Ordinal));
    }

    [Fact]
    public async Task ReadsTheSeriesList_SoThatSearchesAreRight()
    {
        Assert.Single((await _proxy.GetAsync("/dicomweb/studies/1.2.1/series")).Rows);

        await StoreAsync(File());

        Assert.Equal(["1.2.1.1", "1.2.1.9"], (await _proxy.GetAsync("/dicomweb/studies/1.2.1/series")).Values("0020000E").Order());
        Assert.Equal(2, _east.Count("1.2.1/series"));
    }

    [Fact]
    public async Task ReadsAnOldSeriesListAgain_BeforeItTrustsThatTheInstanceIsNew()
    {
        await _proxy.GetAsync("/dicomweb/studies/1.2.1/series");
        _time.Advance(TimeSpan.FromMinutes(10));

        await StoreAsync(File());

        Assert.Equal(Part10File.Counting(64), (await _proxy.GetAsync(Instance + "/frames/1", AsStored)).Body);
        Assert.Equal(0, _east.Count("frames/1"));
    }

    [Theory]
    [InlineData("warning")]
    [InlineData("failed")]
    [InlineData("other instance")]
    [InlineData("other series")]
    [InlineData("no address")]
    [InlineData("nothing")]
    [InlineData("lost")]
    public async Task AsksThePacs_UnlessItSaysThatItStoredTheInstanceUnchanged(string answer)
    {
        await _proxy.GetAsync("/dicomweb/studies/1.2.1/series");
        var stored = StowMessage.Stored(_east.Address, "1.2.1", "1.2.1.9", "1.2.1.9.1");
        var text = answer switch
        {
            "warning" => stored.Replace("\"00081190\":{\"vr\":\"UR\",\"Value\":[\"" + _east.Address + "/studies/1.2.1/", """
                "00081196":{"vr":"US","Value":[45056]},"00081190":{"vr":"UR","Value":["
                """.Trim() + _east.Address + "/studies/1.2.1/", StringComparison.Ordinal),
            "failed" => stored.Replace("{\"00081190\"", """
                {"00081198":{"vr":"SQ","Value":[{"00081155":{"vr":"UI","Value":["1.2.1.9.1"]}}]},"00081190"
                """.Trim(), StringComparison.Ordinal),
            "other instance" => StowMessage.Stored(_east.Address, "1.2.1", "1.2.1.9", "1.2.1.9.2"),
            "other series" => StowMessage.Stored(_east.Address, "1.2.1", "1.2.1.8", "1.2.1.9.1"),
            "no address" => stored.Replace("instances/1.2.1.9.1", "", StringComparison.Ordinal),
            "nothing" => "{}",
            _ => "no",
        };

        await StoreAsync(File(), text);

        await AssertAskedAsync();
    }

    [Fact]
    public async Task AsksThePacs_ForAnInstanceThatItHeldBefore()
    {
        _east.Hold(Held(1));
        await _proxy.GetAsync("/dicomweb/studies/1.2.1/series");

        await StoreAsync(File());

        await AssertAskedAsync();
    }

    [Fact]
    public async Task AsksThePacs_WhenTheProxyDidNotKnowThatItHeldTheInstance()
    {
        await _proxy.GetAsync("/dicomweb/studies/1.2.1/series");
        _east.Hold(Held(1));
        _time.Advance(TimeSpan.FromMinutes(2));

        await StoreAsync(File());

        await AssertAskedAsync();
    }

    [Fact]
    public async Task AsksThePacs_WhenTheInstanceIsStoredAgain()
    {
        await _proxy.GetAsync("/dicomweb/studies/1.2.1/series");
        await StoreAsync(File());
        Assert.Equal(Part10File.Counting(64), (await _proxy.GetAsync(Instance + "/frames/1", AsStored)).Body);

        await StoreAsync(File().Set(0x00100010, "PN", "Other"));

        Assert.Equal(["R"], (await _proxy.GetAsync(Instance + "/metadata")).Values("00200060"));
        await AssertAskedAsync();
    }

    [Fact]
    public async Task AsksThePacs_WhenTwoRequestsStoreTheSameInstance()
    {
        await _proxy.GetAsync("/dicomweb/studies/1.2.1/series");
        var gate = new Gate();
        _east.Delay("studies", async request =>
        {
            if (request.Method == "POST") await gate.PassAsync();
            return null;
        });

        var first = StoreAsync(File());
        await Until.TrueAsync(() => gate.Arrived == 1);
        var second = StoreAsync(File().Set(0x00100010, "PN", "Other"));
        await Until.TrueAsync(() => gate.Arrived == 2);
        gate.Open();
        await Task.WhenAll(first, second);

        await AssertAskedAsync();
    }

    [Fact]
    public async Task AsksThePacs_WhenTheInstanceIsDeletedMeanwhile()
    {
        await _proxy.GetAsync("/dicomweb/studies/1.2.1/series");
        var gate = new Gate();
        _east.Delay("studies", async request =>
        {
            if (request.Method == "POST") await gate.PassAsync();
            return null;
        });
        _east.On("1.2.1.9.1", request => request.Method == "DELETE" ? PacsAnswer.Json("{}") : null);

        var storing = StoreAsync(File());
        await Until.TrueAsync(() => gate.Arrived == 1);
        await _proxy.SendAsync(HttpMethod.Delete, Root + Instance["/dicomweb".Length..], []);
        gate.Open();
        await storing;

        await AssertAskedAsync();
    }

    [Theory]
    [InlineData(0x00020003u)]
    [InlineData(0x00204000u)]
    public async Task AsksThePacs_WhenTheFileIsNotADatasetOfTheInstance(uint tag)
    {
        await _proxy.GetAsync("/dicomweb/studies/1.2.1/series");
        var file = tag == 0x00020003
            ? File().Set(tag, "UI", Part10File.Even("1.2.1.9.7", '\0'))
            : File().SetRaw(tag, [.. Part10File.Element(tag, "LT", []), .. Part10File.Element(tag, "LT", [])]);

        await StoreAsync(file);

        await AssertAskedAsync();
    }

    private static HeldStudy Held(int instances) => new HeldStudy("1.2.1").With("1.2.1.1", "CT", 2).With("1.2.1.9", "SR", instances);

    private async Task AssertAskedAsync()
    {
        await _proxy.GetAsync(Instance + "/frames/1", AsStored);
        Assert.Contains(_east.Requests, r => r.Path.Contains("1.2.1.9.1/frames/1", StringComparison.Ordinal));
        Assert.Equal(["R"], (await _proxy.GetAsync(Series + "/metadata")).Values("00200060"));
    }

    /// <summary>The PACS holds the instance when it answers.</summary>
    private async Task StoreAsync(Part10File file, string? answer = null)
    {
        _east.On("studies", request =>
        {
            if (request.Method != "POST") return null;
            _east.Hold(Held(1));
            var text = answer ?? StowMessage.Stored(_east.Address, "1.2.1", "1.2.1.9", "1.2.1.9.1");
            return PacsAnswer.Text(text.StartsWith('{') ? 200 : 500, "application/dicom+json", text);
        });
        var reply = await _proxy.PostAsync(Root + "/studies", StowMessage.Body(file.ToArray()));
        Assert.Equal(answer == "no" ? HttpStatusCode.BadGateway : HttpStatusCode.OK, reply.Status);
    }

    private static string GetPath(JsonNode attribute) => new Uri(attribute["BulkDataURI"]!.GetValue<string>()).AbsolutePath;

    private static Part10File File() =>
        Part10File.Native(8, 8).Set(0x00020003, "UI", Part10File.Even("1.2.1.9.1", '\0'))
            .Set(0x00080005, "CS", "ISO_IR 100").Set(0x00080018, "UI", Part10File.Even("1.2.1.9.1", '\0'))
            .Set(0x00100010, "PN", [0xC4, .. "neas "u8]).Set(0x0020000D, "UI", Part10File.Even("1.2.1", '\0'))
            .Set(0x0020000E, "UI", Part10File.Even("1.2.1.9", '\0')).Set(0x00291010, "OB", Part10File.Counting(2000));
}
