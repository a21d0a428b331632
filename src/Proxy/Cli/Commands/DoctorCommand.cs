using System.CommandLine;
using System.Globalization;

namespace Proxy.Cli.Commands;

/// <summary><c>doctor</c>: writes the support bundle of the running proxy to a file.</summary>
internal static class DoctorCommand
{
    private const string Standard = "-";

    /// <summary>Creates the command.</summary>
    public static Command Create(Terminal terminal, Option<string> url, Option<bool> json)
    {
        var output = new Option<string?>("--output") { Description = "The file, or - for the standard output", HelpName = "file" };
        var command = new Command(
            "doctor", "Writes a support bundle: versions, settings without secrets and addresses, states, last warnings. No patient data")
        {
            output,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var proxy = ProxyClient.Create(parsed, parsed.GetValue(url)!);
            var bundle = (await proxy.GetAsync("/support-bundle", cancellation)).ToJsonString(Json.Indented);
            var now = TimeProvider.System.GetUtcNow();
            var file = parsed.GetValue(output) ?? (parsed.GetValue(json)
                ? Standard
                : string.Create(CultureInfo.InvariantCulture, $"proxy-support-{now:yyyyMMdd-HHmmss}.json"));
            if (file == Standard)
            {
                terminal.Output.WriteLine(bundle);
                return ExitCode.Success;
            }
            await WriteAsync(file, bundle, cancellation);
            terminal.Output.WriteLine($"{Path.GetFullPath(file)}: read it before you send it.");
            return ExitCode.Success;
        });
        return command;
    }

    private static async Task WriteAsync(string file, string text, CancellationToken cancellation)
    {
        try
        {
            await File.WriteAllTextAsync(file, text, cancellation);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException($"{file} cannot be written: choose another one with --output.");
        }
    }
}
