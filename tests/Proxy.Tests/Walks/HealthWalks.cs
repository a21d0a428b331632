using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Time.Testing;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Readiness tells a load balancer whether to send requests, and a stop lets running downloads end.</summary>
public sealed class HealthWalks : IDisposable
{
    private const string Frame = "/dicomweb/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1/frames/1";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("proxy-health-");

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With(new HeldSeries("1.2.1.1", "US", 3) { Frames = 2 }));

    public void Dispose()
    {
        _east.Dispose();
        Until.DeletedAsync(_folder.FullName).GetAwaiter().GetResult();
    }

    [Fact]
    public async Task IsReady_WhenAPacsIsDownAndNoFolderIsConfigured()
    {
        await using var proxy = new ProxyHost(("east", _east.Address), ("west", "http://127.0.0.1:1/dicom-web"));
        await proxy.GetAsync("/dicomweb/studies");

        var ready = await proxy.GetAsync("/health/ready");

        Assert.Equal((HttpStatusCode.OK, "ready"), (ready.Status, (string)ready.Json["status"]!));
        Assert.Equal("not configured", (string)ready.Json["disk"]!["state"]!);
        Assert.Equal("down", (string)ready.Json["backends"]!["west"]!["state"]!);
    }

    [Fact]
    public async Task IsNotReadyButServesClients_WhenTheFolderIsUnusable()
    {
        var path = Path.Join(_folder.FullName, "not-a-folder");
        await File.WriteAllTextAsync(path, "x", TestContext.Current.CancellationToken);
        await using var proxy = new ProxyHost(("east", _east.Address)) { ["Cache:Disk:Path"] = path };

        var ready = await proxy.GetAsync("/health/ready");

        Assert.Equal((HttpStatusCode.ServiceUnavailable, "unusable"), (ready.Status, (string)ready.Json["status"]!));
        Assert.Equal("unusable", (string)ready.Json["disk"]!["state"]!);
        Assert.Equal(HttpStatusCode.OK, (await proxy.GetAsync("/health/live")).Status);
        Assert.Single((await proxy.GetAsync("/dicomweb/studies")).Rows);
    }

    [Fact]
    public async Task LetsADownloadEndAndServesNewRequests_WhenTheProxyStops()
    {
        await using var proxy = new ProxyHost(("east", _east.Address));
        Assert.Equal(HttpStatusCode.OK, (await proxy.GetAsync("/health/ready")).Status);
        var hang = _east.Hang("/frames/1");
        var frame = proxy.GetAsync(Frame);
        await Until.TrueAsync(() => hang.Arrived == 1);

        var stopped = Stop(proxy);

        var ready = await proxy.GetAsync("/health/ready");
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "stopping"), (ready.Status, (string)ready.Json["status"]!));
        Assert.Equal("close", ready["Connection"]);
        Assert.Single((await proxy.GetAsync("/dicomweb/studies")).Rows);
        Assert.False(stopped.IsCompleted);
        hang.Open();
        Assert.Equal(HttpStatusCode.OK, (await frame).Status);
        await stopped;
        await Assert.ThrowsAsync<HttpRequestException>(() => proxy.GetAsync("/health/live"));
    }

    [Fact]
    public async Task AbortsADownload_WhenItTakesLongerThanTheDrain()
    {
        var time = new FakeTimeProvider();
        await using var proxy = new ProxyHost(("east", _east.Address)) { Time = time, ["Shutdown:Drain"] = "00:00:10" };
        await proxy.GetAsync("/health/live");
        var hang = _east.Hang("/frames/1");
        var frame = proxy.GetAsync(Frame);
        await Until.TrueAsync(() => hang.Arrived == 1);

        var stopped = Stop(proxy);
        await Until.TrueAsync(() => proxy.Log.All.Any(line => line.Contains("waiting for 1 requests, at most 10 s")));
        time.Advance(TimeSpan.FromSeconds(9));
        Assert.False(stopped.IsCompleted);
        await Until.TrueAsync(() =>
        {
            time.Advance(TimeSpan.FromSeconds(1));
            return stopped.IsCompleted;
        });

        await Assert.ThrowsAsync<HttpRequestException>(() => frame);
        hang.Open();
    }

    [Fact]
    public async Task EndsEventStreamsAtOnce_WhenTheProxyStops()
    {
        await using var proxy = new ProxyHost(("east", _east.Address));
        using var events = await proxy.OpenAsync("/events");

        await Stop(proxy);

        Assert.Equal(HttpStatusCode.OK, events.StatusCode);
    }

    [Fact]
    public async Task ContinuesAPrefetchJob_AfterAStopAndAStart()
    {
        var hang = _east.Hang("/metadata");
        string job;
        await using (var first = Start())
        {
            var asked = await first.SendAsync(HttpMethod.Post, "/prefetch", [], """{"studies":["1.2.1"]}""");
            job = asked["Location"]!;
            await Until.TrueAsync(() => hang.Arrived == 1);
            await Stop(first);
        }
        hang.Open();
        _east.Recover();

        await using var second = Start();

        await Until.TrueAsync(async () => (string?)(await second.GetAsync(job)).Json["state"] == "done");

        ProxyHost Start() => new(("east", _east.Address)) { ["Cache:Disk:Path"] = Path.Join(_folder.FullName, "cache") };
    }

    /// <summary>Stops the program as a signal does; the task completes when it has stopped.</summary>
    private static Task Stop(ProxyHost proxy)
    {
        var lifetime = proxy.Services.GetRequiredService<IHostApplicationLifetime>();
        var stopped = new TaskCompletionSource();
        lifetime.ApplicationStopped.Register(stopped.SetResult);
        lifetime.StopApplication();
        return stopped.Task;
    }
}
