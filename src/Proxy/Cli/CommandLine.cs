using System.CommandLine;
using System.CommandLine.Completions;
using System.CommandLine.Invocation;
using Proxy.Cli.Commands;

namespace Proxy.Cli;

/// <summary>The command line: what starts the server, and the commands beside it.</summary>
/// <remarks>
/// The server accepts any setting as an argument (<c>--Backends:east:Address=...</c>) and ignores words that are no settings. So the first
/// argument decides before anything is parsed: settings, <c>serve</c> or nothing start the server; everything else is parsed strictly,
/// and a misspelt command is an error.
/// </remarks>
internal static class CommandLine
{
    private const string DemoFlag = "--demo", Serve = "serve";

    // "-?" and "/?" are what System.CommandLine offers for help, too.
    private static readonly string[] Answers = ["--help", "-h", "-?", "/?", "/h", "--version"];

    /// <summary>Whether the arguments are a command, and not the settings of a server.</summary>
    public static bool IsCommand(IReadOnlyList<string> args)
    {
        if (args.Count == 0) return false;
        if (args.Any(arg => Answers.Contains(arg, StringComparer.Ordinal))) return true;
        var first = args[0];
        if (first is Serve) return false;
        var isSetting = first.StartsWith('-') || first.StartsWith('/') || first.Contains('=', StringComparison.Ordinal);
        return !isSetting || first.Split('=')[0] is "--url" or "--json" or CommonOptions.TokenFile;
    }

    /// <summary>Whether the server starts with two demo PACS, and the other arguments, which are settings.</summary>
    public static (bool IsDemo, string[] Settings) ReadServe(string[] args) =>
        (args.Contains(DemoFlag), [.. args.Where((arg, at) => arg != DemoFlag && (at > 0 || arg != Serve))]);

    /// <summary>Runs a command.</summary>
    /// <param name="args">The arguments.</param>
    /// <param name="terminal">Where the command writes.</param>
    /// <param name="cancellation">Ends the command, besides Ctrl+C.</param>
    /// <returns>The exit code, see <see cref="ExitCode"/>.</returns>
    public static async Task<int> RunAsync(IReadOnlyList<string> args, Terminal terminal, CancellationToken cancellation)
    {
        var (words, given) = LocalSettings.Split(args);
        // "@word" is a word, such as a password, and not the name of a file with further arguments.
        var parsed = CreateRoot(terminal, given).Parse(words, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (parsed is { Errors.Count: > 0, Action: ParseErrorAction })
        {
            terminal.Note(Mistake.Describe(parsed));
            return ExitCode.Usage;
        }
        try
        {
            return await parsed.InvokeAsync(
                new() { Output = terminal.Output, Error = terminal.Error, EnableDefaultExceptionHandler = false }, cancellation);
        }
        catch (CommandException e)
        {
            terminal.Note(e.Message);
            return e.Code;
        }
        catch (Exception e) when (e is InvalidOperationException or System.Text.Json.JsonException)
        {
            // The JSON of another program, or of another version of the proxy, has other types.
            terminal.Note($"The answer of the proxy is not as expected; is it of the same version? ({Terminal.Clean(e.Message, 200)})");
            return ExitCode.Failed;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            terminal.Note(Terminal.Clean(e.Message, 200));
            return ExitCode.Failed;
        }
        catch (OperationCanceledException)
        {
            terminal.Note("Stopped.");
            return ExitCode.Failed;
        }
    }

    private static RootCommand CreateRoot(Terminal terminal, string[] given)
    {
        var (url, json) = (CommonOptions.CreateUrl(), CommonOptions.CreateJson());
        var root = new RootCommand(
            """
            One DICOMweb address in front of several PACS. Without a command, the server starts.

            Settings are read from appsettings.json, config/*.json, the environment (Backends__east__Address=...) and the command line
            (--Backends:east:Address=http://127.0.0.1:8042/dicom-web).
            """)
        {
            url, json, CommonOptions.CreateTokenFile(),
            // For the help and for suggestions: the server reads these two.
            new Option<bool>(DemoFlag) { Description = "Starts the server with two demo PACS: proxy --demo" },
            new Option<string>("--urls") { Description = "The addresses of the server [default: http://127.0.0.1:8080]" },
            new Command(Serve, "Starts the server; the default")
            {
                new Option<bool>(DemoFlag) { Description = "With two demo PACS and generated studies" },
                new Option<string>("--urls") { Description = "The addresses to listen on [default: http://127.0.0.1:8080]" },
            },
            CheckCommand.Create(terminal, json, given),
            BackendsCommand.Create(terminal, url, json, given),
            StudiesCommand.Create(terminal, url, json),
            CacheCommand.Create(terminal, url, json, given),
            PrefetchCommand.Create(terminal, url, json),
            DoctorCommand.Create(terminal, url, json),
            HealthCommand.Create(terminal, url),
            OhifCommand.Create(terminal, url, given),
            ViewerCommand.Create(terminal, json),
            CompletionCommand.Create(terminal),
        };
        root.Options.OfType<VersionOption>().Single().Action = new VersionAction(terminal);
        root.Directives.Add(new SuggestDirective());
        return root;
    }

    private sealed class VersionAction(Terminal terminal) : SynchronousCommandLineAction
    {
        public override bool Terminating => true;

        public override int Invoke(ParseResult parseResult)
        {
            terminal.Output.WriteLine($"proxy {ProductVersion.Text} (.NET {Environment.Version})");
            return ExitCode.Success;
        }
    }
}
