using System.CommandLine;
using Proxy.Backends;
using Proxy.Viewing;

namespace Proxy.Cli.Commands;

/// <summary><c>ohif</c>: the data source of OHIF for this proxy. Nothing needs to run.</summary>
internal static class OhifCommand
{
    /// <summary>Creates the command.</summary>
    public static Command Create(Terminal terminal, Option<string> url, string[] given)
    {
        var command = new Command("ohif", "Prints the data source for OHIF's app-config.js. --url is the address that the viewer uses");
        command.SetAction(parsed => Run(terminal, LocalSettings.Read(given).Settings, parsed.GetValue(url)!.TrimEnd('/')));
        return command;
    }

    private static int Run(Terminal terminal, Settings settings, string address)
    {
        var all = new BackendSet(settings.Backends).AsOne;
        var source = OhifEndpoints.CreateSource(address, all, settings.Store.Backend is not null || all.Backends.Count == 1);
        terminal.Note("Add this to the \"dataSources\" of OHIF's app-config.js; \"defaultDataSourceName\" is \"proxy\".");
        terminal.Note($"The running proxy has the whole file at {address}/ohif/app-config.js.");
        terminal.Output.WriteLine(source.ToJsonString(Json.Indented));
        return ExitCode.Success;
    }
}
