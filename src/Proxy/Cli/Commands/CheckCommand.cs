using System.CommandLine;
using System.Text.Json.Nodes;

namespace Proxy.Cli.Commands;

/// <summary><c>check</c>: reads the settings as a server would, and reports every error with its fix. Nothing is started.</summary>
internal static class CheckCommand
{
    /// <summary>Creates the command.</summary>
    public static Command Create(Terminal terminal, Option<bool> json, string[] given)
    {
        var command = new Command("check", "Checks the settings: every error with its fix. Settings may follow, as for the server");
        command.SetAction(parsed => Run(terminal, LocalSettings.Read(given), parsed.GetValue(json)));
        return command;
    }

    private static int Run(Terminal terminal, LocalSettings local, bool isJson)
    {
        var (settings, errors) = (local.Settings, local.Errors);
        if (isJson)
        {
            terminal.Output.WriteLine(new JsonObject
            {
                ["valid"] = errors.Count == 0,
                ["errors"] = new JsonArray([.. errors.Select(e => JsonValue.Create(e))]),
                ["unused"] = new JsonArray([.. settings.Unused.Select(u => JsonValue.Create(u))]),
            }.ToJsonString(Json.Indented));
            return errors.Count == 0 ? ExitCode.Success : ExitCode.Failed;
        }
        foreach (var error in errors) terminal.Output.WriteLine(error);
        foreach (var key in settings.Unused) terminal.Output.WriteLine($"{key}: has no effect in this version");
        if (errors.Count > 0)
        {
            terminal.Note(errors.Count == 1 ? "1 error: the proxy would not start." : $"{errors.Count} errors: the proxy would not start.");
            return ExitCode.Failed;
        }
        terminal.Output.WriteLine("The settings are valid. Backends: " + string.Join(", ", settings.Backends.Select(b => b.Name)) + ".");
        terminal.Note("\"proxy backends test\" checks whether the backends answer.");
        return ExitCode.Success;
    }
}
