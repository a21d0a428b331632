using BenchmarkDotNet.Attributes;
using Proxy.Demo;

namespace Proxy.Benchmarks;

/// <summary>A work list of both demo PACS, merged for each request, against one PACS asked directly.</summary>
[MemoryDiagnoser]
public class SearchBenchmarks
{
    private const string Query = "studies?limit=101&offset=0&includefield=00081030,00080060";

    private readonly HttpClient _client = Bench.NewClient();
    private Uri _proxy = null!;
    private Uri _east = null!;

    [GlobalSetup]
    public async Task StartAsync()
    {
        var (east, west) = (await DemoPacs.StartAsync(DemoArchive.East), await DemoPacs.StartAsync(DemoArchive.West));
        _east = new Uri(east.Address + "/");
        _proxy = new Uri(await Bench.StartProxyAsync(
            $"--Backends:east:Address={east.Address}", $"--Backends:west:Address={west.Address}",
            "--Search:Freshness=00:00:00"), "dicomweb/");
    }

    [Benchmark(Baseline = true)]
    public Task<long> OnePacs() => Bench.AskAsync(_client, new Uri(_east, Query), Bench.JsonAccept);

    [Benchmark]
    public Task<long> BothMerged() => Bench.AskAsync(_client, new Uri(_proxy, Query), Bench.JsonAccept);
}
