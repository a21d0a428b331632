using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Proxy.Backends;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Client requests have priority over prefetching, and join a running prefetch of the same resource.</summary>
public sealed class SchedulingWalks : IAsyncDisposable
{
    private const string Ohif = "multipart/related; type=application/octet-stream; transfer-syntax=*";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("proxy-scheduling-");

    private readonly WireMockPacs _east = new(Study("1.2.1"), Study("1.2.2"));

    private readonly ProxyHost _proxy;

    public SchedulingWalks() => _proxy = new(("east", _east.Address));

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
        await Until.DeletedAsync(_folder.FullName);
    }

    [Fact]
    public async Task JoinsTheRunningFetch_WhenAClientRequestsAPrefetchingFrame()
    {
        var gate = _east.Hang("/1.2.1.1.1/frames/1");
        await PostAsync(_proxy, "1.2.1");
        await Until.TrueAsync(() => gate.Arrived == 1);
        var client = FrameAsync("1.2.1", 1);
        await JoinedAsync();
        gate.Open();

        var frame = await client;

        Assert.Equal((200, "Proxy; hit; collapsed"), ((int)frame.Status, frame.CacheStatus));
        await DoneAsync(_proxy);
        Assert.Equal(1, _east.Count("/1.2.1.1.1/frames/1"));
        // The entry is no longer marked as prefetched.
        Assert.Equal("Proxy; hit", (await FrameAsync("1.2.1", 1)).CacheStatus);
        Assert.Equal("Proxy; hit; detail=prefetched", (await FrameAsync("1.2.1", 2)).CacheStatus);
    }

    [Fact]
    public async Task JoinsTheRunningFetch_WhenAClientRequestsPrefetchingMetadata()
    {
        var gate = _east.Hang("/metadata");
        await PostAsync(_proxy, "1.2.1");
        await Until.TrueAsync(() => gate.Arrived == 1);
        var client = _proxy.GetAsync("/dicomweb/studies/1.2.1/series/1.2.1.1/metadata");
        await JoinedAsync();
        gate.Open();
        Assert.Equal(3, (await client).Rows.Count);
        Assert.Equal(1, _east.Count("/metadata"));
        Assert.False((bool)(await _proxy.GetAsync("/store/studies/1.2.1")).Json["seriesLists"]![0]!["madeInClient"]!);
    }

    [Fact]
    public async Task ContinuesThePrefetch_WhenAJoinedClientDisconnects()
    {
        var gate = _east.Hang("/1.2.1.1.1/frames/1");
        await PostAsync(_proxy, "1.2.1");
        await Until.TrueAsync(() => gate.Arrived == 1);
        using (var disconnect = new CancellationTokenSource())
        {
            var client = _proxy.GetAsync(Frame("1.2.1", 1), disconnect.Token, ("Accept", Ohif));
            await JoinedAsync();
            await disconnect.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => client);
        }
        gate.Open();
        await DoneAsync(_proxy);
        Assert.Equal(1, _east.Count("/1.2.1.1.1/frames/1"));
    }

    [Fact]
    public async Task ServesTheJoinedClient_WhenTheJobIsCancelled()
    {
        var gate = _east.Hang("/1.2.1.1.1/frames/1");
        var job = await PostAsync(_proxy, "1.2.1");
        await Until.TrueAsync(() => gate.Arrived == 1);
        var client = FrameAsync("1.2.1", 1);
        await JoinedAsync();
        await _proxy.SendAsync(HttpMethod.Delete, job, []);
        gate.Open();
        Assert.Equal(200, (int)(await client).Status);
    }

    [Fact]
    public async Task CancelsOtherPrefetches_AndResumesThemAfterTheClientRequest()
    {
        var prefetch = _east.Hang("/1.2.1.1.1/frames/1");
        var wanted = _east.Hang("/1.2.2.1.1/frames/1");
        _proxy["Prefetch:MaxConcurrentRequests"] = "1";
        var job = await PostAsync(_proxy, "1.2.1");
        await Until.TrueAsync(() => prefetch.Arrived == 1);

        var client = FrameAsync("1.2.2", 1);
        await Until.TrueAsync(() => wanted.Arrived == 1);
        prefetch.Open();
        await Until.TrueAsync(async () => (string?)(await _proxy.GetAsync(job)).Json["waiting"] == "waiting for a fetch slot");
        Assert.Equal(0, (int)(await _proxy.GetAsync(job)).Json["frames"]!["done"]!);
        Assert.Equal(0, _east.Count("/1.2.1.1.2/frames/1"));

        wanted.Open();
        Assert.Equal(200, (int)(await client).Status);
        await DoneAsync(_proxy);
        Assert.Equal(2, _east.Count("/1.2.1.1.1/frames/1"));
        Assert.Equal(1, _east.Count("/1.2.1.1.2/frames/1"));
    }

    [Fact]
    public async Task PausesTheJob_WhileTheCircuitIsOpen()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(56));
        await using var proxy = new ProxyHost(("east", _east.Address)) { Time = time, ["Search:Freshness"] = "00:00:00" };
        var gate = _east.Hang("/1.2.1.1.1/frames/1");
        var job = await PostAsync(proxy, "1.2.1");
        await Until.TrueAsync(() => gate.Arrived == 1);
        _east.Fail(503);
        for (var i = 0; i < 5; i++) await proxy.GetAsync("/dicomweb/studies");
        await AdvanceUntilAsync(
            async () => (string)(await proxy.GetAsync("/health/ready")).Json["backends"]!["east"]!["circuit"]! == "open");
        gate.Open();
        var frames = _east.Requests.Count(r => r.Path.Contains("/frames/", StringComparison.Ordinal));
        await AdvanceUntilAsync(async () => (string?)(await proxy.GetAsync(job)).Json["waiting"] == "backend 'east' is unavailable");
        Assert.Equal(frames, _east.Requests.Count(r => r.Path.Contains("/frames/", StringComparison.Ordinal)));

        _east.Recover();
        await AdvanceUntilAsync(async () => (string)(await proxy.GetAsync(job)).Json["state"]! == "done");
        Assert.Equal(3, (int)(await proxy.GetAsync(job)).Json["frames"]!["done"]!);

        Task AdvanceUntilAsync(Func<Task<bool>> condition) => Until.TrueAsync(async () =>
        {
            time.Advance(TimeSpan.FromMilliseconds(300));
            return await condition();
        });
    }

    [Fact]
    public async Task DoesNotEvictViewedFrames_AndReportsThatTheCacheIsFull()
    {
        _proxy["Cache:Memory:MaxBytes"] = $"{1 << 20}";
        const int bytes = 60_000;
        _east.Hold(
            new HeldStudy("1.4.1").With(new HeldSeries("1.4.1.1", "CT", 10) { FrameBytes = bytes }),
            new HeldStudy("1.4.2").With(new HeldSeries("1.4.2.1", "CT", 30) { FrameBytes = bytes }));
        for (var i = 1; i <= 10; i++) await FrameAsync("1.4.1", i);

        var job = await PostAsync(_proxy, "1.4.2");
        await Until.TrueAsync(async () => (string?)(await _proxy.GetAsync(job)).Json["waiting"] == "waiting for free cache space");

        // The first batch of concurrent requests arrives before the proxy knows how large the frames are.
        Assert.InRange((int)(await _proxy.GetAsync(job)).Json["frames"]!["done"]!, 1, 11);
        for (var i = 1; i <= 10; i++) Assert.Equal("Proxy; hit", (await FrameAsync("1.4.1", i)).CacheStatus);
        Assert.Equal(10, _east.Requests.Count(r => r.Path.Contains("1.4.1.1/instances", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task ResumesAnUnfinishedJobWithoutFetchingTwice_AfterARestart()
    {
        string job;
        await using (var first = Start())
        {
            var gate = _east.Hang("/1.2.1.1.3/frames/1");
            job = await PostAsync(first, "1.2.1");
            await Until.TrueAsync(() => gate.Arrived == 1);
            await Until.TrueAsync(async () => (int)(await first.GetAsync(job)).Json["frames"]!["done"]! == 2);
            await Until.TrueAsync(async () => (int)(await first.GetAsync("/cache")).Json["disk"]!["entries"]! == 2);
        }
        _east.Recover();

        await using var second = Start();
        await Until.TrueAsync(async () => (string)(await second.GetAsync(job)).Json["state"]! == "done");

        Assert.Equal(3, (int)(await second.GetAsync(job)).Json["frames"]!["done"]!);
        Assert.Equal(
            (1, 1, 2), (_east.Count("/1.2.1.1.1/frames/1"), _east.Count("/1.2.1.1.2/frames/1"), _east.Count("/1.2.1.1.3/frames/1")));
        Assert.Equal(1, _east.Count("/metadata"));
        Assert.True((bool)(await second.GetAsync("/store/studies/1.2.1")).Json["seriesLists"]![0]!["madeInClient"]!);
    }

    [Fact]
    public async Task ListsAFinishedJob_AfterARestart()
    {
        string job;
        await using (var first = Start())
        {
            job = await PostAsync(first, "1.2.1");
            await DoneAsync(first);
        }
        var asked = _east.Requests.Count;
        await using var second = Start();
        Assert.Equal("done", (string)(await second.GetAsync(job)).Json["state"]!);
        Assert.Equal(asked, _east.Requests.Count);
    }

    [Fact]
    public async Task IgnoresTheJobFile_WhenItIsUnreadable()
    {
        Directory.CreateDirectory(Path.Combine(_folder.FullName, "cache"));
        await File.WriteAllTextAsync(Path.Combine(_folder.FullName, "cache", "lock"), "", TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(
            Path.Combine(_folder.FullName, "cache", "prefetch.json"), """[{"Id":"x"},3]""", TestContext.Current.CancellationToken);
        await using var proxy = Start();
        Assert.Empty((await proxy.GetAsync("/prefetch")).Json.AsArray());
        await PostAsync(proxy, "1.2.1");
        await DoneAsync(proxy);
    }

    /// <summary>The scheduler counts a client as waiting only after it has joined the fetch.</summary>
    private Task JoinedAsync() => Until.TrueAsync(() => _proxy.Services.GetRequiredService<BackendScheduler>().CountForeground("east") > 0);

    private ProxyHost Start() => new(("east", _east.Address)) { ["Cache:Disk:Path"] = Path.Combine(_folder.FullName, "cache") };

    private Task<Reply> FrameAsync(string study, int instance) => _proxy.GetAsync(Frame(study, instance), ("Accept", Ohif));

    private static string Frame(string study, int instance) =>
        $"/dicomweb/studies/{study}/series/{study}.1/instances/{study}.1.{instance}/frames/1";

    private static async Task<string> PostAsync(ProxyHost proxy, string study) =>
        (await proxy.SendAsync(
            HttpMethod.Post, "/prefetch", [], new JsonObject { ["studies"] = new JsonArray(study) }.ToJsonString()))["Location"];

    private static Task DoneAsync(ProxyHost proxy) =>
        Until.TrueAsync(async () => (await proxy.GetAsync("/prefetch")).Json.AsArray().All(j => (string)j!["state"]! == "done"));

    private static HeldStudy Study(string uid) => new HeldStudy(uid).With($"{uid}.1", "CT", 3);
}
