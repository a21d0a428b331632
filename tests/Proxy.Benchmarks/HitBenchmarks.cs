using BenchmarkDotNet.Attributes;

namespace Proxy.Benchmarks;

/// <summary>Cache hits against an endpoint of the bare framework that sends the same bytes, over HTTP on loopback.</summary>
[MemoryDiagnoser]
public class HitBenchmarks
{
    private readonly HttpClient _client = Bench.NewClient();
    private Uri _proxy = null!;
    private Uri _fixed = null!;

    [GlobalSetup]
    public async Task StartAsync()
    {
        var pacs = await FixedPacs.StartAsync();
        _fixed = pacs.Root;
        _proxy = new Uri(
            await Bench.StartProxyAsync($"--Backends:east:Address={pacs.Root}", "--Cache:Metadata:Freshness=01:00:00"), "dicomweb/");
        await FrameHit();
        await MetadataHit();
    }

    [Benchmark(Baseline = true)]
    public Task<long> FrameOfTheBareFramework() => Bench.AskAsync(_client, new Uri(_fixed, FixedPacs.FramePath(1)), Bench.FrameAccept);

    [Benchmark]
    public Task<long> FrameHit() => Bench.AskAsync(_client, new Uri(_proxy, FixedPacs.FramePath(1)), Bench.FrameAccept);

    [Benchmark]
    public Task<long> MetadataHit() =>
        Bench.AskAsync(_client, new Uri(_proxy, $"studies/{FixedPacs.Study}/series/{FixedPacs.Series}/metadata"), Bench.JsonAccept, "gzip");
}
