using Microsoft.Extensions.DependencyInjection;
using Proxy.Cache;
using Proxy.Cluster.Changes;
using Proxy.Dicom;
using Proxy.Tests.Pacs;
using StackExchange.Redis;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Two proxies in front of one PACS, with one engine. Each test leaves the engine in use.</summary>
public sealed class ClusterWalks(ClusterWalks.TwoNodes fixture) : IClassFixture<ClusterWalks.TwoNodes>, IAsyncLifetime
{
    private const string ExplicitLittleEndian = "1.2.840.10008.1.2.1";

    private static readonly HeldSeries Held = new("1.2.1.1", "CT", 100) { FrameBytes = (2 << 20) + 1234 };

    private static int _instances;

    private readonly RedisServer _redis = fixture.Redis;

    private readonly (ProxyHost One, ProxyHost Two) _nodes = (fixture.Nodes[0], fixture.Nodes[1]);

    /// <summary>An instance that no other test requests.</summary>
    private readonly string _uid = $"1.2.1.1.{Interlocked.Increment(ref _instances)}";

    private string Frame => $"/dicomweb/studies/1.2.1/series/1.2.1.1/instances/{_uid}/frames/1";

    /// <summary>One PACS, one engine, and two proxies.</summary>
    public sealed class TwoNodes : IAsyncLifetime
    {
        public WireMockPacs East { get; } = new(new HeldStudy("1.2.1").With(Held));

        public RedisServer Redis { get; private set; } = null!;

        public IReadOnlyList<ProxyHost> Nodes { get; private set; } = [];

        public async ValueTask InitializeAsync()
        {
            Redis = await RedisServer.StartAsync();
            Nodes = [CreateNode(), CreateNode()];
            foreach (var node in Nodes) await UsedAsync(node);
        }

        public async ValueTask DisposeAsync()
        {
            foreach (var node in Nodes) await node.DisposeAsync();
            if (Redis is not null) await Redis.DisposeAsync();
            East.Dispose();
        }

        // On a loaded machine, an answer in time may take longer than the default.
        private ProxyHost CreateNode() =>
            new(("east", East.Address)) { ["Cluster:Redis"] = Redis.Address, ["Cluster:Timeout"] = "00:00:01" };
    }

    /// <summary>What one test has announced is not applied during the next one.</summary>
    public async ValueTask InitializeAsync()
    {
        foreach (var node in fixture.Nodes) await UsedAsync(node);
        await Until.TrueAsync(async () =>
        {
            if (FindKeys("*:epoch").ToList() is not [var epoch]) return false;
            var number = (long)await _redis.Database.StringGetAsync(epoch.ToString().Replace(":epoch", ":seq", StringComparison.Ordinal));
            var position = new LogPosition(Guid.ParseExact((string)(await _redis.Database.StringGetAsync(epoch))!, "n"), number);
            return fixture.Nodes.All(node => node.Services.GetRequiredService<ChangeLog>().Settled == position);
        });
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact]
    public async Task AFrameIsFetchedOnce_ByTheNodesTogether()
    {
        await _nodes.One.GetAsync(Frame);
        await WrittenAsync();

        var reply = await _nodes.Two.GetAsync(Frame);

        Assert.Equal("Proxy; hit", reply.CacheStatus);
        Assert.Equal(Held.GetFrame(_uid, 1, ExplicitLittleEndian), Assert.Single(Parts.Read(reply)).Body);
        Assert.Equal(1, CountRequests());
    }

    [Fact]
    public async Task ADamagedValueIsDeleted_AndTheFrameFetchedAgain()
    {
        await _nodes.One.GetAsync(Frame);
        await WrittenAsync();
        foreach (var chunk in FindKeys("*:b:*:1")) await _redis.Database.StringSetRangeAsync(chunk, 77, "damaged");

        var reply = await _nodes.Two.GetAsync(Frame);

        Assert.Equal(Held.GetFrame(_uid, 1, ExplicitLittleEndian), Assert.Single(Parts.Read(reply)).Body);
        Assert.Equal(2, CountRequests());
    }

    [Fact]
    public async Task APurgeOnOneNodeIsAppliedOnAll_AndInTheEngine()
    {
        await _nodes.One.GetAsync(Frame);
        await WrittenAsync();
        await _nodes.Two.GetAsync(Frame);

        var purge = await _nodes.One.SendAsync(HttpMethod.Delete, "/cache/studies/1.2.1", []);

        Assert.True((int)purge.Status is 200 or 204);
        Assert.False(await IsWrittenAsync());
        await Until.TrueAsync(async () => (int)(await _nodes.Two.GetAsync("/store/studies/1.2.1")).Status == 404);
        await _nodes.Two.GetAsync(Frame);
        Assert.Equal(2, CountRequests());
    }

    [Fact]
    public async Task APurgeReachesTheOtherNode_WhenTheEngineHasLostTheLatestChanges()
    {
        for (var i = 1; i <= 5; i++) await _nodes.One.SendAsync(HttpMethod.Delete, $"/cache/studies/9.9.{i}", []);
        var seq = FindKeys("*:seq").Single();
        var number = (long)await _redis.Database.StringGetAsync(seq);
        foreach (var node in fixture.Nodes)
            await Until.TrueAsync(() => node.Services.GetRequiredService<ChangeLog>().Position?.Number == number);
        await _nodes.Two.GetAsync(Frame);
        var loss = _redis.Database.CreateTransaction();
        _ = loss.StringSetAsync(seq, number - 5);
        _ = loss.SortedSetRemoveRangeByScoreAsync(FindKeys("*:changes").Single(), number - 4, number);
        Assert.True(await loss.ExecuteAsync());

        await _nodes.One.SendAsync(HttpMethod.Delete, "/cache/studies/1.2.1", []);

        await Until.TrueAsync(async () => (int)(await _nodes.Two.GetAsync("/store/studies/1.2.1")).Status == 404);
    }

    [Fact]
    public async Task AChangeOfOneInstanceLeavesTheOtherBodies_OnTheOtherNode()
    {
        await _nodes.Two.GetAsync(Frame);
        var applied = CountApplied(_nodes.Two);
        var series = new SeriesPath(Uid.Parse("1.2.1"), Uid.Parse("1.2.1.1"));
        _nodes.One.Services.GetRequiredService<StudyInvalidation>()
            .Follow(StudyChange.Of("east", series.Study, series.Series, Uid.Parse("1.2.1.1.999")));
        // One change of the metadata, and one of the instance.
        await Until.TrueAsync(() => CountApplied(_nodes.Two) == applied + 2);

        var reply = await _nodes.Two.GetAsync(Frame);

        Assert.Equal("Proxy; hit", reply.CacheStatus);
        Assert.Equal(1, CountRequests());
    }

    [Fact]
    public async Task AFrozenEngineFailsNoRequest_AndIsUsedAgain()
    {
        _redis.Freeze();
        var reply = await _nodes.Two.GetAsync(Frame);
        await Until.TrueAsync(async () => await ReadStateAsync(_nodes.Two) == "degraded");
        _redis.Thaw();

        Assert.Equal(200, (int)reply.Status);
        foreach (var node in fixture.Nodes) await UsedAsync(node);
    }

    [Fact]
    public async Task AKilledEngineIsNamed_AndFilledAgainAfterItsRestart()
    {
        _redis.Kill();
        foreach (var node in fixture.Nodes) await Until.TrueAsync(async () => await ReadStateAsync(node) == "degraded");
        var ready = await _nodes.Two.GetAsync("/health/ready");
        _redis.Run();
        foreach (var node in fixture.Nodes) await UsedAsync(node);
        await _nodes.One.GetAsync(Frame);
        await WrittenAsync();

        var reply = await _nodes.Two.GetAsync(Frame);

        Assert.Equal(200, (int)ready.Status);
        Assert.Equal("Proxy; hit", reply.CacheStatus);
        Assert.Equal(1, CountRequests());
    }

    [Fact]
    public async Task AFullEngineFailsNoRequest()
    {
        await _redis.Server.ConfigSetAsync("maxmemory", "1");

        var first = await _nodes.One.GetAsync(Frame);
        await Until.TrueAsync(async () => await ReadStateAsync(_nodes.One) == "degraded");
        var second = await _nodes.Two.GetAsync(Frame);
        await _redis.Server.ConfigSetAsync("maxmemory", "0");

        Assert.Equal((200, 200), ((int)first.Status, (int)second.Status));
        Assert.Equal(2, CountRequests());
        foreach (var node in fixture.Nodes) await UsedAsync(node);
    }

    [Fact]
    public async Task ThePasswordOfTheEngineIsHidden()
    {
        await using var node = new ProxyHost(("east", fixture.East.Address)) { ["Cluster:Redis"] = "127.0.0.1:1,password=abracadabra" };

        var settings = await node.GetAsync("/settings");

        Assert.Contains("Cluster:Redis", settings.Text);
        Assert.DoesNotContain("abracadabra", settings.Text);
        Assert.DoesNotContain("abracadabra", (await node.GetAsync("/warnings")).Text);
        Assert.Equal("degraded", await ReadStateAsync(node));
    }

    private static Task UsedAsync(ProxyHost node) => Until.TrueAsync(async () => await ReadStateAsync(node) == "up");

    private static async Task<string> ReadStateAsync(ProxyHost node) =>
        (string)(await node.GetAsync("/health/ready")).Json["cluster"]!["state"]!;

    private static long CountApplied(ProxyHost node) => node.Services.GetRequiredService<ChangeLog>().Applied;

    private int CountRequests() => fixture.East.Count($"{_uid}/frames/1");

    private IEnumerable<RedisKey> FindKeys(string pattern) => _redis.Server.Keys(pattern: pattern);

    private Task WrittenAsync() => Until.TrueAsync(IsWrittenAsync, "the body is in the engine");

    /// <summary>Whether the body of this test is in the engine: its head is written last, and contains the path.</summary>
    private async Task<bool> IsWrittenAsync()
    {
        foreach (var key in FindKeys("*:b:*").Where(key => key.ToString().Split(':').Length == 8))
        {
            var head = (string?)await _redis.Database.StringGetAsync(key);
            if (head?.Contains($"{_uid}/", StringComparison.Ordinal) == true) return true;
        }
        return false;
    }
}
