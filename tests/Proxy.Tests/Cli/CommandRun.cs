using Proxy.Cli;

namespace Proxy.Tests.Cli;

/// <summary>One command, run in this process: its exit code and what it wrote.</summary>
internal sealed record CommandRun(int Code, string Output, string Error)
{
    /// <summary>Runs a command without a screen and without a user.</summary>
    public static Task<CommandRun> RunAsync(params string[] args) => RunAsync(args, input: null);

    /// <summary>Runs a command for a user who types this.</summary>
    public static async Task<CommandRun> RunAsync(string[] args, string? input)
    {
        await using var output = new StringWriter();
        await using var error = new StringWriter();
        var terminal = new Terminal(output, error) { Input = input is null ? null : new StringReader(input) };
        var code = await CommandLine.RunAsync(args, terminal, Xunit.TestContext.Current.CancellationToken);
        return new(code, output.ToString(), error.ToString());
    }
}
