using Microsoft.Extensions.Time.Testing;
using Proxy.Cache;
using Proxy.Tests.Disk;
using Proxy.Tests.Pacs;
using Proxy.Tests.Walks;
using Xunit;

namespace Proxy.Tests.Threats;

/// <summary>T17: data older than <c>Cache:MaxAge</c> is neither served nor stored.</summary>
public sealed class RetentionTests : IDisposable
{
    private const string Frame = "/dicomweb/studies/1.2.777001/series/1.2.777001.1/instances/1.2.777001.1.1/frames/1";

    private static readonly (string, string) AsStored = ("Accept", "application/octet-stream; transfer-syntax=*");

    private readonly FakeTimeProvider _time = new(TimeProvider.System.GetUtcNow());
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("proxy-retention-");
    private readonly WireMockPacs _east = new(new HeldStudy("1.2.777001").With("1.2.777001.1"));

    private string Cache => Path.Join(_folder.FullName, "cache");

    public void Dispose()
    {
        _east.Dispose();
        Until.DeletedAsync(_folder.FullName).GetAwaiter().GetResult();
    }

    [Fact]
    public async Task T17_DeletesWhatIsOlderThanMaxAge()
    {
        await using var proxy = Start();
        await FillAsync(proxy);
        _time.Advance(TimeSpan.FromMinutes(15));
        Assert.Equal("Proxy; hit", (await proxy.GetAsync(Frame, AsStored)).CacheStatus);
        Assert.Single((await proxy.GetAsync("/store/studies")).Json.AsArray());

        // In memory, and not deleted yet: not served either.
        _time.Advance(TimeSpan.FromMinutes(6));
        Assert.Equal("Proxy; fwd=miss; stored", (await proxy.GetAsync(Frame, AsStored)).CacheStatus);
    }

    [Fact]
    public async Task T17_DeletesWhatHasExpired_FromMemoryAndDisk()
    {
        await using var proxy = Start();
        await FillAsync(proxy);
        _time.Advance(TimeSpan.FromMinutes(21) + Expiry.Interval);

        await Until.TrueAsync(async () => (await proxy.GetAsync("/store/studies")).Json.AsArray().Count == 0);
        await Until.TrueAsync(() => Task.FromResult(!Keys.FindFiles(Cache, "777001"u8.ToArray()).Any()));
        var cache = (await proxy.GetAsync("/cache")).Json;
        Assert.Equal((0, 0), ((int)cache["memory"]!["entries"]!, (int)cache["disk"]!["entries"]!));
    }

    [Fact]
    public async Task T17_DeletesWhatHasExpired_AfterARestart()
    {
        await using (var first = Start()) await FillAsync(first);
        _time.Advance(TimeSpan.FromMinutes(31));

        await using var second = Start();
        Assert.Equal("Proxy; fwd=miss; stored", (await second.GetAsync(Frame, AsStored)).CacheStatus);
        await using var third = Start();
        await Until.TrueAsync(async () => (int)(await third.GetAsync("/cache")).Json["disk"]!["entries"]! <= 1);
    }

    private async Task FillAsync(ProxyHost proxy)
    {
        await proxy.GetAsync("/dicomweb/studies");
        await proxy.GetAsync(Frame, AsStored);
        await Until.TrueAsync(() => Task.FromResult(Keys.FindFiles(Cache, "777001"u8.ToArray()).Count() > 1));
        await Until.TrueAsync(async () =>
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            return (int)(await proxy.GetAsync("/cache")).Json["disk"]!["entries"]! == 1;
        });
    }

    private ProxyHost Start() => new(("east", _east.Address))
    {
        Time = _time,
        ["Cache:Disk:Path"] = Cache,
        ["Cache:MaxAge"] = "00:20:00",
    };
}
