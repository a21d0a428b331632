using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Proxy.Prefetch;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Cancelling a prefetch job aborts its running request to the PACS and counts nothing as failed.</summary>
public sealed class CancelledJobWalks : IAsyncDisposable
{
    private readonly RawPacs _east = new(
        Enumerable.Range(1, 4).Select(n => new HeldStudy($"1.2.{n}") { Date = $"2024010{7 - n}" }.With($"1.2.{n}.1", "CT", 2)));
    private readonly TaskCompletionSource _aborted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ProxyHost _proxy;
    private int _arrived;

    public CancelledJobWalks()
    {
        _proxy = new(("east", _east.Address)) { ["Prefetch:MaxConcurrentRequests"] = "1" };
        _east.On("/1.2.2.1.1/frames/1", async connection =>
        {
            Interlocked.Increment(ref _arrived);
            await connection.WaitForDisconnectAsync();
            _aborted.TrySetResult();
        });
    }

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
    }

    [Fact]
    public async Task AbortsTheRequest_WhenTheJobIsDeleted()
    {
        var job = await PostAsync("1.2.2");
        await Until.TrueAsync(() => _arrived == 1);

        Assert.Equal(204, (int)(await _proxy.SendAsync(HttpMethod.Delete, job, [])).Status);

        await AbortedAsync();
        var cancelled = (await _proxy.GetAsync(job)).Json;
        Assert.Equal("cancelled", (string)cancelled["state"]!);
        Assert.Equal("cancelled by a client", (string?)cancelled["reason"]);
        Assert.Empty(cancelled["errors"]!.AsArray());
        Assert.Equal(0, _east.Count("/1.2.2.1.2/frames/1"));
    }

    [Fact]
    public async Task AbortsTheRequest_WhenAnotherStudyIsOpened()
    {
        _proxy["Prefetch:NextStudies"] = "1";
        await _proxy.GetAsync("/dicomweb/studies");
        await _proxy.GetAsync("/dicomweb/studies/1.2.1/series");
        await Until.TrueAsync(() => _arrived == 1);

        await _proxy.GetAsync("/dicomweb/studies/1.2.3/series");

        await AbortedAsync();
        await Until.TrueAsync(async () => (await JobsAsync()).Any(job => (string)job!["state"]! == "cancelled"));
        var cancelled = (await JobsAsync()).Single(job => (string)job!["state"]! == "cancelled")!;
        Assert.Equal("another study was opened", (string?)cancelled["reason"]);
        Assert.Empty(cancelled["errors"]!.AsArray());
    }

    [Fact]
    public async Task AbortsTheRequest_WhenTheProxyStops()
    {
        await PostAsync("1.2.2");
        await Until.TrueAsync(() => _arrived == 1);
        await _proxy.Services.GetRequiredService<Prefetcher>().StopAsync(TestContext.Current.CancellationToken);
        await AbortedAsync();
    }

    private Task AbortedAsync() => _aborted.Task.WaitAsync(Until.Patience, TimeProvider.System, TestContext.Current.CancellationToken);

    private async Task<string> PostAsync(string study) =>
        (await _proxy.SendAsync(HttpMethod.Post, "/prefetch", [], $$"""{"studies":["{{study}}"]}"""))["Location"];

    private async Task<JsonArray> JobsAsync() => (await _proxy.GetAsync("/prefetch")).Json.AsArray();
}
