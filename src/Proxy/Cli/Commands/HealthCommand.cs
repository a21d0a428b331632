using System.CommandLine;
using System.Text.Json;

namespace Proxy.Cli.Commands;

/// <summary><c>health</c>: asks the running proxy whether it is ready. Containers need no curl for their health check.</summary>
internal static class HealthCommand
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);

    /// <summary>Creates the command.</summary>
    public static Command Create(Terminal terminal, Option<string> url)
    {
        var live = new Option<bool>("--live") { Description = "Asks only whether the process answers" };
        var command = new Command("health", "Exits with 0 if the running proxy is ready, else with 1: for containers") { live };
        command.SetAction((parsed, cancellation) =>
        {
            var path = parsed.GetValue(live) ? "live" : "ready";
            return RunAsync(terminal, $"{parsed.GetValue(url)!.TrimEnd('/')}/health/{path}", cancellation);
        });
        return command;
    }

    private static async Task<int> RunAsync(Terminal terminal, string address, CancellationToken cancellation)
    {
        using var client = new HttpClient(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false }) { Timeout = Timeout };
        try
        {
            using var answer = await client.GetAsync(address, cancellation);
            using var report = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(cancellation));
            terminal.Output.WriteLine(Terminal.Clean(report.RootElement.GetProperty("status").ToString()));
            return answer.IsSuccessStatusCode ? ExitCode.Success : ExitCode.Failed;
        }
        catch (Exception e) when (
            e is HttpRequestException or JsonException or InvalidOperationException or KeyNotFoundException
            || e is TaskCanceledException && !cancellation.IsCancellationRequested)
        {
            throw new CommandException($"No proxy answers at {Terminal.Clean(address)}. Is it running? --url is its address.");
        }
    }
}
