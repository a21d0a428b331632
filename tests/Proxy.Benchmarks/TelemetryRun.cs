using System.Diagnostics;
using Proxy.Operations.Telemetry;

namespace Proxy.Benchmarks;

/// <summary>What telemetry costs a metadata hit: two proxies in this process, one that records nothing, asked in turns.</summary>
internal static class TelemetryRun
{
    private const int WarmUp = 6_000;
    private const int Rounds = 30_000;

    public static async Task RunAsync()
    {
        var pacs = await FixedPacs.StartAsync();
        AppContext.SetSwitch(RequestRecorder.OffSwitch, true);
        var off = await StartAsync(pacs);
        AppContext.SetSwitch(RequestRecorder.OffSwitch, false);
        var on = await StartAsync(pacs);
        using var client = Bench.NewClient();
        for (var i = 0; i < WarmUp; i++)
        {
            await AskAsync(client, off);
            await AskAsync(client, on);
        }
        var (without, with) = (new List<double>(Rounds), new List<double>(Rounds));
        for (var round = 0; round < Rounds; round++)
        {
            // The second proxy of a round finds a warm processor cache, so the order changes.
            if (round % 2 == 0) without.Add(await AskAsync(client, off));
            with.Add(await AskAsync(client, on));
            if (round % 2 != 0) without.Add(await AskAsync(client, off));
        }
        without.Sort();
        with.Sort();
        // Other work on the machine disturbs the slower requests.
        foreach (var quantile in (double[])[0.05, 0.1, 0.25, 0.5])
        {
            var (mark, time) = (without[(int)(quantile * Rounds)], with[(int)(quantile * Rounds)]);
            Console.WriteLine($"metadata hit, quantile {quantile:F2}: {time:F1} us, {time / mark:F3} x {mark:F1} us without telemetry");
        }
    }

    private static async Task<Uri> StartAsync(FixedPacs pacs) =>
        await Bench.StartProxyAsync($"--Backends:east:Address={pacs.Root}", "--Cache:Metadata:Freshness=01:00:00");

    /// <summary>The time of a request in microseconds.</summary>
    private static async Task<double> AskAsync(HttpClient client, Uri proxy)
    {
        var address = new Uri(proxy, $"dicomweb/studies/{FixedPacs.Study}/series/{FixedPacs.Series}/metadata");
        var started = Stopwatch.GetTimestamp();
        await Bench.AskAsync(client, address, Bench.JsonAccept, "gzip");
        return Stopwatch.GetElapsedTime(started).TotalMicroseconds;
    }
}
