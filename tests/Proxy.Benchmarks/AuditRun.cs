using System.Diagnostics;

namespace Proxy.Benchmarks;

/// <summary>
/// What audit records cost a hit: two proxies in this process, one that records nothing, asked in turns. A frame joins a record; metadata
/// has one each, which is written and flushed to the disk meanwhile.
/// </summary>
internal static class AuditRun
{
    private const int WarmUp = 3_000;
    private const int Rounds = 10_000;

    public static async Task RunAsync()
    {
        var folder = Directory.CreateTempSubdirectory("audit-run-");
        try
        {
            var pacs = await FixedPacs.StartAsync();
            var off = await StartAsync(pacs);
            var on = await StartAsync(pacs, $"--Audit:Path={folder.FullName}");
            using var client = Bench.NewClient();
            await MeasureAsync("frame hit", off, on, proxy => Bench.AskAsync(
                client, new Uri(proxy, "dicomweb/" + FixedPacs.FramePath(1)), Bench.FrameAccept));
            const string metadata = $"dicomweb/studies/{FixedPacs.Study}/series/{FixedPacs.Series}/metadata";
            await MeasureAsync(
                "metadata hit", off, on, proxy => Bench.AskAsync(client, new Uri(proxy, metadata), Bench.JsonAccept, "gzip"));
        }
        finally
        {
            // The proxy with the audit still writes its last records.
            Console.WriteLine($"records: {folder.EnumerateFiles("*.ndjson").Sum(file => file.Length)} bytes in {folder.FullName}");
        }
    }

    private static async Task MeasureAsync(string what, Uri off, Uri on, Func<Uri, Task<long>> ask)
    {
        for (var i = 0; i < WarmUp; i++)
        {
            await ask(off);
            await ask(on);
        }
        var (without, with) = (new List<double>(Rounds), new List<double>(Rounds));
        for (var round = 0; round < Rounds; round++)
        {
            // The second proxy of a round finds a warm processor cache, so the order changes.
            if (round % 2 == 0) without.Add(await TimeAsync(ask, off));
            with.Add(await TimeAsync(ask, on));
            if (round % 2 != 0) without.Add(await TimeAsync(ask, off));
        }
        without.Sort();
        with.Sort();
        // Other work on the machine disturbs the slower requests.
        foreach (var quantile in (double[])[0.05, 0.1, 0.25, 0.5])
        {
            var (mark, time) = (without[(int)(quantile * Rounds)], with[(int)(quantile * Rounds)]);
            Console.WriteLine($"{what}, quantile {quantile:F2}: {time:F1} us, {time / mark:F3} x {mark:F1} us without audit");
        }
    }

    private static async Task<double> TimeAsync(Func<Uri, Task<long>> ask, Uri proxy)
    {
        var started = Stopwatch.GetTimestamp();
        await ask(proxy);
        return Stopwatch.GetElapsedTime(started).TotalMicroseconds;
    }

    private static Task<Uri> StartAsync(FixedPacs pacs, params string[] settings) => Bench.StartProxyAsync(
        [$"--Backends:east:Address={pacs.Root}", "--Cache:Metadata:Freshness=01:00:00", .. settings]);
}
