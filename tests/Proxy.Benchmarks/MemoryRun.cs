using System.Globalization;

namespace Proxy.Benchmarks;

/// <summary>
/// Memory under load: in each case the resident memory stays within the budget plus 300 MB, and falls again afterwards.
/// </summary>
/// <remarks>
/// Each case starts a proxy in a separate process in front of a <see cref="FramePacs"/> in this process. "After" is the resident memory
/// at most <see cref="Rest"/> after the clients have disconnected; it may be the size of the memory tier plus 150 MB.
/// </remarks>
internal static class MemoryRun
{
    private const long Megabyte = 1024 * 1024;
    private const long Allowance = 300 * Megabyte;
    private const long AllowanceAfter = 150 * Megabyte;

    private static readonly TimeSpan Held = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(45);
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(2);

    /// <summary>Runs one case or all; the exit code of the process is 1 when one fails.</summary>
    public static async Task RunAsync(string[] names)
    {
        await using var pacs = await FramePacs.StartAsync();
        var fixedPacs = await FixedPacs.StartAsync();
        Dictionary<string, Func<Task<bool>>> cases = new()
        {
            ["slow"] = () => SlowReadersAsync(pacs),
            ["large"] = () => LargeFillsAsync(pacs),
            ["hosts"] = () => ManyHostsAsync(fixedPacs),
            ["crowd"] = () => CrowdAsync(pacs),
            ["passing"] = () => PassingAsync(pacs),
        };
        foreach (var name in names.Length > 0 ? names : [.. cases.Keys])
        {
            if (!await cases[name]()) Environment.ExitCode = 1;
        }
    }

    private static async Task<bool> SlowReadersAsync(FramePacs pacs)
    {
        const long budget = 256 * Megabyte;
        var folder = Directory.CreateTempSubdirectory("proxy-memory-");
        try
        {
            string[] settings = [$"--Cache:Disk:Path={folder.FullName}", "--Cache:Disk:MaxBytes=4294967296"];
            var path = "dicomweb/" + FramePacs.FramePath(3072, 2560, 1);
            using (var first = await StartAsync(pacs.Root, budget, settings))
            {
                await AskAsync(first, path);
                await UntilAsync(async () => (await ShowAsync(first)).Disk > 0);
            }
            using var proxy = await StartAsync(pacs.Root, budget, settings);
            for (var i = 0; i < 3; i++) await AskAsync(proxy, path);
            return await HoldAsync(
                "150 slow readers of one frame of 15 MB that came from disk", proxy, budget, Enumerable.Repeat(path, 150));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task<bool> LargeFillsAsync(FramePacs pacs)
    {
        const long budget = 1024 * Megabyte;
        using var proxy = await StartAsync(
            pacs.Root, budget, ["--Backends:east:MaxConcurrentRequests=64", "--Backends:east:Timeout=00:01:00"]);
        var isWithin = await HoldAsync(
            "50 slow readers of 64 MB each, without a disk", proxy, budget,
            Enumerable.Range(1, 50).Select(n => "dicomweb/" + FramePacs.FramePath(8192, 4096, n)));
        var before = proxy.Resident;
        proxy.ResetPeak();
        await Parallel.ForEachAsync(
            Enumerable.Range(51, 50), new ParallelOptions { MaxDegreeOfParallelism = 50 },
            async (n, _) => await AskAsync(proxy, "dicomweb/" + FramePacs.FramePath(8192, 4096, n)));
        return await ReportAsync("50 clients of 64 MB each at once, without a disk", proxy, budget, before) && isWithin;
    }

    private static async Task<bool> ManyHostsAsync(FixedPacs pacs)
    {
        const long budget = 128 * Megabyte;
        using var proxy = await StartAsync(pacs.Root, budget, ["--Security:AllowedHosts:0=*.viewer.example"]);
        var path = new Uri(proxy.Root, $"dicomweb/studies/{FixedPacs.Study}/series/{FixedPacs.Series}/metadata");
        await AskAsync(proxy, path.PathAndQuery[1..], Bench.JsonAccept);
        var before = proxy.Resident;
        proxy.ResetPeak();
        using var client = Bench.NewClient();
        await Parallel.ForEachAsync(
            Enumerable.Range(1, 6000), new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (n, cancellation) =>
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, path);
            request.Headers.Host = $"n{n}.viewer.example";
            request.Headers.TryAddWithoutValidation("Accept-Encoding", n % 3 == 0 ? "identity" : n % 3 == 1 ? "gzip" : "br");
            using var response = await client.SendAsync(request, cancellation);
            response.EnsureSuccessStatusCode();
            await response.Content.ReadAsByteArrayAsync(cancellation);
        });
        return await ReportAsync("metadata under 6,000 Host names", proxy, budget, before);
    }

    private static async Task<bool> CrowdAsync(FramePacs pacs)
    {
        const long budget = 128 * Megabyte;
        using var proxy = await StartAsync(pacs.Root, budget, []);
        await AskAsync(proxy, "dicomweb/" + FramePacs.FramePath(2048, 2048, 1));
        return await HoldAsync(
            "2,000 slow readers of one cold frame of 8 MB", proxy, budget,
            Enumerable.Repeat("dicomweb/" + FramePacs.FramePath(2048, 2048, 2), 2000));
    }

    private static async Task<bool> PassingAsync(FramePacs pacs)
    {
        const long budget = 128 * Megabyte;
        using var proxy = await StartAsync(pacs.Root, budget, []);
        await AskAsync(proxy, "dicomweb/" + FramePacs.FramePath(2048, 2048, 1));
        var before = proxy.Resident;
        proxy.ResetPeak();
        await Parallel.ForEachAsync(
            Enumerable.Range(2, 256), new ParallelOptions { MaxDegreeOfParallelism = 8 },
            async (n, _) => await AskAsync(proxy, "dicomweb/" + FramePacs.FramePath(2048, 2048, n)));
        return await ReportAsync("2 GB of frames passed through", proxy, budget, before);
    }

    private static Task<ProxyProcess> StartAsync(Uri pacs, long budget, IEnumerable<string> settings) => ProxyProcess.StartAsync(
        [$"--Backends:east:Address={pacs}", $"--Cache:Memory:MaxBytes={budget}", "--Cache:Metadata:Freshness=01:00:00",
        "--Prefetch:SeriesReadAhead=false", "--Prefetch:NextStudies=0", "--Prefetch:Priors=0", .. settings]);

    private static async Task AskAsync(ProxyProcess proxy, string path, string accept = Bench.FrameAccept)
    {
        using var client = Bench.NewClient();
        await Bench.AskAsync(client, new Uri(proxy.Root, path), accept);
    }

    /// <summary>All clients send a request, read slowly for a while, and disconnect.</summary>
    private static async Task<bool> HoldAsync(string name, ProxyProcess proxy, long budget, IEnumerable<string> paths)
    {
        var before = proxy.Resident;
        proxy.ResetPeak();
        using var leaving = new CancellationTokenSource();
        var readers = new List<SlowReader>();
        foreach (var path in paths) readers.Add(await SlowReader.StartAsync(proxy.Root, path, Bench.FrameAccept, leaving.Token));
        var started = TimeProvider.System.GetTimestamp();
        while (readers.Exists(r => r.Received < 8192) && TimeProvider.System.GetElapsedTime(started) < Longest / 2)
            await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, CancellationToken.None);
        await Task.Delay(Held, TimeProvider.System, CancellationToken.None);
        var served = readers.Count(r => r.Received >= 8192);
        await leaving.CancelAsync();
        readers.ForEach(r => r.Dispose());
        return await ReportAsync($"{name} ({served} were served)", proxy, budget, before);
    }

    private static async Task<bool> ReportAsync(string name, ProxyProcess proxy, long budget, long before)
    {
        var cached = (await ShowAsync(proxy)).Memory;
        var started = TimeProvider.System.GetTimestamp();
        while (proxy.Resident > cached + AllowanceAfter && TimeProvider.System.GetElapsedTime(started) < Rest)
            await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System);
        var peak = proxy.PeakResident;
        var (bound, after, boundAfter) = (budget + Allowance, proxy.Resident, cached + AllowanceAfter);
        var isWithin = peak <= bound && after <= boundAfter;
        Print($"{(isWithin ? "holds" : "FAILS")}  {name}: before {before / Megabyte} MB, peak {peak / Megabyte} of {bound / Megabyte} MB,");
        Print($"       after {after / Megabyte} of {boundAfter / Megabyte} MB, processor {proxy.ProcessorTime.TotalSeconds:F1} s");
        return isWithin;
    }

    /// <summary>The cached bytes of each tier.</summary>
    private static async Task<(long Memory, long Disk)> ShowAsync(ProxyProcess proxy)
    {
        using var client = Bench.NewClient();
        using var cache = System.Text.Json.JsonDocument.Parse(await client.GetStringAsync(new Uri(proxy.Root, "cache")));
        return (Read("memory"), Read("disk"));

        long Read(string tier) => cache.RootElement.GetProperty(tier).GetProperty("bytes").GetInt64();
    }

    private static async Task UntilAsync(Func<Task<bool>> isSo)
    {
        for (var started = TimeProvider.System.GetTimestamp(); !await isSo();)
        {
            if (TimeProvider.System.GetElapsedTime(started) > Longest)
                throw new InvalidOperationException("The proxy did not reach the expected state.");
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System);
        }
    }

    private static void Print(FormattableString line) => Console.WriteLine(line.ToString(CultureInfo.InvariantCulture));
}
