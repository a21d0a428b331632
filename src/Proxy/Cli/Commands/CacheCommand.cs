using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging.Abstractions;
using Proxy.Cache;
using Proxy.Cache.OnDisk;
using Proxy.Dicom;

namespace Proxy.Cli.Commands;

/// <summary><c>cache stats</c>, <c>cache verify</c> and <c>cache purge</c>.</summary>
internal static class CacheCommand
{
    /// <summary>Creates the commands.</summary>
    public static Command Create(Terminal terminal, Option<string> url, Option<bool> json, string[] given)
    {
        var stats = new Command("stats", "What the running proxy has cached, by tier and PACS");
        stats.SetAction(async (parsed, cancellation) =>
        {
            using var proxy = ProxyClient.Create(parsed, parsed.GetValue(url)!);
            var report = await proxy.GetAsync("/cache", cancellation);
            if (parsed.GetValue(json)) terminal.Output.WriteLine(report.ToJsonString(Json.Indented));
            else WriteStats(terminal, report);
            return ExitCode.Success;
        });
        var verify = new Command("verify", "Reads every file in the cache folder of the local settings and compares its checksum");
        verify.SetAction((parsed, cancellation) =>
            Task.FromResult(Verify(terminal, LocalSettings.Read(given).Settings.Cache, parsed.GetValue(json), cancellation)));
        return new Command("cache", "Commands about the cache") { stats, verify, CreatePurge(terminal, url) };
    }

    private static Command CreatePurge(Terminal terminal, Option<string> url)
    {
        var study = new Argument<string?>("study")
        {
            Description = "A Study Instance UID; without it, everything",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var yes = new Option<bool>("--yes") { Description = "Does not ask" };
        var patient = new Option<string?>("--patient") { Description = "A Patient ID: purges the studies of this patient" };
        var backend = new Option<string?>("--backend") { Description = "The name of a PACS: purges everything of it" };
        var purge = new Command("purge", "Deletes a part, or everything, from the cache of the running proxy. The PACS are not touched")
        {
            study, patient, backend, yes,
        };
        purge.SetAction(async (parsed, cancellation) =>
        {
            var (uid, id, name) = (parsed.GetValue(study), parsed.GetValue(patient), parsed.GetValue(backend));
            if (new[] { uid, id, name }.Count(given => given is not null) > 1)
                throw new CommandException("Name a study, --patient or --backend, not several of them.", ExitCode.Usage);
            if (uid is not null && !Uid.TryParse(uid, out _))
                throw new CommandException($"\"{Terminal.Clean(uid)}\" is not a UID: digits and dots", ExitCode.Usage);
            using var proxy = ProxyClient.Create(parsed, parsed.GetValue(url)!);
            var (what, path) = (uid, id, name) switch
            {
                ({ }, _, _) => ("study " + uid, $"/cache/studies/{uid}"),
                (_, { }, _) => ("the studies of one patient", "/cache/patients/" + Uri.EscapeDataString(id)),
                (_, _, { }) => ("everything of PACS " + Terminal.Clean(name), "/cache/backends/" + Uri.EscapeDataString(name)),
                _ => (await DescribeAllAsync(proxy, cancellation), "/cache"),
            };
            if (!parsed.GetValue(yes) && !Confirm(terminal, what)) return ExitCode.Failed;
            await proxy.AskAsync(HttpMethod.Delete, path, null, cancellation);
            terminal.Output.WriteLine("Purged: " + what);
            return ExitCode.Success;
        });
        return purge;
    }

    private static bool Confirm(Terminal terminal, string what)
    {
        if (terminal.Input is null)
            throw new CommandException($"This purges {what}: add --yes, because there is no user to ask.", ExitCode.Usage);
        terminal.Error.Write($"Purge {what}? [y/N] ");
        if (terminal.Input.ReadLine()?.Trim().ToUpperInvariant() is "Y" or "YES") return true;
        terminal.Note("Nothing was purged.");
        return false;
    }

    private static async Task<string> DescribeAllAsync(ProxyClient proxy, CancellationToken cancellation)
    {
        var report = await proxy.GetAsync("/cache", cancellation);
        return $"{Count(report["store"]?["studies"])} studies, {Count(report["memory"]?["entries"])} entries in memory "
            + $"({Size(report["memory"]?["bytes"])}) and {Count(report["disk"]?["entries"])} on disk ({Size(report["disk"]?["bytes"])})";
    }

    private static void WriteStats(Terminal terminal, JsonNode report)
    {
        string[] columns = ["", "studies", "tier", "entries", "bytes", "budget", "hits", "misses", "hit ratio", "evictions"];
        var rows = new List<IReadOnlyList<string>>();
        Add("all", report["store"]?["studies"], report);
        foreach (var (name, usage) in report["backends"]?.AsObject() ?? []) Add(name, usage?["studies"], usage!);
        terminal.WriteTable(columns, rows);
        var (store, disk) = (report["store"], report["disk"]);
        terminal.Output.WriteLine($"Metadata in memory: {Size(store?["bytes"])} of {Size(store?["maxBytes"])}. Disk: {disk?["state"]}"
            + (disk?["reason"] is { } reason ? $" ({Terminal.Clean(reason.ToString(), 200)})." : "."));

        void Add(string name, JsonNode? studies, JsonNode of)
        {
            foreach (var tier in (string[])["memory", "disk"])
            {
                if (of[tier] is not { } use) continue;
                rows.Add([
                    tier == "memory" ? name : "", tier == "memory" ? Count(studies) : "", tier, Count(use["entries"]), Size(use["bytes"]),
                    use["maxBytes"] is { } budget ? Size(budget) : "", Count(use["hits"]), Count(use["misses"]),
                    use["hitRatio"] is { } ratio ? string.Create(CultureInfo.InvariantCulture, $"{(double)ratio:0.0%}") : "-",
                    Count(use["evictions"])]);
            }
        }
    }

    private static int Verify(Terminal terminal, CacheOptions cache, bool isJson, CancellationToken cancellation)
    {
        if (cache.DiskPath is null) throw new CommandException("Cache:Disk:Path is not set: there is no cache folder to verify.");
        var found = EntryVerification.Run(cache.DiskPath, cache.Encryption.CreateRing(NullLogger.Instance), cancellation);
        if (isJson)
        {
            terminal.Output.WriteLine(new JsonObject
            {
                ["files"] = found.Files,
                ["bytes"] = found.Bytes,
                ["damaged"] = found.Damaged,
            }.ToJsonString(Json.Indented));
        }
        else
        {
            var verdict = found.Damaged == 0 ? "all sound" : $"{Count(found.Damaged)} damaged";
            terminal.Output.WriteLine($"{Count(found.Files)} files, {Size(found.Bytes)}: {verdict}.");
            if (found.Damaged > 0)
                terminal.Note("The proxy serves no damaged file: it deletes it when it is requested, and asks the PACS.");
        }
        return found.Damaged == 0 ? ExitCode.Success : ExitCode.Failed;
    }

    private static string Count(JsonNode? number) => Count((long?)number ?? 0);

    private static string Count(long number) => number.ToString("#,0", CultureInfo.InvariantCulture);

    /// <summary>A number of bytes in the report of a proxy, for people.</summary>
    public static string Size(JsonNode? number) => Size((long?)number ?? 0);

    private static string Size(long bytes)
    {
        var (size, unit) = ((double)bytes, 0);
        string[] units = ["B", "KiB", "MiB", "GiB", "TiB"];
        for (; size >= 1024 && unit < units.Length - 1; unit++) size /= 1024;
        return string.Create(CultureInfo.InvariantCulture, $"{size:0.#} {units[unit]}");
    }
}
