using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;

namespace Proxy.Benchmarks;

/// <summary>
/// Hits of the proxy beside nginx and Varnish in front of the same PACS, in turn: requests per second, processor time per request and
/// their ratios; then memory. Needs Linux, wrk and taskset.
/// </summary>
internal static partial class HitsRun
{
    private const int Rounds = 5;
    private const int Seconds = 2;
    private const int WarmSeconds = 3;
    private const string Browser = "gzip, deflate, br, zstd";
    private const string List = "studies?limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060";

    private static readonly Workload[] Workloads =
    [
        new("metadata, browser", SeriesMetadata, Bench.JsonAccept, Browser),
        new("metadata, identity", SeriesMetadata, Bench.JsonAccept),
        new("metadata, 304", SeriesMetadata, Bench.JsonAccept, Browser, HasTag: true),
        new("study list, browser", List, Bench.JsonAccept, Browser),
        new("CT 512 KiB, identity", FixedPacs.FramePath(FixedPacs.PackableInstance), Bench.FrameAccept),
        new("CT 512 KiB, browser", FixedPacs.FramePath(FixedPacs.PackableInstance), Bench.FrameAccept, Browser),
        new("CT 512 KiB, 304", FixedPacs.FramePath(FixedPacs.PackableInstance), Bench.FrameAccept, HasTag: true),
        new("CR 8 MiB", FixedPacs.FramePath(FixedPacs.LargeInstance), Bench.FrameAccept),
        new("CT, 256 connections", FixedPacs.FramePath(FixedPacs.PackableInstance), Bench.FrameAccept, Connections: 256),
    ];

    private static string SeriesMetadata => $"studies/{FixedPacs.Study}/series/{FixedPacs.Series}/metadata";

    private sealed record Workload(
        string Name, string Path, string Accept, string Encoding = "", bool HasTag = false, int Connections = 8);

    private sealed record Result(double Rate, double Microseconds, double P99, bool IsFaulty);

    /// <summary>Runs the table.</summary>
    /// <param name="only">Parts of the names of the workloads to run; none for all, and for the runs of memory.</param>
    public static async Task RunAsync(string[] only)
    {
        if (!OperatingSystem.IsLinux() || !HitTarget.IsInstalled("wrk") || !HitTarget.IsInstalled("taskset"))
        {
            Console.WriteLine("Needs Linux, wrk and taskset.");
            return;
        }
        var pacs = await FixedPacs.StartAsync();
        var folder = Directory.CreateTempSubdirectory("hits-").FullName;
        try
        {
            await CompareAsync(pacs.Root, folder, only);
            if (only.Length > 0) return;
            await ShowMemoryAsync(pacs.Root, folder);
            await ShowOpeningAsync(pacs.Root, folder);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task CompareAsync(Uri pacs, string folder, string[] only)
    {
        using var ours = await HitTarget.StartProxyAsync("proxy", pacs, $"--Cache:Disk:Path={folder}/cache");
        using var disk = await HitTarget.StartProxyAsync(
            "proxy, disk", pacs, $"--Cache:Disk:Path={folder}/disk", "--Cache:Memory:MaxBytes=2097152");
        using var nginx = HitTarget.TryStartNginx(pacs, folder);
        using var varnish = HitTarget.TryStartVarnish(pacs, folder);
        foreach (var workload in Workloads.Where(w => only.Length == 0 || only.Any(o => w.Name.Contains(o, StringComparison.Ordinal))))
        {
            List<HitTarget> targets = [ours];
            if (workload.Path.Contains("frames", StringComparison.Ordinal) && workload.Encoding.Length == 0) targets.Add(disk);
            if (nginx is not null) targets.Add(nginx);
            if (varnish is not null) targets.Add(varnish);
            var tags = new Dictionary<HitTarget, string?>();
            foreach (var target in targets)
            {
                for (var i = 0; i < 3; i++) tags[target] = await AskAsync(target, workload);
                Load(target, workload, tags[target], WarmSeconds);
            }
            var results = targets.ToDictionary(t => t, _ => new List<Result>());
            for (var round = 0; round < Rounds; round++)
            {
                foreach (var target in targets) results[target].Add(Load(target, workload, tags[target], Seconds));
            }
            Show(workload, results);
        }
    }

    private static void Show(Workload workload, Dictionary<HitTarget, List<Result>> results)
    {
        var (rate, time) = (0.0, 0.0);
        foreach (var (target, all) in results)
        {
            var (r, t, p) = (Median(all, x => x.Rate), Median(all, x => x.Microseconds), Median(all, x => x.P99));
            if (rate == 0) (rate, time) = (r, t);
            Console.WriteLine(
                $"{workload.Name,-22} {target.Name,-12} {r,9:F0}/s {t,8:F1} us CPU  p99 {p,7:F2} ms   proxy: {rate / r:F2} of its rate, "
                + $"{t / time:F2} by CPU{(all.Exists(x => x.IsFaulty) ? "  ERRORS" : "")}");
        }
    }

    private static double Median(List<Result> results, Func<Result, double> value) =>
        results.Select(value).Order().ElementAt(results.Count / 2);

    private static async Task<string?> AskAsync(HitTarget target, Workload workload)
    {
        using var client = Bench.NewClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(target.Root, workload.Path));
        request.Headers.TryAddWithoutValidation("Accept", workload.Accept);
        if (workload.Encoding.Length > 0) request.Headers.TryAddWithoutValidation("Accept-Encoding", workload.Encoding);
        using var response = await client.SendAsync(request);
        response.EnsureSuccessStatusCode();
        return workload.HasTag ? response.Headers.ETag?.ToString() : null;
    }

    private static Result Load(HitTarget target, Workload workload, string? tag, int seconds)
    {
        List<string> arguments =
        [
            "-c", (Environment.ProcessorCount - 1).ToString(CultureInfo.InvariantCulture), "wrk", "-t1", $"-c{workload.Connections}",
            $"-d{seconds}s", "--latency", "--timeout", "30s", "-H", $"Accept: {workload.Accept}",
        ];
        if (workload.Encoding.Length > 0) arguments.AddRange(["-H", $"Accept-Encoding: {workload.Encoding}"]);
        if (tag is not null) arguments.AddRange(["-H", $"If-None-Match: {tag}"]);
        arguments.Add(new Uri(target.Root, workload.Path).ToString());
        var before = target.ProcessorTime;
        using var wrk = Process.Start(
            new ProcessStartInfo("taskset", arguments) { RedirectStandardOutput = true, UseShellExecute = false })!;
        var text = wrk.StandardOutput.ReadToEnd();
        wrk.WaitForExit();
        var used = target.ProcessorTime - before;
        var requests = double.Parse(Requests().Match(text).Groups[1].Value, CultureInfo.InvariantCulture);
        var rate = double.Parse(Rate().Match(text).Groups[1].Value, CultureInfo.InvariantCulture);
        var p99 = Percentile().Match(text);
        var unit = p99.Groups[2].Value switch { "us" => 0.001, "ms" => 1, _ => 1000.0 };
        return new(
            rate, used.TotalMicroseconds / Math.Max(requests, 1),
            double.Parse(p99.Groups[1].Value, CultureInfo.InvariantCulture) * unit,
            text.Contains("Non-2xx", StringComparison.Ordinal) || text.Contains("Socket errors", StringComparison.Ordinal));
    }

    /// <summary>2 GB of frames through a budget of 128 MB; then 10,000 idle connections.</summary>
    private static async Task ShowMemoryAsync(Uri pacs, string folder)
    {
        const int Frames = 4096, Connections = 10_000;
        using var proxy = await HitTarget.StartProxyAsync(
            "proxy", pacs, $"--Cache:Disk:Path={folder}/small", "--Cache:Memory:MaxBytes=134217728");
        using var client = Bench.NewClient();
        await Parallel.ForEachAsync(
            Enumerable.Range(1000, Frames), new ParallelOptions { MaxDegreeOfParallelism = 8 },
            async (i, _) => await Bench.AskAsync(client, new Uri(proxy.Root, FixedPacs.FramePath(i)), Bench.FrameAccept));
        Console.WriteLine(
            $"2 GB of frames, memory budget 128 MB: RSS at most {proxy.PeakResident >> 20} MB, now {proxy.Resident >> 20} MB");

        var sockets = new List<Socket>();
        try
        {
            var before = proxy.Resident;
            var request = Encoding.ASCII.GetBytes($"GET /health/live HTTP/1.1\r\nHost: {proxy.Root.Authority}\r\n\r\n");
            var buffer = new byte[4096];
            for (var i = 0; i < Connections; i++)
            {
                var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
                sockets.Add(socket);
                await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, proxy.Root.Port));
                await socket.SendAsync(request);
                await socket.ReceiveAsync(buffer);
            }
            Console.WriteLine($"{Connections:N0} idle connections: {(proxy.Resident - before) / 1024.0 / Connections:F1} KB each");
        }
        finally
        {
            sockets.ForEach(static s => s.Dispose());
        }
    }

    /// <summary>64 clients open different series from disk at once.</summary>
    private static async Task ShowOpeningAsync(Uri pacs, string folder)
    {
        using var proxy = await HitTarget.StartProxyAsync(
            "proxy", pacs, $"--Cache:Disk:Path={folder}/open", "--Cache:Memory:MaxBytes=134217728");
        using var nginx = HitTarget.TryStartNginx(pacs, folder);
        foreach (var target in new[] { proxy, nginx }.OfType<HitTarget>())
        {
            // The first time fills the disk; of the others the median counts.
            List<double> times = [];
            for (var round = 0; round < 4; round++)
            {
                var started = Stopwatch.GetTimestamp();
                await Task.WhenAll(Enumerable.Range(0, 64).Select(client => OpenAsync(target, client)));
                if (round > 0) times.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
            }
            Console.WriteLine(
                $"64 clients, 32 frames each, {target.Name}: last frame after {times.Order().ElementAt(1):F0} ms, "
                + $"RSS {target.Resident >> 20} MB, at most {target.PeakResident >> 20} MB");
        }
    }

    private static async Task OpenAsync(HitTarget target, int number)
    {
        using var client = Bench.NewClient();
        await Parallel.ForEachAsync(
            Enumerable.Range(10_000 + number * 32, 32), new ParallelOptions { MaxDegreeOfParallelism = 6 },
            async (i, _) => await Bench.AskAsync(client, new Uri(target.Root, FixedPacs.FramePath(i)), Bench.FrameAccept));
    }

    [GeneratedRegex(@"(\d+) requests in")]
    private static partial Regex Requests();

    [GeneratedRegex(@"Requests/sec:\s+([\d.]+)")]
    private static partial Regex Rate();

    [GeneratedRegex(@"99%\s+([\d.]+)(us|ms|s)")]
    private static partial Regex Percentile();
}
