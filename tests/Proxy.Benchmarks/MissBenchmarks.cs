using BenchmarkDotNet.Attributes;

namespace Proxy.Benchmarks;

/// <summary>
/// Requests 120 frames, six at a time like a browser: directly from the PACS, and through a cold proxy with and without a disk.
/// </summary>
/// <remarks>No frame is requested twice, so each is a miss that is cached and later evicted.</remarks>
[MemoryDiagnoser]
public class MissBenchmarks
{
    private readonly HttpClient _client = Bench.NewClient();
    private Uri _proxy = null!;
    private Uri _onDisk = null!;
    private Uri _fixed = null!;
    private int _asked;

    [GlobalSetup]
    public async Task StartAsync()
    {
        var pacs = await FixedPacs.StartAsync();
        _fixed = pacs.Root;
        _proxy = new Uri(await Bench.StartProxyAsync(
            $"--Backends:east:Address={pacs.Root}", "--Cache:Memory:MaxBytes=536870912",
            "--Cache:Metadata:Freshness=01:00:00"), "dicomweb/");
        var folder = Directory.CreateTempSubdirectory("proxy-miss-");
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Delete(folder);
        _onDisk = new Uri(
            await Bench.StartProxyAsync(
                $"--Backends:east:Address={pacs.Root}", "--Cache:Memory:MaxBytes=536870912", "--Cache:Metadata:Freshness=01:00:00",
                $"--Cache:Disk:Path={folder.FullName}", "--Cache:Disk:MaxBytes=34359738368"),
            "dicomweb/");
    }

    [Benchmark(Baseline = true)]
    public Task Direct() => AskAllAsync(_fixed);

    [Benchmark]
    public Task ThroughTheProxy() => AskAllAsync(_proxy);

    [Benchmark]
    public Task ThroughTheProxyOntoDisk() => AskAllAsync(_onDisk);

    /// <summary>The proxy runs, and may write to disk, until the process ends.</summary>
    private static void Delete(DirectoryInfo folder)
    {
        for (var tries = 0; tries < 100; tries++)
        {
            try
            {
                folder.Delete(recursive: true);
                return;
            }
            catch (IOException)
            {
                // The proxy wrote a file meanwhile.
            }
        }
    }

    private async Task AskAllAsync(Uri root)
    {
        var last = _asked + FixedPacs.Instances;
        await Task.WhenAll(Enumerable.Range(0, 6).Select(async _ =>
        {
            for (int number; (number = Interlocked.Increment(ref _asked)) <= last;)
                await Bench.AskAsync(_client, new Uri(root, FixedPacs.FramePath(number)), Bench.FrameAccept);
        }));
    }
}
