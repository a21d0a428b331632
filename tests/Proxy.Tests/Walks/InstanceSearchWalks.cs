using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>The proxy does not mistake a PACS without instance search for one whose studies have no instances.</summary>
public sealed class InstanceSearchWalks : IAsyncDisposable
{
    private const string Study = "/dicomweb/studies/1.2.1";

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1", instances: 3).With("1.2.1.2", "MR", 2));

    private readonly ProxyHost _proxy;

    public InstanceSearchWalks()
    {
        _proxy = new(("east", _east.Address));
        _east.Fail(404, "/instances");
    }

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
    }

    [Fact]
    public async Task AnswersFromTheStore_WhenItHasTheMetadata()
    {
        await _proxy.GetAsync(Study + "/series/1.2.1.1/metadata");

        var reply = await _proxy.GetAsync(Study + "/series/1.2.1.1/instances?includefield=Laterality");

        Assert.Equal(["1.2.1.1.1", "1.2.1.1.2", "1.2.1.1.3"], reply.Values("00080018"));
        Assert.Equal(["1", "2", "3"], reply.Values("00200013"));
        Assert.All(reply.Values("00200060"), laterality => Assert.Equal("R", laterality));
        Assert.All(reply.Rows, row => Assert.Null(row!["00100010"]));
        Assert.All(reply.Rows, row => Assert.StartsWith(_proxy.Address + Study, (string)row!["00081190"]!["Value"]![0]!));
        Assert.Empty(reply.Warnings);
        Assert.Equal(
            ["1.2.1.1.2"], (await _proxy.GetAsync(Study + "/series/1.2.1.1/instances?SOPInstanceUID=1.2.1.1.2")).Values("00080018"));
    }

    [Fact]
    public async Task ReportsTheFailureOfThePacs_WhenTheStoreLacksTheMetadata()
    {
        (await _proxy.GetAsync(Study + "/instances")).IsProblem(502);
        await _proxy.GetAsync(Study + "/series/1.2.1.1/metadata");

        var some = await _proxy.GetAsync(Study + "/instances");
        Assert.Equal(3, some.Rows.Count);
        Assert.Equal("east", some["X-Failed-Backends"]);

        await _proxy.GetAsync(Study + "/series/1.2.1.2/metadata");
        var all = await _proxy.GetAsync(Study + "/instances");
        Assert.Equal(5, all.Rows.Count);
        Assert.Equal("", all["X-Failed-Backends"]);
    }

    [Theory]
    [InlineData("InstanceNumber=2", "1.2.1.1.2")]
    [InlineData("Modality=CT&SOPClassUID=1.2.840.10008.5.1.4.1.1.2&InstanceNumber=3", "1.2.1.1.3")]
    [InlineData("PatientName=doe^*&Laterality=R&InstanceNumber=1", "1.2.1.1.1")]
    [InlineData("PatientName=roe^*", "")]
    public async Task MatchesStoredInstances(string query, string instances)
    {
        await _proxy.GetAsync(Study + "/series/1.2.1.1/metadata");

        var reply = await _proxy.GetAsync($"{Study}/series/1.2.1.1/instances?{query}");

        Assert.Equal(instances.Split(',', StringSplitOptions.RemoveEmptyEntries), reply.Values("00080018"));
        Assert.Empty(reply.Warnings);
    }

    [Theory]
    [InlineData(400)]
    [InlineData(404)]
    [InlineData(501)]
    public async Task ComposesRelationalSearches_WhenThePacsOffersNone(int status)
    {
        using var west = new WireMockPacs(
            new HeldStudy("1.2.2") { PatientId = "P2", Date = "20240102" }.With("1.2.2.1", "MR", 2).With("1.2.2.2", "CT"),
            new HeldStudy("1.2.3") { PatientId = "P3", Date = "20240101" }.With("1.2.3.1", "CT"));
        await using var proxy = new ProxyHost(("west", west.Address));
        west.Respond(request => request.Path is "series" or "instances" || request.Path.Count(c => c == '/') == 2
            && request.Path.EndsWith("/instances", StringComparison.Ordinal)
            ? PacsAnswer.Text(status, "text/plain", "no") : null);

        var series = await proxy.GetAsync("/dicomweb/series?Modality=CT");
        Assert.Equal(["1.2.2.2", "1.2.3.1"], series.Values("0020000E"));
        Assert.Equal(["P2", "P3"], series.Values("00100020"));
        Assert.Equal(["20240102", "20240101"], series.Values("00080020"));
        Assert.Empty(series.Warnings);
        Assert.Equal(["1.2.2.1"], (await proxy.GetAsync("/dicomweb/series?PatientID=P2&SeriesNumber=1")).Values("0020000E"));

        var instances = await proxy.GetAsync("/backends/west/dicomweb/instances?PatientID=P2");
        Assert.Equal(["1.2.2.1.1", "1.2.2.1.2", "1.2.2.2.1"], instances.Values("00080018"));
        Assert.Equal(["MR", "MR", "CT"], instances.Values("00080060"));
        Assert.Equal(["P2", "P2", "P2"], instances.Values("00100020"));
        Assert.Empty(instances.Warnings);

        var ofStudy = await proxy.GetAsync("/dicomweb/studies/1.2.2/instances?InstanceNumber=2");
        Assert.Equal(["1.2.2.1.2"], ofStudy.Values("00080018"));
        Assert.Empty(ofStudy.Warnings);
    }

    [Fact]
    public async Task NamesThePacs_WhenTooManyStudiesHadToBeListed()
    {
        using var west = new WireMockPacs(Enumerable.Range(1, 201).Select(i => new HeldStudy($"1.3.{i}").With($"1.3.{i}.1")));
        await using var proxy = new ProxyHost(("east", _east.Address), ("west", west.Address));
        west.Fail(501, "series");

        var reply = await proxy.GetAsync("/dicomweb/series");

        Assert.Equal(["1.2.1.1", "1.2.1.2"], reply.Values("0020000E"));
        Assert.Equal("west", reply["X-Failed-Backends"]);
        Assert.Equal(2, west.Requests.Count);
    }

    [Fact]
    public async Task ReturnsAnEmptyList_WhenThePacsDoesNotHoldTheStudy()
    {
        Assert.Empty((await _proxy.GetAsync("/dicomweb/studies/1.2.9/instances")).Rows);
        Assert.Empty((await _proxy.GetAsync(Study + "/series/1.2.1.9/instances")).Rows);
    }
}
