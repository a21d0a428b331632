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

    [Fact]
    public async Task DoesNotAnswerFromTheStore_WhenOnlyAPacsCanMatchTheQuery()
    {
        await _proxy.GetAsync(Study + "/series/1.2.1.1/metadata");
        (await _proxy.GetAsync(Study + "/series/1.2.1.1/instances?InstanceNumber=2")).IsProblem(502);
    }

    [Fact]
    public async Task ReturnsAnEmptyList_WhenThePacsDoesNotHoldTheStudy()
    {
        Assert.Empty((await _proxy.GetAsync("/dicomweb/studies/1.2.9/instances")).Rows);
        Assert.Empty((await _proxy.GetAsync(Study + "/series/1.2.1.9/instances")).Rows);
    }
}
