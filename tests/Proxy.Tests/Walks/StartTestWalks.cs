using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>When the server has started, it tests each PACS once; the start does not wait for that.</summary>
public sealed class StartTestWalks
{
    [Fact]
    public async Task KnowsTheStateOfEachPacs_BeforeAClientAsks()
    {
        using var east = new WireMockPacs(new HeldStudy("1.2.1").With("1.2.1.1"));
        using var west = new WireMockPacs();
        west.Fail(401);
        await using var proxy = new ProxyHost(("east", east.Address), ("west", west.Address)) { ["Startup:TestBackends"] = "true" };

        await Until.TrueAsync(async () =>
        {
            var backends = (await proxy.GetAsync("/health/ready")).Json["backends"]!;
            return (string?)backends["east"]!["state"] == "up" && (string?)backends["west"]!["state"] == "down";
        });
        await Until.TrueAsync(() => proxy.Log.All.Any(
            line => line.Contains("Backend west: authentication failed: 401", StringComparison.Ordinal)
                && line.Contains("Remedy: set Backends:west:Authentication", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task AnswersWhileAPacsHangs()
    {
        using var east = new WireMockPacs();
        var gate = east.Hang();
        await using var proxy = new ProxyHost(("east", east.Address)) { ["Startup:TestBackends"] = "true" };

        Assert.Equal("ready", (string?)(await proxy.GetAsync("/health/ready")).Json["status"]);
        await Until.TrueAsync(() => gate.Arrived > 0);
    }

    [Fact]
    public async Task AsksNoPacs_WhenItIsTurnedOff()
    {
        using var east = new WireMockPacs();
        await using var proxy = new ProxyHost(("east", east.Address)) { ["Startup:TestBackends"] = "false" };

        Assert.Equal("unknown", (string?)(await proxy.GetAsync("/health/ready")).Json["backends"]!["east"]!["state"]);
        Assert.Empty(east.Requests);
    }
}
