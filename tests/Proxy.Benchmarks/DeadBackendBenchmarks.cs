using BenchmarkDotNet.Attributes;

namespace Proxy.Benchmarks;

/// <summary>The same work list while one of sixteen PACS is down: its port is closed.</summary>
[MemoryDiagnoser, AboveBaselineColumn]
public class DeadBackendBenchmarks
{
    private const string Query = "studies?limit=101&offset=0";

    private readonly HttpClient _client = Bench.NewClient();
    private Uri _proxy = null!;
    private Uri _slowest = null!;

    [GlobalSetup]
    public async Task StartAsync()
    {
        var alive = await ScriptedPacs.StartManyAsync(15, studies: 101, TimeSpan.FromMilliseconds(20));
        _slowest = alive[0].Root;
        var roots = alive.Select(p => p.Root).Append(ScriptedPacs.FindDeadRoot());
        _proxy = new Uri(await Bench.StartProxyAsync(
            [.. ScriptedPacs.SettingsFor(roots), "--Search:Freshness=00:00:00", "--Logging:LogLevel:Proxy=None"]), "dicomweb/");
    }

    [Benchmark(Baseline = true)]
    public Task<long> Slowest() => Bench.AskAsync(_client, new Uri(_slowest, Query), Bench.JsonAccept);

    [Benchmark]
    public Task<long> MergedWithOneDead() => Bench.AskAsync(_client, new Uri(_proxy, Query), Bench.JsonAccept);
}
