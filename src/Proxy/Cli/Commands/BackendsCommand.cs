using System.CommandLine;
using System.Text.Json;
using Proxy.Admin.Testing;
using Spectre.Console;

namespace Proxy.Cli.Commands;

/// <summary><c>backends test [name]</c>: tests the PACS of the local settings, or those of a running proxy.</summary>
internal static class BackendsCommand
{
    /// <summary>Creates the command.</summary>
    public static Command Create(Terminal terminal, Option<string> url, Option<bool> json, string[] given)
    {
        var name = new Argument<string?>("name") { Description = "The name of one backend", Arity = ArgumentArity.ZeroOrOne };
        var test = new Command(
            "test", "Tests each PACS: connection, credential, searches, metadata, frames, page cap, latency and rate. "
            + "Uses the local settings, or with --url those of the running proxy")
        {
            name,
        };
        test.SetAction(async (parsed, cancellation) =>
        {
            var isRemote = parsed.GetResult(url) is { Implicit: false };
            var local = LocalSettings.Read(given);
            // Without any backend in the local settings, such as beside a demo, the running proxy knows.
            isRemote |= !local.Builder.Configuration.GetSection("Backends").GetChildren().Any();
            if (!isRemote && local.Errors.Count > 0)
                throw new CommandException(string.Join('\n', local.Errors) + "\nThe settings are wrong; \"proxy check\" checks them.");
            var reports = isRemote
                ? await TestRemotelyAsync(terminal, ProxyClient.Create(parsed, parsed.GetValue(url)!), parsed.GetValue(name), cancellation)
                : await TestLocallyAsync(terminal, local, parsed.GetValue(name), cancellation);
            Write(terminal, reports, parsed.GetValue(json));
            return reports.All(report => report.IsUsable) ? ExitCode.Success : ExitCode.Failed;
        });
        return new Command("backends", "Commands about the configured PACS") { test };
    }

    private static void Write(Terminal terminal, IReadOnlyList<TestReport> reports, bool isJson)
    {
        if (isJson)
        {
            terminal.Output.WriteLine(JsonSerializer.Serialize(reports, Json.Indented));
            return;
        }
        TestTable.Write(terminal, reports);
        foreach (var report in reports) TestTable.WriteDetails(terminal, report);
    }

    private static async Task<IReadOnlyList<TestReport>> TestLocallyAsync(
        Terminal terminal, LocalSettings local, string? name, CancellationToken cancellation)
    {
        await using var backends = new LocalBackends(local);
        var chosen = Choose(backends.All.All.Select(b => b.Name), name);
        return await TestAsync(terminal, chosen, one => backends.Tests.RunAsync(backends.All.Find(one)!, cancellation));
    }

    private static async Task<IReadOnlyList<TestReport>> TestRemotelyAsync(
        Terminal terminal, ProxyClient client, string? name, CancellationToken cancellation)
    {
        using var proxy = client;
        // The proxy names its backends to operators only.
        var known = (await proxy.GetAsync("/health/ready", cancellation))["backends"]?.AsObject().Select(b => b.Key)
            ?? throw new CommandException(
                "Only operators may test the backends: name a file with an operator's token with --token-file, or set PROXY_TOKEN.");
        return await TestAsync(terminal, Choose(known, name), async one =>
            (await proxy.AskAsync(HttpMethod.Post, $"/backends/{Uri.EscapeDataString(one)}/test", null, cancellation))
            .Json.Deserialize<TestReport>(Json.Indented) ?? throw new CommandException("The proxy has sent no report."));
    }

    private static List<string> Choose(IEnumerable<string> known, string? name)
    {
        var all = known.ToList();
        if (name is null) return all;
        var found = all.FirstOrDefault(one => one.Equals(name, StringComparison.OrdinalIgnoreCase));
        return found is not null
            ? [found]
            : throw new CommandException(
                $"No backend is called \"{Terminal.Clean(name)}\": {string.Join(", ", all.Select(one => Terminal.Clean(one)))}",
                ExitCode.Usage);
    }

    /// <summary>Tests all at once, with a line of progress for each on a screen.</summary>
    private static async Task<IReadOnlyList<TestReport>> TestAsync(
        Terminal terminal, IReadOnlyList<string> names, Func<string, Task<TestReport>> test)
    {
        if (!terminal.IsErrorScreen) return await Task.WhenAll(names.Select(test));
        return await terminal.CreateConsole(isForResult: false).Progress().AutoClear(true)
            .Columns(new TaskDescriptionColumn(), new SpinnerColumn(), new ElapsedTimeColumn())
            .StartAsync(progress => Task.WhenAll(names.Select(async name =>
            {
                var task = progress.AddTask(Markup.Escape(Terminal.Clean($"testing {name}")));
                task.IsIndeterminate = true;
                var report = await test(name);
                task.Value = task.MaxValue;
                return report;
            })));
    }
}
