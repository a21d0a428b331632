using Microsoft.Extensions.DependencyInjection;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Tests.Cache;
using Proxy.Tests.Pacs;
using Proxy.Tests.Wire;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>How clients and operators see prefetched entries.</summary>
public sealed class PrefetchedWalks : IAsyncDisposable
{
    private const string Instance = "studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1";
    private const string Prefetched = "Proxy; hit; detail=prefetched";

    private static readonly (string, string) Frames = ("Accept", "multipart/related; type=\"application/octet-stream\"; transfer-syntax=*");

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With(new HeldSeries("1.2.1.1", "US", 3) { Frames = 2 }));
    private readonly ProxyHost _proxy;

    public PrefetchedWalks() => _proxy = new(("east", _east.Address));

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
    }

    [Fact]
    public async Task MarksEveryAnswer_WhenTheFrameWasPrefetched()
    {
        const string path = Instance + "/frames/1";
        await PrefetchAsync(new("east", path, BodyFormat.AsStored), new(MediaType.OctetStream, "1.2.840.10008.1.2.1", null), new byte[100]);
        Assert.True(await PrefetchedBytesAsync() > 0);
        for (var i = 0; i < 2; i++) Assert.Equal(Prefetched, (await _proxy.GetAsync("/dicomweb/" + path, Frames)).CacheStatus);
        Assert.Equal(0, await PrefetchedBytesAsync());
        Assert.Matches("proxy_cache_ahead[^{]*\\{[^}]*tier=\"memory\"[^}]*\\} 0", (await _proxy.GetAsync("/metrics")).Text);
    }

    [Fact]
    public async Task MarksAnswers_WhenTheInstanceWasPrefetched()
    {
        var file = Part10File.Native(20, 30, frames: 2).Set(0x00080018, "UI", Part10File.Even("1.2.1.1.1", '\0')).ToArray();
        await PrefetchAsync(
            new("east", Instance, new BodyFormat(BodyFormat.Dicom, BodyFormat.Any)),
            new(BodyFormat.Dicom, "1.2.840.10008.1.2.1", file.Length), file);
        Assert.Equal(Prefetched, (await _proxy.GetAsync("/dicomweb/" + Instance + "/frames/2", Frames)).CacheStatus);
        Assert.Equal(
            Prefetched, (await _proxy.GetAsync("/dicomweb/" + Instance, ("Accept", "application/dicom; transfer-syntax=*"))).CacheStatus);
    }

    [Fact]
    public async Task DoesNotMarkAnswers_WhenAClientFetchedTheFrame()
    {
        await _proxy.GetAsync("/dicomweb/" + Instance + "/frames/1", Frames);
        await Until.TrueAsync(
            async () => (await _proxy.GetAsync("/dicomweb/" + Instance + "/frames/1", Frames)).CacheStatus == "Proxy; hit");
    }

    private async Task<long> PrefetchedBytesAsync() => (long)(await _proxy.GetAsync("/cache")).Json["memory"]!["ahead"]!;

    private async Task PrefetchAsync(EntryKey key, EntryHead head, byte[] body)
    {
        var cache = _proxy.Services.GetRequiredService<EntryCache>();
        var lookup = cache.Get(key, async (inFlight, stopped) =>
        {
            inFlight.Begin(head);
            await inFlight.WriteAsync(body, stopped);
            return new(head);
        }, Placement.Prefetched);
        using (lookup.Reader!) await DiskLab.ReadAsync(lookup.Reader!);
        await Until.TrueAsync(async () => await cache.HasAsync([new(key)], CancellationToken.None));
    }
}
