using System.Diagnostics;
using System.Globalization;

namespace Proxy.Benchmarks;

/// <summary>
/// The largest search: sixteen PACS with ten thousand studies each, merged. Under 1 s, and under 256 MB of growth.
/// </summary>
/// <remarks>
/// The proxy runs in a separate process. Its growth is the peak of its resident memory during a search minus its resident memory before
/// the first search. The client and the PACS run in this process, and share the machine's cores with the proxy.
/// </remarks>
internal static class MergeRun
{
    private const int Backends = 16;
    private const int Studies = 10_000;
    private const int Searches = 5;
    private const int WarmUps = 60;

    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(2);

    public static async Task RunAsync()
    {
        var all = await ScriptedPacs.StartManyAsync(Backends, Studies);
        using var client = Bench.NewClient();
        var asked = 0L;
        foreach (var pacs in all) asked += await Bench.AskAsync(client, new Uri(pacs.Root, "studies"), Bench.JsonAccept);
        var clock = Stopwatch.StartNew();
        await Task.WhenAll(all.Select(pacs => Bench.AskAsync(client, new Uri(pacs.Root, "studies"), Bench.JsonAccept)));
        Print($"{Backends} x {Studies} rows, {asked / 1e6:F0} MB of JSON");
        Print($"asked directly, all at once: {clock.Elapsed.TotalMilliseconds:F0} ms");

        using var proxy = await ProxyProcess.StartAsync(
            [.. ScriptedPacs.SettingsFor(all.Select(p => p.Root)), $"--Search:MaxResults={Studies}", "--Search:Freshness=00:00:00"]);
        var root = new Uri(proxy.Root, "dicomweb/");
        // Narrow searches warm up the JIT compiler.
        for (var i = 0; i < WarmUps; i++) await Bench.AskAsync(client, new Uri(root, "studies?PatientID=few&limit=101"), Bench.JsonAccept);
        await Task.Delay(Rest, TimeProvider.System);
        var before = proxy.Resident;
        Print($"resident before: {Megabytes(before)} MB");
        for (var i = 1; i <= Searches; i++)
        {
            proxy.ResetPeak();
            var processor = proxy.ProcessorTime;
            clock.Restart();
            await Bench.AskAsync(client, new Uri(root, "studies?limit=101"), Bench.JsonAccept);
            var elapsed = clock.Elapsed;
            var busy = proxy.ProcessorTime - processor;
            var (peak, after) = (Megabytes(proxy.PeakResident - before), Megabytes(proxy.Resident - before));
            Print($"search {i}: {elapsed.TotalMilliseconds,5:F0} ms, processor {busy.TotalMilliseconds,5:F0} ms,");
            Print($"    peak +{peak} MB, after +{after} MB");
            await Task.Delay(Rest, TimeProvider.System);
        }
    }

    private static string Megabytes(long bytes) => (bytes / 1048576.0).ToString("F0", CultureInfo.InvariantCulture);

    private static void Print(FormattableString line) => Console.WriteLine(FormattableString.Invariant(line));
}
