using System.CommandLine;
using System.Text.Json.Nodes;
using Proxy.Dicom;
using Spectre.Console;

namespace Proxy.Cli.Commands;

/// <summary><c>prefetch</c>: lets the running proxy fetch studies, and shows the progress.</summary>
internal static class PrefetchCommand
{
    private const int MaxStudies = 1000;

    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(250);

    private static readonly string[] Parts = ["series", "instances", "frames"];

    /// <summary>Creates the command.</summary>
    public static Command Create(Terminal terminal, Option<string> url, Option<bool> json)
    {
        var studies = new Argument<string[]>("study") { Description = "Study Instance UIDs", Arity = ArgumentArity.ZeroOrMore };
        var worklist = new Option<string?>("--worklist")
        {
            Description = "The studies of a search, such as \"CT today\"",
            HelpName = "query",
        };
        var detach = new Option<bool>("--detach") { Description = "Does not wait for the end" };
        var command = new Command("prefetch", "Fetches studies into the cache of the running proxy") { studies, worklist, detach };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var proxy = ProxyClient.Create(parsed, parsed.GetValue(url)!);
            var chosen = await ChooseAsync(terminal, proxy, parsed.GetValue(studies) ?? [], parsed.GetValue(worklist), cancellation);
            var (job, _) = await proxy.AskAsync(HttpMethod.Post, "/prefetch", new JsonObject
            {
                ["studies"] = new JsonArray([.. chosen.Select(uid => JsonValue.Create(uid))]),
                ["priority"] = "now",
            }, cancellation);
            var path = $"/prefetch/{(string?)job?["id"]}";
            if (!parsed.GetValue(detach)) job = await FollowAsync(terminal, proxy, path, cancellation);
            return Finish(terminal, job!, path, parsed.GetValue(json));
        });
        return command;
    }

    private static async Task<IReadOnlyList<string>> ChooseAsync(
        Terminal terminal, ProxyClient proxy, IReadOnlyList<string> named, string? worklist, CancellationToken cancellation)
    {
        if (named.FirstOrDefault(uid => !Uid.TryParse(uid, out _)) is { } wrong)
        {
            throw new CommandException(
                $"\"{Terminal.Clean(wrong)}\" is not a UID; a search is written --worklist \"CT today\"", ExitCode.Usage);
        }
        if (worklist is null)
            return named.Count > 0 ? named : throw new CommandException("Name a study, or --worklist \"CT today\".", ExitCode.Usage);
        var list = await StudyList.AskAsync(proxy, [worklist], MaxStudies, cancellation);
        foreach (var warning in list.Warnings) terminal.Note(Terminal.Clean(warning, 300));
        var found = named.Union(list.Rows.Select(row => StudyList.Read(row, "0020000D")).Where(uid => Uid.TryParse(uid, out _))).ToList();
        terminal.Note(found.Count == 1 ? "1 study." : $"{found.Count} studies.");
        return found.Count > 0 ? found : throw new CommandException("The work list is empty: there is nothing to fetch.");
    }

    /// <summary>Follows a job to its end. Ctrl+C ends the command, and the job continues.</summary>
    private static async Task<JsonNode> FollowAsync(Terminal terminal, ProxyClient proxy, string path, CancellationToken cancellation)
    {
        try
        {
            if (!terminal.IsErrorScreen) return await PollAsync(proxy, path, _ => { }, cancellation);
            return await terminal.CreateConsole(isForResult: false).Progress()
                .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new ElapsedTimeColumn())
                .StartAsync(progress =>
                {
                    var task = progress.AddTask("prefetch");
                    return PollAsync(proxy, path, job =>
                    {
                        task.Value = 100 * FindProgress(job);
                        task.Description = Markup.Escape(
                            $"{(string?)job["state"]}, {CacheCommand.Size(job["bytes"]?["done"])}{Waiting(job)}");
                    }, cancellation);
                });
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            throw new CommandException($"The job continues; \"curl -X DELETE\" of {path} cancels it.");
        }

        static string Waiting(JsonNode job) => job["waiting"] is JsonValue reason ? $", waits: {Terminal.Clean(reason.ToString())}" : "";
    }

    private static async Task<JsonNode> PollAsync(ProxyClient proxy, string path, Action<JsonNode> show, CancellationToken cancellation)
    {
        using var timer = new PeriodicTimer(PollInterval, TimeProvider.System);
        while (true)
        {
            var job = await proxy.GetAsync(path, cancellation);
            show(job);
            if ((string?)job["state"] is not ("queued" or "running")) return job;
            await timer.WaitForNextTickAsync(cancellation);
        }
    }

    private static double FindProgress(JsonNode job)
    {
        var total = Parts.Sum(part => (double?)job[part]?["total"] ?? 0);
        return total == 0 ? 0 : Math.Min(1, Parts.Sum(part => (double?)job[part]?["done"] ?? 0) / total);
    }

    private static int Finish(Terminal terminal, JsonNode job, string path, bool isJson)
    {
        var state = (string?)job["state"] ?? "unknown";
        if (isJson) terminal.Output.WriteLine(job.ToJsonString(Json.Indented));
        else
        {
            var counts = Parts.Prepend("studies").Select(part => $"{job[part]?["done"] ?? 0} of {job[part]?["total"] ?? 0} {part}");
            terminal.Output.WriteLine($"{path}: {state}; {string.Join(", ", counts)}; {CacheCommand.Size(job["bytes"]?["done"])} fetched.");
            foreach (var error in (job["errors"] as JsonArray ?? []).OfType<JsonObject>().Take(20))
            {
                var (study, reason) = ((string?)error["study"] ?? "", (string?)error["reason"] ?? "");
                terminal.Output.WriteLine($"  {Terminal.Clean(study)}: {Terminal.Clean(reason, 300)}");
            }
        }
        return state is "failed" or "cancelled" ? ExitCode.Failed : ExitCode.Success;
    }
}
