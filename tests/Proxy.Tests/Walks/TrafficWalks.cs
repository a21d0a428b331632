using System.Text.Json.Nodes;
using Microsoft.Extensions.Time.Testing;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>The history that the page draws: requests, hits, bytes, and the figures of each backend.</summary>
public sealed class TrafficWalks : IDisposable
{
    private const string Metadata = "/dicomweb/studies/1.2.1/series/1.2.1.1/metadata";

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1"));

    public void Dispose() => _east.Dispose();

    [Fact]
    public async Task CountsHitsMissesAndBytes()
    {
        await using var proxy = new ProxyHost(("east", _east.Address));
        await proxy.GetAsync(Metadata);
        var hit = await proxy.GetAsync(Metadata);
        await proxy.GetAsync("/health/live");

        var totals = await ReadTotalsAsync(proxy, requests: 2);

        Assert.Equal((2, 1, 1, 0), ((int)totals["requests"]!, (int)totals["hits"]!, (int)totals["misses"]!, (int)totals["errors"]!));
        Assert.True((int)totals["bytesServed"]! > 2 * hit.Body.Length);
        // The head counts too.
        Assert.InRange((int)totals["bytesSaved"]!, hit.Body.Length, hit.Body.Length + 1024);
        Assert.InRange((int)totals["bytesFetched"]!, 1, 1 << 20);
        Assert.True((double)totals["secondsSaved"]! > 0);
    }

    [Fact]
    public async Task AStepHasTheRequestsOfOneSecond()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(56));
        await using var proxy = new ProxyHost(("east", _east.Address)) { Time = time };
        await proxy.GetAsync(Metadata);
        await proxy.GetAsync(Metadata);
        await ReadTotalsAsync(proxy, requests: 2);
        time.Advance(TimeSpan.FromSeconds(2));

        var reply = await proxy.GetAsync("/traffic");

        Assert.Equal(200, (int)reply.Status);
        Assert.Equal(1, (int)reply.Json["recent"]!["step"]!);
        Assert.Equal(60, (int)reply.Json["day"]!["step"]!);
        Assert.Equal([2, 0], Column(reply, "requests"));
        Assert.Equal([1, 0], Column(reply, "hits"));
        Assert.Equal([1, 0], Column(reply, "misses"));
        Assert.Equal([0, 0], Column(reply, "errors"));
        Assert.True(Column(reply, "bytesServed")[0] > 0 && Column(reply, "bytesFetched")[0] > 0);
        Assert.Equal(time.GetUtcNow(), (DateTimeOffset)reply.Json["now"]!);
        Assert.Equal(time.GetUtcNow().AddSeconds(-2), (DateTimeOffset)reply.Json["recent"]!["from"]!);
        Assert.Empty(reply.Json["day"]!["requests"]!.AsArray());
    }

    [Fact]
    public async Task ShowsEachBackend_WithItsLastError()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(56));
        using var west = new WireMockPacs();
        await using var proxy = new ProxyHost(("east", _east.Address), ("west", west.Address))
        {
            ["Backends:east:MaxConcurrentRequests"] = "7",
            Time = time,
        };
        west.Fail(500);
        await proxy.GetAsync("/dicomweb/studies?PatientName=CANARY");

        var reply = await proxy.GetAsync("/traffic");

        var east = reply.Json["backends"]!["east"]!;
        Assert.Equal((0, 7, 0, 0), ((int)east["inFlight"]!, (int)east["limit"]!, (int)east["waiting"]!, (int)east["failures"]!));
        Assert.True((int)east["requests"]! > 0 && (double)east["p50Ms"]! > 0 && (double)east["p95Ms"]! >= (double)east["p50Ms"]!);
        Assert.Null(east["lastError"]);
        Assert.Null(east["lastErrorAt"]);
        var failed = reply.Json["backends"]!["west"]!;
        Assert.True((int)failed["failures"]! > 0 && (double)failed["errorRate"]! > 0);
        Assert.Contains("status 500", (string)failed["lastError"]!);
        Assert.Equal(time.GetUtcNow(), (DateTimeOffset)failed["lastErrorAt"]!);
        Assert.DoesNotContain("CANARY", reply.Text);
        Assert.DoesNotContain("1.2.1", reply.Text);
        Assert.DoesNotContain($":{_east.Port}", reply.Text);
    }

    [Fact]
    public async Task AFailedRequestIsAnError_AndHasNoHit()
    {
        await using var proxy = new ProxyHost(("east", _east.Address));
        _east.Fail(500);
        await proxy.GetAsync("/dicomweb/studies/1.2.9/series");

        var totals = await ReadTotalsAsync(proxy, requests: 1);

        Assert.Equal((1, 0, 0, 1), ((int)totals["requests"]!, (int)totals["hits"]!, (int)totals["misses"]!, (int)totals["errors"]!));
    }

    /// <summary>A client has its answer a moment before the proxy records the request.</summary>
    private static async Task<JsonNode> ReadTotalsAsync(ProxyHost proxy, int requests)
    {
        JsonNode? totals = null;
        await Until.TrueAsync(async () =>
        {
            totals = (await proxy.GetAsync("/traffic")).Json["totals"];
            return (int)totals!["requests"]! == requests;
        });
        return totals!;
    }

    private static List<long> Column(Reply reply, string name) =>
        [.. reply.Json["recent"]![name]!.AsArray().Select(value => (long)value!)];
}
