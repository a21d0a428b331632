using Proxy.Cli;
using Proxy.Tests.Walks;
using Xunit;

namespace Proxy.Tests.Cli;

/// <summary>The health check of containers.</summary>
public sealed class HealthCommandTests
{
    [Fact]
    public async Task ExitsWithZero_WhenTheProxyIsReady()
    {
        await using var proxy = new ProxyHost(("east", "http://127.0.0.1:1/dicom-web"));

        var run = await CommandRun.RunAsync("health", "--url", proxy.Address);

        Assert.Equal((ExitCode.Success, "ready"), (run.Code, run.Output.Trim()));
    }

    [Fact]
    public async Task TellsUnusableFromLive()
    {
        await using var proxy = new ProxyHost(("east", "http://127.0.0.1:1/dicom-web")) { ["Cache:Disk:Path"] = "/dev/null" };

        var ready = await CommandRun.RunAsync("health", "--url", proxy.Address);
        var live = await CommandRun.RunAsync("health", "--live", "--url", proxy.Address);

        Assert.Equal((ExitCode.Failed, "unusable"), (ready.Code, ready.Output.Trim()));
        Assert.Equal((ExitCode.Success, "live"), (live.Code, live.Output.Trim()));
    }

    [Fact]
    public async Task SaysThatNoProxyAnswers()
    {
        var run = await CommandRun.RunAsync("health", "--url", "http://127.0.0.1:1");

        Assert.Equal(ExitCode.Failed, run.Code);
        Assert.Contains("No proxy answers at http://127.0.0.1:1/health/ready", run.Error);
    }
}
