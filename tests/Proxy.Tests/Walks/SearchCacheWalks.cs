using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Proxy.Backends;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>How often the proxy sends a search to a PACS.</summary>
public sealed class SearchCacheWalks : IDisposable
{
    private const string Studies = "/dicomweb/studies";

    private readonly WireMockPacs _east = new(
        new HeldStudy("1.2.1").With("1.2.1.1", "CT", 2), new HeldStudy("1.2.2") { PatientId = "P2" }.With("1.2.2.1"));

    public void Dispose() => _east.Dispose();

    [Fact]
    public async Task AsksOnce_WhenEqualSearchesArriveAtOnce()
    {
        await using var proxy = new ProxyHost(("east", _east.Address));
        var gate = _east.Hang();

        var searches = Enumerable.Range(0, 20).Select(_ => proxy.GetAsync(Studies)).ToArray();
        var scheduler = proxy.Services.GetRequiredService<BackendScheduler>();
        await Until.TrueAsync(
            () => proxy.Arrived == 20 && gate.Arrived > 0 && scheduler.CountForeground("east") >= 20, "the searches wait for one request");
        gate.Open();
        var replies = await Task.WhenAll(searches);

        Assert.Single(_east.Requests);
        Assert.All(replies, r => Assert.Equal(2, r.Rows.Count));
        Assert.Single(replies, r => r.CacheStatus == "Proxy; fwd=miss; stored");
        Assert.Contains(replies, r => r.CacheStatus == "Proxy; hit; collapsed");
    }

    [Fact]
    public async Task SharesTheRequest_WhenASearchOfAllAndOfOneBackendOverlap()
    {
        using var west = new WireMockPacs();
        await using var proxy = new ProxyHost(("east", _east.Address), ("west", west.Address));
        var gate = _east.Hang();

        var all = proxy.GetAsync(Studies);
        await Until.TrueAsync(() => gate.Arrived == 1, "the search of all backends is sent");
        var one = proxy.GetAsync("/backends/east/dicomweb/studies");
        await Until.TrueAsync(() => proxy.Arrived == 2, "the search of one backend has arrived");
        gate.Open();

        Assert.Equal(2, (await all).Rows.Count);
        Assert.Equal(2, (await one).Rows.Count);
        Assert.Single(_east.Requests);
    }

    [Fact]
    public async Task AsksNothing_WhenTheSearchIsFresh()
    {
        var time = new FakeTimeProvider();
        await using var proxy = new ProxyHost(("east", _east.Address)) { Time = time, ["Search:Freshness"] = "00:00:10" };

        var first = await proxy.GetAsync(Studies + "?limit=1");
        time.Advance(TimeSpan.FromSeconds(9));
        var nextPage = await proxy.GetAsync(Studies + "?limit=1&offset=1");

        Assert.Equal("Proxy; fwd=miss; stored", first.CacheStatus);
        Assert.Equal("0", first["Age"]);
        Assert.Contains("backend;dur=", first["Server-Timing"]);
        Assert.Equal("Proxy; hit", nextPage.CacheStatus);
        Assert.Equal("9", nextPage["Age"]);
        Assert.NotEqual(first.Values("0020000D"), nextPage.Values("0020000D"));
        Assert.Single(_east.Requests);

        time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal("Proxy; fwd=miss; stored", (await proxy.GetAsync(Studies)).CacheStatus);
        Assert.Equal(2, _east.Requests.Count);
    }

    [Fact]
    public async Task AsksAgain_WhenTheClientSendsNoCache()
    {
        await using var proxy = new ProxyHost(("east", _east.Address));
        await proxy.GetAsync(Studies);
        _east.Hold(new HeldStudy("1.2.3").With("1.2.3.1"));

        Assert.Equal(2, (await proxy.GetAsync(Studies)).Rows.Count);
        Assert.Equal(3, (await proxy.GetAsync(Studies, ("Cache-Control", "no-cache"))).Rows.Count);
        Assert.Equal(3, (await proxy.GetAsync(Studies)).Rows.Count);
    }

    [Fact]
    public async Task SharesTheResult_WhenASearchIsWrittenInTwoWays()
    {
        await using var proxy = new ProxyHost(("east", _east.Address));

        await proxy.GetAsync(
            Studies + "?00100020=P2&ModalitiesInStudy=CT%2CMR&includefield=00081030%2C00080060&limit=101&offset=0&fuzzymatching=false");
        var again = await proxy.GetAsync(
            Studies + "?offset=0&includefield=StudyDescription&includefield=PatientBirthDate&ModalitiesInStudy=CT%5CMR&PatientID=P2");

        Assert.Equal(["1.2.2"], again.Values("0020000D"));
        Assert.Equal("Proxy; hit", again.CacheStatus);
        Assert.Single(_east.Requests);
    }

    [Fact]
    public async Task AnswersFromTheStore_WhenTheListHadTheStudy()
    {
        await using var proxy = new ProxyHost(("east", _east.Address));
        await proxy.GetAsync(Studies + "?limit=101&includefield=00081030%2C00080060%2C00080090%2C00100030");

        var reply =
            await proxy.GetAsync(
            Studies + "?limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060%2C00080090%2C00100030" +
            "&StudyInstanceUID=1.2.2");

        Assert.Equal(["1.2.2"], reply.Values("0020000D"));
        Assert.Equal("Proxy; hit", reply.CacheStatus);
        Assert.Single(_east.Requests);
    }

    [Fact]
    public async Task Returns304_WhenTheListIsUnchanged()
    {
        await using var proxy = new ProxyHost(("east", _east.Address));
        var first = await proxy.GetAsync(Studies);

        var again = await proxy.GetAsync(Studies, ("If-None-Match", first["ETag"]), ("Cache-Control", "no-cache"));

        Assert.Equal(304, (int)again.Status);
        Assert.Empty(again.Body);
        Assert.Equal(first["ETag"], again["ETag"]);
        Assert.Equal("private, no-cache", again["Cache-Control"]);
    }

    [Fact]
    public async Task CancelsTheSearch_WhenEveryClientDisconnects()
    {
        using var pacs = new RawPacs();
        var hungUp = new TaskCompletionSource();
        var asked = new Gate();
        pacs.On("studies", async connection =>
        {
            _ = asked.PassAsync();
            await connection.WaitForDisconnectAsync();
            hungUp.SetResult();
        });
        await using var proxy = new ProxyHost(("east", pacs.Address));
        using var disconnect = new CancellationTokenSource();

        var search = proxy.GetAsync(Studies, disconnect.Token);
        await Until.TrueAsync(() => asked.Arrived == 1, "the PACS is asked");
        await disconnect.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => search);
        await hungUp.Task.WaitAsync(Until.Patience, TimeProvider.System, TestContext.Current.CancellationToken);
    }
}
