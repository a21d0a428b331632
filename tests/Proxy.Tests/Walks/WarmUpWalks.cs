using Microsoft.Extensions.Time.Testing;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>The warm-up before the server listens.</summary>
public sealed class WarmUpWalks
{
    [Fact]
    public async Task LeavesNoTrace_InAProxyOfTheSameProcess()
    {
        using var east = new WireMockPacs(new HeldStudy("1.2.1").With("1.2.1.1", "CT", instances: 1));
        await using var proxy = new ProxyHost(("east", east.Address));
        var before = Filter((await proxy.GetAsync("/metrics")).Text);

        Assert.Null(await WarmUp.RunAsync(Program.Build, new FakeTimeProvider()));

        Assert.Equal(before, Filter((await proxy.GetAsync("/metrics")).Text));
        Assert.Empty(east.Requests);
        Assert.DoesNotContain("small-mr", (await proxy.GetAsync("/store/studies")).Text, StringComparison.Ordinal);
        Assert.Equal("0", (await proxy.GetAsync("/cache")).Json["memory"]!["entries"]!.ToString());

        // What a request for the metrics changes itself is not of interest.
        static string Filter(string metrics) => string.Join(
            '\n', metrics.Split('\n').Where(line => line.Contains("dicomweb", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task GivesAReason_WhenItFails()
    {
        var reason = await WarmUp.RunAsync((_, _) => throw new InvalidOperationException("no port"), new FakeTimeProvider());

        Assert.Equal("no port", reason);
    }

    [Fact]
    public async Task GivesAReason_WhenItDoesNotEnd()
    {
        var time = new FakeTimeProvider();
        var waiting = WarmUp.LimitAsync(new TaskCompletionSource<string?>().Task, time);

        time.Advance(TimeSpan.FromMinutes(1));

        Assert.NotNull(await waiting);
    }
}
