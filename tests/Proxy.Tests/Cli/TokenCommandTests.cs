using Proxy.Cli;
using Proxy.Tests.Identity;
using Proxy.Tests.Pacs;
using Proxy.Tests.Walks;
using Xunit;

namespace Proxy.Tests.Cli;

/// <summary>Commands that talk to a proxy which authenticates users.</summary>
public sealed class TokenCommandTests
{
    [Fact]
    public async Task SendsTheToken_AndSaysWhatIsMissing()
    {
        using var east = new WireMockPacs(new HeldStudy("1.2.1") { PatientName = "DOE^JANE" }.With("1.2.1.1", "CT"));
        await using var proxy = new ProxyHost(("east", east.Address)) { Issuer = TestIssuer.Shared };
        var file = Path.Combine(proxy.Root, "token");
        Task<CommandRun> RunAsync(params string[] command) => CommandRun.RunAsync([.. command, "--url", proxy.Address]);

        var without = await RunAsync("studies");
        await File.WriteAllTextAsync(file, TestIssuer.Shared.Issue("anna") + "\n", TestContext.Current.CancellationToken);
        var with = await RunAsync("studies", "--token-file", file);
        var denied = await RunAsync("cache", "stats", "--token-file", file);
        var untested = await RunAsync("backends", "test", "--token-file", file);
        await File.WriteAllTextAsync(file, "e30.e30.AAAA", TestContext.Current.CancellationToken);
        var wrong = await RunAsync("studies", "--token-file", file);
        var missing = await RunAsync("studies", "--token-file", file + ".not");

        Assert.Equal((ExitCode.Failed, true), (without.Code, without.Error.Contains("--token-file", StringComparison.Ordinal)));
        Assert.Equal((ExitCode.Success, true), (with.Code, with.Output.Contains("DOE^JANE", StringComparison.Ordinal)));
        Assert.Contains("role operator", denied.Error);
        Assert.Contains("operator", untested.Error);
        Assert.Contains("does not accept your token", wrong.Error);
        Assert.DoesNotContain("e30.e30", wrong.Error);
        Assert.Contains("cannot be read", missing.Error);
    }
}
