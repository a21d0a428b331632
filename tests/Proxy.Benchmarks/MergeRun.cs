using System.Diagnostics;
using System.Globalization;

namespace Proxy.Benchmarks;

/// <summary>
/// The largest search there is: sixteen PACS with ten thousand studies each, merged. Under 1 s, and under 256 MB of growth.
/// </summary>
/// <remarks>
/// The proxy is a process of its own, and what it grows by is its resident memory: the peak of a search above what it
/// had before the first. The client and the PACS are in this process, and share the machine's cores with it.
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
        Print($"{Backends} x {Studies} rows, {asked / 1e6:F0} MB of JSON; asked directly, all at once: {clock.Elapsed.TotalMilliseconds:F0} ms");

        using var proxy = await ProxyProcess.StartAsync(
            [.. ScriptedPacs.SettingsFor(all.Select(p => p.Root)), $"--Search:MaxResults={Studies}", "--Search:Freshness=00:00:00"]);
        var root = new Uri(proxy.Root, "dicomweb/");
        // Narrow searches, until the code that runs is the code that stays.
        for (var i = 0; i < WarmUps; i++) await Bench.AskAsync(client, new Uri(root, "studies?PatientID=few&limit=101"), Bench.JsonAccept);
        await Task.Delay(Rest, TimeProvider.System);
        var before = proxy.Resident;
        Print($"resident before: {Megabytes(before)} MB");
        for (var i = 1; i <= Searches; i++)
        {
            proxy.ForgetPeak();
            var processor = proxy.ProcessorTime;
            clock.Restart();
            await Bench.AskAsync(client, new Uri(root, "studies?limit=101"), Bench.JsonAccept);
            var elapsed = clock.Elapsed;
            Print($"search {i}: {elapsed.TotalMilliseconds,5:F0} ms, processor {(proxy.ProcessorTime - processor).TotalMilliseconds,5:F0} ms, peak +{Megabytes(proxy.PeakResident - before)} MB, after +{Megabytes(proxy.Resident - before)} MB");
            await Task.Delay(Rest, TimeProvider.System);
        }
    }

    private static string Megabytes(long bytes) => (bytes / 1048576.0).ToString("F0", CultureInfo.InvariantCulture);

    private static void Print(FormattableString line) => Console.WriteLine(FormattableString.Invariant(line));
}
