using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Proxy.Viewing;

namespace Proxy.Cli.Commands;

/// <summary><c>viewer install</c>: downloads OHIF by npm into a folder, for <c>Viewer:Path</c>.</summary>
internal static class ViewerCommand
{
    /// <summary>Creates the command.</summary>
    public static Command Create(Terminal terminal, Option<bool> json)
    {
        var path = new Option<string>("--path")
        {
            Description = "The folder; an earlier installation in it is replaced",
            DefaultValueFactory = _ => "ohif",
        };
        var version = new Option<string>("--version")
        {
            Description = "The version of @ohif/app",
            DefaultValueFactory = _ => ViewerPackage.DefaultVersion,
        };
        var install = new Command("install", "Downloads OHIF by npm into a folder") { path, version };
        install.SetAction((parsed, cancellation) => InstallAsync(
            terminal, parsed.GetValue(path)!, parsed.GetValue(version)!, parsed.GetValue(json), cancellation));
        return new("viewer", "The viewer at /viewer/") { install };
    }

    private static async Task<int> InstallAsync(
        Terminal terminal, string path, string version, bool isJson, CancellationToken cancellation)
    {
        terminal.Note($"Downloading OHIF {Terminal.Clean(version)}, about 50 MB.");
        var npm = NpmProgram.Find(Environment.GetEnvironmentVariable("PATH"));
        var installed = await new ViewerPackage(npm).InstallAsync(path, version, cancellation);
        if (installed.Error is { } error) throw new CommandException(Terminal.Clean(error, maxCharacters: 600));
        if (isJson)
        {
            terminal.Output.WriteLine(new JsonObject
            {
                ["path"] = installed.Folder,
                ["version"] = installed.Version,
                ["files"] = installed.Files,
                ["bytes"] = installed.Bytes,
            }.ToJsonString(Json.Indented));
            return ExitCode.Success;
        }
        var size = (installed.Bytes / 1e6).ToString("F0", CultureInfo.InvariantCulture);
        terminal.Output.WriteLine($"OHIF {installed.Version} is in {installed.Folder} ({installed.Files} files, {size} MB).");
        terminal.Output.WriteLine($"Start the proxy with --Viewer:Path={installed.Folder}, or write this to config/viewer.json:");
        terminal.Output.WriteLine(
            new JsonObject { ["Viewer"] = new JsonObject { ["Path"] = installed.Folder } }.ToJsonString(Json.Indented));
        terminal.Output.WriteLine($"The viewer is then at {ViewerEndpoints.Path} of the proxy.");
        return ExitCode.Success;
    }
}
