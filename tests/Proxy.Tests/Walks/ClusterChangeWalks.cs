using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Proxy.Backends;
using Proxy.Cache;
using Proxy.Cache.InMemory;
using Proxy.Cache.OnDisk;
using Proxy.Cluster;
using Proxy.Cluster.Changes;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Tests.Pacs;
using StackExchange.Redis;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Purges and changes in two proxies with one engine: no proxy serves what another one has purged.</summary>
public sealed class ClusterChangeWalks(ClusterChangeWalks.TwoNodes fixture) : IClassFixture<ClusterChangeWalks.TwoNodes>, IAsyncLifetime
{
    private const string OtherPatient = "PATIENT-77";

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
        public WireMockPacs East { get; } = new(
            new HeldStudy("1.2.1").With(Held), new HeldStudy("1.2.2") { PatientId = OtherPatient }.With("1.2.2.1"));

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

    public async ValueTask InitializeAsync()
    {
        foreach (var node in fixture.Nodes) await UsedAsync(node);
        await SettledAsync();
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact]
    public async Task APurgeDuringALookUpInTheEngineLeavesNothingOnDisk()
    {
        await _nodes.One.GetAsync(Frame);
        await WrittenAsync();
        var key = FindInMemory(_nodes.One).Key;
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

    [Fact]
    public async Task ANodeAppliesAtItsStartWhatItMissed_AndNothingElse()
    {
        var folder = Directory.CreateTempSubdirectory("node-").FullName;
        EntryKey key;
        await using (var node = fixture.CreateNode(folder))
        {
            await UsedAsync(node);
            await PurgeAsync(_nodes.One);
            await SettledAsync(node);
            await node.GetAsync(Frame);
            await Until.TrueAsync(() => IsInMemory(node), "the body is in memory");
            key = FindInMemory(node).Key;
        }
        await using (var node = fixture.CreateNode(folder))
        {
            await UsedAsync(node);
            Assert.True(await IsOnDiskAsync(node, key));
        }
        await PurgeAsync(_nodes.One);
        await using (var node = fixture.CreateNode(folder))
        {
            await UsedAsync(node);
            Assert.False(await IsOnDiskAsync(node, key));
        }
        await Until.DeletedAsync(folder);
    }

    [Fact]
    public async Task ANodeDropsItsDisk_WhenTheLogHasBegunAgainWhileItWasAway()
    {
        var folder = Directory.CreateTempSubdirectory("node-").FullName;
        EntryKey key;
        await using (var node = fixture.CreateNode(folder))
        {
            await UsedAsync(node);
            await node.GetAsync(Frame);
            key = FindInMemory(node).Key;
        }
        await _redis.Database.StringSetAsync(FindKeys("*:epoch").Single(), $"{Guid.NewGuid():n}");
        await using (var node = fixture.CreateNode(folder))
        {
            await UsedAsync(node);
            Assert.False(await IsOnDiskAsync(node, key));
        }
        await Until.DeletedAsync(folder);
    }

    [Fact]
    public async Task APurgeIsAnnouncedAgain_WhenTheEngineHasLostTheLog()
    {
        await PurgeAsync(_nodes.One, "8.8.8");
        await SettledAsync();
        await _redis.Server.FlushAllDatabasesAsync();

        await Until.TrueAsync(async () => (await ReadLogAsync()).Contains("8.8.8", StringComparison.Ordinal));
    }

    [Fact]
    public async Task APurgeByPatientIsAppliedToTheStudiesThatOnlyAnotherNodeKnows()
    {
        foreach (var study in (string[])["1.2.1", "1.2.2"])
        {
            await _nodes.Two.GetAsync($"/dicomweb/studies/{study}/series/{study}.1/metadata");
            await _nodes.Two.GetAsync($"/dicomweb/studies/{study}/series/{study}.1/instances/{study}.1.1/frames/1");
        }
        await Until.TrueAsync(async () => await FindHeadAsync("1.2.2.1.1/") is not null);

        var purge = await _nodes.One.SendAsync(HttpMethod.Delete, "/cache/patients/" + OtherPatient, []);

        Assert.Equal(204, (int)purge.Status);
        await Until.TrueAsync(async () => (int)(await _nodes.Two.GetAsync("/store/studies/1.2.2")).Status == 404);
        await Until.TrueAsync(async () => await FindHeadAsync("1.2.2.1.1/") is null);
        Assert.Equal(200, (int)(await _nodes.Two.GetAsync("/store/studies/1.2.1")).Status);
        Assert.DoesNotContain(OtherPatient, await ReadLogAsync());
    }

    [Fact]
    public async Task AChangeOfOneInstanceLeavesTheOtherBodies_InTheEngine()
    {
        var other = $"1.2.1.1.{Interlocked.Increment(ref _instances)}";
        await _nodes.One.GetAsync(Frame);
        await _nodes.One.GetAsync($"/dicomweb/studies/1.2.1/series/1.2.1.1/instances/{other}/frames/1");
        await WrittenAsync();
        await Until.TrueAsync(async () => await FindHeadAsync(other + "/") is not null);

        _nodes.One.Services.GetRequiredService<StudyInvalidation>()
            .Follow(StudyChange.Of("east", Uid.Parse("1.2.1"), Uid.Parse("1.2.1.1"), Uid.Parse(_uid)));

        await Until.TrueAsync(async () => await FindHeadAsync($"{_uid}/") is null);
        await SettledAsync();
        Assert.NotNull(await FindHeadAsync(other + "/"));
        var reply = await _nodes.Two.GetAsync($"/dicomweb/studies/1.2.1/series/1.2.1.1/instances/{other}/frames/1");
        Assert.Equal("Proxy; hit", reply.CacheStatus);
    }

    [Fact]
    public async Task ALateWriteOfAPurgedBodyIsRefusedByTheEngine()
    {
        await _nodes.One.GetAsync(Frame);
        await WrittenAsync();
        var head = (await FindHeadAsync($"{_uid}/"))!.Value;
        var (key, entry) = FindInMemory(_nodes.One);
        var position = GetLog(_nodes.One).Position!;
        // As the deletion of a node does that is ahead of this one.
        await _redis.Database.StringSetAsync(
            head.ToString().Split(":b:")[0] + ":changed", $"{position.Epoch:n}:{position.Number + 1}", TimeSpan.FromMinutes(1));
        await _redis.Database.KeyDeleteAsync(head);
        var one = _nodes.One.Services;

        var isWritten = await one.GetRequiredService<SharedBodies>()
            .WriteAsync(position, key, one.GetRequiredService<BackendSet>().FindIdentity("east")!, entry);
        await _redis.Database.KeyDeleteAsync(head.ToString().Split(":b:")[0] + ":changed");

        Assert.False(isWritten);
        Assert.Null(await FindHeadAsync($"{_uid}/"));
    }

    [Fact]
    public async Task ABackendThatLeavesTheSettingsOfOneNodeStaysOnTheOthers()
    {
        await _nodes.Two.GetAsync(Frame);

        _nodes.One.Services.GetRequiredService<StudyInvalidation>().RemoveBackend("east");
        await PurgeAsync(_nodes.One, "8.8.9");
        await SettledAsync();

        await _nodes.Two.GetAsync(Frame);
        Assert.Equal(1, fixture.East.Count($"{_uid}/frames/1"));
    }

    [Fact]
    public async Task AFileThatCannotBeReadAtTheStartIsReadLater()
    {
        var file = Path.Join(_nodes.One.Root, $"redis-{_uid}");
        await File.WriteAllTextAsync(file, _redis.Address, TestContext.Current.CancellationToken);
        var settings = new SettingsReader(
            new ConfigurationBuilder().AddInMemoryCollection([new("Cluster:RedisFile", file)]).Build());
        var options = ClusterOptions.Read(settings);
        await using var engine = new SharedEngine(options, TimeProvider.System, NullLogger<SharedEngine>.Instance);
        File.Delete(file);

        Assert.False(await engine.ConnectAsync());
        await File.WriteAllTextAsync(file, _redis.Address, TestContext.Current.CancellationToken);
        Assert.True(await engine.ConnectAsync());
    }

    private static Task UsedAsync(ProxyHost node) => Until.TrueAsync(async () => await ReadStateAsync(node) == "up");

    private static async Task<string> ReadStateAsync(ProxyHost node) =>
        (string)(await node.GetAsync("/health/ready")).Json["cluster"]!["state"]!;

    private IEnumerable<RedisKey> FindKeys(string pattern) => _redis.Server.Keys(pattern: pattern);

    private static ChangeLog GetLog(ProxyHost node) => node.Services.GetRequiredService<ChangeLog>();

    private static async Task<bool> IsOnDiskAsync(ProxyHost node, EntryKey key) =>
        await node.Services.GetRequiredService<DiskTier>().HasAsync([new(key)], CancellationToken.None);

    private static async Task PurgeAsync(ProxyHost node, string study = "1.2.1") =>
        Assert.Equal(204, (int)(await node.SendAsync(HttpMethod.Delete, $"/cache/studies/{study}", [])).Status);

    /// <summary>Waits until both nodes, and these, have applied the whole log, and have nothing to announce.</summary>
    private Task SettledAsync(params ProxyHost[] more) => Until.TrueAsync(async () =>
    {
        if (FindKeys("*:epoch").ToList() is not [var epoch]) return false;
        var number = (long)await _redis.Database.StringGetAsync(epoch.ToString().Replace(":epoch", ":seq", StringComparison.Ordinal));
        var position = new LogPosition(Guid.ParseExact((string)(await _redis.Database.StringGetAsync(epoch))!, "n"), number);
        return fixture.Nodes.Concat(more).All(node => GetLog(node).Settled == position);
    });

    private async Task<string> ReadLogAsync() => string.Concat(
        await Task.WhenAll(FindKeys("*:changes").Select(async key => string.Concat(await _redis.Database.SortedSetRangeByRankAsync(key)))));

    /// <summary>The body of this test, in a node that has fetched it.</summary>
    private bool IsInMemory(ProxyHost node) =>
        node.Services.GetRequiredService<MemoryTier>().ReadAll().Any(found => found.Key.Path.Contains($"{_uid}/"));

    private (EntryKey Key, Entry Entry) FindInMemory(ProxyHost node) =>
        node.Services.GetRequiredService<MemoryTier>().ReadAll().Single(found => found.Key.Path.Contains($"{_uid}/"));

    private Task WrittenAsync() => Until.TrueAsync(async () => await FindHeadAsync($"{_uid}/") is not null, "the body is in the engine");

    /// <summary>The key of the head of a body, which is written last, and contains the path.</summary>
    private async Task<RedisKey?> FindHeadAsync(string path)
    {
        foreach (var key in FindKeys("*:b:*"))
        {
            var head = (string?)await _redis.Database.StringGetAsync(key);
            if (head?.StartsWith("DWPSHARE", StringComparison.Ordinal) == true && head.Contains(path, StringComparison.Ordinal))
                return key;
        }
        return null;
    }
}
