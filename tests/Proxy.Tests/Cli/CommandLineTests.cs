using Proxy.Cli;
using Xunit;

namespace Proxy.Tests.Cli;

public sealed class CommandLineTests
{
    [Theory]
    [InlineData]
    [InlineData("serve")]
    [InlineData("serve", "--urls", "http://127.0.0.1:9090")]
    [InlineData("--urls", "http://127.0.0.1:9090")]
    [InlineData("--demo")]
    [InlineData("Backends:east:Address=http://pacs")]
    [InlineData("/urls", "http://127.0.0.1:9090")]
    public void StartsTheServer_ForSettings(params string[] args) => Assert.False(CommandLine.IsCommand(args));

    [Theory]
    [InlineData("check")]
    [InlineData("bakends", "test")]
    [InlineData("")]
    [InlineData("@file")]
    [InlineData("--help")]
    [InlineData("-h")]
    [InlineData("-?")]
    [InlineData("--version")]
    [InlineData("serve", "--help")]
    [InlineData("--demo", "--help")]
    [InlineData("--url", "http://127.0.0.1:9090", "studies")]
    [InlineData("--json", "check")]
    public void StartsNoServer_ForAnythingElse(params string[] args) => Assert.True(CommandLine.IsCommand(args));

    [Theory]
    [InlineData("sevre", "did you mean \"serve\"?")]
    [InlineData("demo", "did you mean \"--demo\"?")]
    [InlineData("url", "did you mean \"--url\"?")]
    [InlineData("chek", "did you mean \"check\"?")]
    [InlineData("bakends", "settings are written")]
    [InlineData("", "settings are written")]
    public async Task RefusesAnUnknownWord_WithASuggestion(string word, string suggestion)
    {
        var run = await CommandRun.RunAsync(word, "this");

        Assert.Equal(ExitCode.Usage, run.Code);
        Assert.StartsWith($"\"{word}\" is not a command", run.Error, StringComparison.Ordinal);
        Assert.Contains(suggestion, run.Error, StringComparison.Ordinal);
        Assert.Single(run.Error.Trim().Split('\n'));
        Assert.Empty(run.Output);
    }

    [Fact]
    public async Task ReadsNoFileForAnAtSign()
    {
        var run = await CommandRun.RunAsync("ohif", "--url", "@secret");

        Assert.Equal(ExitCode.Usage, run.Code);
        Assert.StartsWith("--url: an http or https address", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--help")]
    [InlineData("-h")]
    [InlineData("-?")]
    public async Task ListsTheCommands_InTheHelp(string option)
    {
        var run = await CommandRun.RunAsync(option);

        Assert.Equal(ExitCode.Success, run.Code);
        foreach (var command in (string[])["serve", "check", "ohif", "--demo", "--url", "--json"]) Assert.Contains(command, run.Output);
        Assert.Empty(run.Error);
    }

    [Fact]
    public async Task SaysItsVersion()
    {
        var run = await CommandRun.RunAsync("--version");

        Assert.Equal(ExitCode.Success, run.Code);
        Assert.Matches(@"^proxy \d+\.\d+\.\d+.* \(\.NET 10\.", run.Output);
    }

    [Fact]
    public async Task CompletesCommands()
    {
        var run = await CommandRun.RunAsync("[suggest]", "chec");

        Assert.Equal("check", run.Output.Trim());
    }

    [Fact]
    public async Task NamesTheMissingCommand() =>
        Assert.StartsWith("A command is missing: serve, check", (await CommandRun.RunAsync("--json")).Error, StringComparison.Ordinal);
}
