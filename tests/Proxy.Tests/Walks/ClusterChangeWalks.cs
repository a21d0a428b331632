using Microsoft.Extensions.DependencyInjection;
using Proxy.Backends;
using Proxy.Cache;
using Proxy.Cache.InMemory;
using Proxy.Cache.OnDisk;
using Proxy.Cluster;
using Proxy.Dicom;
using Proxy.Tests.Pacs;
using StackExchange.Redis;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Purges and changes in two proxies with one engine: no proxy serves what another one has purged.</summary>
public sealed class ClusterChangeWalks(ClusterChangeWalks.TwoNodes fixture) : IClassFixture<ClusterChangeWalks.TwoNodes>
{
    private static readonly HeldSeries Held = new("1.2.1.1", "CT", 100);

    private static int _instances;

    private readonly RedisServer _redis = fixture.Redis;

    private readonly (ProxyHost One, ProxyHost Two) _nodes = (fixture.Nodes[0], fixture.Nodes[1]);

    /// <summary>An instance that no other test requests.</summary>
    private readonly string _uid = $"1.2.1.1.{Interlocked.Increment(ref _instances)}";

    private string Frame => $"/dicomweb/studies/1.2.1/series/1.2.1.1/instances/{_uid}/frames/1";

    /// <summary>One PACS, one engine, and two proxies with a disk.</summary>
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
        public ProxyHost CreateNode(string? folder = null)
        {
            var node = new ProxyHost(("east", East.Address)) { ["Cluster:Redis"] = Redis.Address, ["Cluster:Timeout"] = "00:00:01" };
            node["Cache:Disk:Path"] = folder ?? Path.Join(node.Root, "cache");
            return node;
        }
    }

    [Fact]
    public async Task APurgeDuringALookUpInTheEngineLeavesNothingOnDisk()
    {
        await _nodes.One.GetAsync(Frame);
        await WrittenAsync();
        var key = _nodes.One.Services.GetRequiredService<MemoryTier>().ReadAll().Single(e => e.Key.Path.Contains($"{_uid}/")).Key;
        var (two, removals) = (_nodes.Two.Services, new List<Task<bool>>());
        var disk = two.GetRequiredService<DiskTier>();
        SharedTier tier = null!;
        tier = new(
            disk, two.GetRequiredService<SharedBodies>(), two.GetRequiredService<SharedWriter>(), two.GetRequiredService<ChangeLog>(),
            two.GetRequiredService<BackendSet>().FindIdentity, PurgeAfterTheLookUp, 8 << 20);

        var found = await tier.FindAsync([new(key)], TestContext.Current.CancellationToken);

        await Assert.Single(removals);
        Assert.Null(found);
        Assert.False(await disk.HasAsync([new(key)], TestContext.Current.CancellationToken));

        bool PurgeAfterTheLookUp(EntryKey found, ICachedBody body)
        {
            removals.Add(tier.RemoveAsync(new(Study: Uid.Parse("1.2.1"))));
            return true;
        }
    }

    private static Task UsedAsync(ProxyHost node) => Until.TrueAsync(async () => await ReadStateAsync(node) == "up");

    private static async Task<string> ReadStateAsync(ProxyHost node) =>
        (string)(await node.GetAsync("/health/ready")).Json["cluster"]!["state"]!;

    private IEnumerable<RedisKey> FindKeys(string pattern) => _redis.Server.Keys(pattern: pattern);

    private Task WrittenAsync() => Until.TrueAsync(async () => await FindHeadAsync() is not null, "the body is in the engine");

    /// <summary>The key of the head of the body of this test, which is written last, and contains the path.</summary>
    private async Task<RedisKey?> FindHeadAsync()
    {
        foreach (var key in FindKeys("*:b:*"))
        {
            var head = (string?)await _redis.Database.StringGetAsync(key);
            if (head?.StartsWith("DWPSHARE", StringComparison.Ordinal) == true && head.Contains($"{_uid}/", StringComparison.Ordinal))
                return key;
        }
        return null;
    }
}
