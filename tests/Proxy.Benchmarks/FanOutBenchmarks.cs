using BenchmarkDotNet.Attributes;

namespace Proxy.Benchmarks;

/// <summary>A work list of many PACS, merged for each request, against the slowest PACS asked directly: at most 5 ms above it.</summary>
/// <remarks>Every PACS waits 20 ms. The client, the proxy and all PACS share this process and its cores.</remarks>
[MemoryDiagnoser, AboveBaselineColumn]
public class FanOutBenchmarks
{
    private const string Query = "studies?limit=101&offset=0";

    private readonly HttpClient _client = Bench.NewClient();
    private Uri _proxy = null!;
    private Uri _slowest = null!;
    private Uri[] _all = null!;

    [Params(1, 2, 4, 8, 16)]
    public int Backends { get; set; }

    [GlobalSetup]
    public async Task StartAsync()
    {
        var all = await ScriptedPacs.StartManyAsync(Backends, studies: 101, TimeSpan.FromMilliseconds(20));
        _slowest = all[0].Root;
        _all = [.. all.Select(p => p.Root)];
        _proxy = new Uri(
            await Bench.StartProxyAsync([.. ScriptedPacs.SettingsFor(all.Select(p => p.Root)), "--Search:Freshness=00:00:00"]),
            "dicomweb/");
    }

    [Benchmark(Baseline = true)]
    public Task<long> Slowest() => Bench.AskAsync(_client, new Uri(_slowest, Query), Bench.JsonAccept);

    /// <summary>All PACS at once without merging: the time that the machine needs for the same number of answers.</summary>
    [Benchmark]
    public Task AllDirectly() => Task.WhenAll(_all.Select(root => Bench.AskAsync(_client, new Uri(root, Query), Bench.JsonAccept)));

    [Benchmark]
    public Task<long> Merged() => Bench.AskAsync(_client, new Uri(_proxy, Query), Bench.JsonAccept);
}
