using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Proxy.Cache;
using Proxy.Cache.InMemory;
using Proxy.Cache.OnDisk;
using Proxy.Dicom;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Cache;

/// <summary>Prefetched bodies, and the effect of the first client request for them.</summary>
public sealed class EntryCachePrefetchTests : IAsyncDisposable
{
    private const long MaxBytes = 80_000;

    private readonly FakeTimeProvider _time = new();
    private readonly MemoryParts _memory;
    private readonly DiskLab _disk;
    private readonly EntryCache _cache;
    private readonly EntryCache _diskless;
    private readonly TaskCompletionSource _gate = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _fetches;

    public EntryCachePrefetchTests()
    {
        _memory = new(MaxBytes, _time);
        _disk = new(time: _time);
        _cache = NewCache(_disk.Tier);
        _diskless = NewCache(DiskLab.None());
    }

    private static CancellationToken Stopped => TestContext.Current.CancellationToken;

    private static EntryKey Frame { get; } = DiskLab.Key(1, 1);

    public async ValueTask DisposeAsync()
    {
        await _disk.DisposeAsync();
        _memory.Dispose();
    }

    [Fact]
    public async Task MarksAnEntryAsPrefetched_AndCountsItUntilItsFirstUse()
    {
        await FetchAsync(_diskless, Placement.Prefetched);
        Assert.InRange(_memory.PrefetchedBytes, 1000, 2000);
        for (var i = 0; i < 3; i++)
        {
            Assert.True(await IsPrefetchedAsync(_diskless));
            Assert.Equal(0, _memory.PrefetchedBytes);
        }
        Assert.Equal(1, _fetches);
    }

    [Theory]
    [InlineData(1000)]
    [InlineData(30_000)]
    public async Task StoresAsRequested_WhenAClientJoinsAPrefetch(int length)
    {
        using var ahead = _cache.Get(Frame, GatedAsync(length), Placement.Prefetched).Reader!;
        var client = _cache.Get(Frame, GatedAsync(length));
        Assert.True(client.IsCollapsed);
        _gate.SetResult();
        using (client.Reader!) await DiskLab.ReadAsync(client.Reader!);
        await CachedAsync(_cache);
        await _disk.SettleAsync();

        Assert.Equal((0, 0), (_memory.PrefetchedBytes, _disk.Writer.PrefetchedBytes));
        Assert.False(await IsPrefetchedAsync(_cache));
        Assert.Equal(1, _fetches);
    }

    [Theory]
    [InlineData(1000)]
    [InlineData(30_000)]
    public async Task KeepsTheClientsPlacement_WhenAPrefetchJoins(int length)
    {
        using var client = _cache.Get(Frame, GatedAsync(length)).Reader!;
        var ahead = _cache.Get(Frame, GatedAsync(length), Placement.Prefetched);
        Assert.True(ahead.IsCollapsed);
        _gate.SetResult();
        using (ahead.Reader!) await DiskLab.ReadAsync(ahead.Reader!);
        await CachedAsync(_cache);
        await _disk.SettleAsync();

        Assert.Equal((0, 0), (_memory.PrefetchedBytes, _disk.Writer.PrefetchedBytes));
        Assert.False(await IsPrefetchedAsync(_cache));
    }

    [Theory]
    [InlineData(1000, 1)]
    [InlineData(30_000, 0)]
    public async Task StoresAPrefetchInBothTiers_OrALargeOneOnDisk(int length, int inMemory)
    {
        await FetchAsync(_cache, Placement.Prefetched, length);
        await _disk.SettleAsync();
        Assert.Equal(inMemory, _memory.ReadAll<EntryKey, Entry>().Count());
        Assert.Equal(inMemory == 1, _memory.PrefetchedBytes > 0);
        Assert.InRange(_disk.Writer.PrefetchedBytes, length, 2 * length + 8192);
        Assert.True(await IsPrefetchedAsync(_cache));
    }

    [Fact]
    public async Task MarksTheDiskEntryAsUsed_WhenAPrefetchIsFoundInMemory()
    {
        await FetchAsync(_cache, Placement.Prefetched);
        await _disk.SettleAsync();
        Assert.True(_disk.Writer.PrefetchedBytes > 0);
        Assert.True(await IsPrefetchedAsync(_cache));
        Assert.Equal((1, 0), (_cache.Statistics.Hits, _disk.Tier.Statistics.Hits));
        await Until.TrueAsync(async () =>
        {
            await _disk.SettleAsync();
            return _disk.Writer.PrefetchedBytes == 0;
        });
    }

    [Fact]
    public async Task StoresAPrefetchOnDiskOnly_WhenClientsFillTheMemory()
    {
        for (var i = 0; i < 17; i++) _memory.Add(i, "value", 4000);
        var before = _memory.ReadAll<int, string>().Select(held => held.Key).Order().ToList();
        await FetchAsync(_cache, Placement.Prefetched, 8000);
        Assert.Equal(before, _memory.ReadAll<int, string>().Select(held => held.Key).Order());
        Assert.Empty(_memory.ReadAll<EntryKey, Entry>());
        await _disk.SettleAsync();
        Assert.True(await IsPrefetchedAsync(_cache));
    }

    [Fact]
    public async Task NeitherUsesNorCounts_WhenCheckingForAnEntry()
    {
        Assert.False(await _cache.HasAsync([new(Frame)], Stopped));
        await FetchAsync(_cache, Placement.Prefetched);
        await _disk.SettleAsync();
        for (var i = 0; i < 3; i++)
        {
            Assert.True(await _cache.HasAsync([new(DiskLab.Key(1, 2)), new(Frame)], Stopped));
            Assert.True(_cache.Get(Frame, GatedAsync(1000), Placement.Prefetched).Cached!.IsPrefetched);
            Assert.False(await _cache.HasAsync([new(Frame, new("image/jp2", "1.2.840.10008.1.2.4.90"))], Stopped));
        }
        _memory.Remove(Frame);
        Assert.True(await _cache.HasAsync([new(Frame)], Stopped));
        await _disk.SettleAsync();
        Assert.True(_disk.Writer.PrefetchedBytes > 0);
        Assert.Empty(_memory.ReadAll<EntryKey, Entry>());
        Assert.Equal(
            (0, 0, 0, 0), (_cache.Statistics.Hits, _cache.Statistics.Misses, _disk.Tier.Statistics.Hits, _disk.Tier.Statistics.Misses));
        Assert.Equal(1, _fetches);
    }

    [Fact]
    public async Task ChecksTheRoomOnDisk_WhenThereIsADisk()
    {
        Assert.True(_diskless.HasRoomForPrefetched(8000));
        Assert.False(_diskless.HasRoomForPrefetched(MaxBytes / 8 + 1));
        Assert.True(_cache.HasRoomForPrefetched(MaxBytes));
        for (var i = 0; i < 100; i++) _memory.Add(i, "value", 4000);
        Assert.False(_diskless.HasRoomForPrefetched(8000));
        Assert.True(_cache.HasRoomForPrefetched(8000));
        Assert.False(_cache.HasRoomForPrefetched(_disk.MaxBytes));
        await _disk.EndAsync();
        Assert.False(_cache.HasRoomForPrefetched(8000));
        await _disk.RestartAsync();
    }

    [Fact]
    public async Task RemovesPrefetchedEntriesToo_WhenPurged()
    {
        await FetchAsync(_cache, Placement.Prefetched);
        Assert.True(await _cache.RemoveAsync(new()));
        Assert.False(await _cache.HasAsync([new(Frame)], Stopped));
        Assert.Equal((0, 0), (_memory.PrefetchedBytes, _disk.Writer.PrefetchedBytes));
    }

    [Fact]
    public async Task AddsAPrefetchedInstance_UnlessItWasRemovedMeanwhile()
    {
        var path = new InstancePath(Uid.Parse("1.2"), Uid.Parse("1.2.1"), Uid.Parse("1.2.1.1"));
        var format = new BodyFormat(BodyFormat.Dicom, BodyFormat.Any);
        var key = new EntryKey("east", path.ToString(), format);
        var entry = new Entry(new(BodyFormat.Dicom, null, 3), [new byte[3]], 3, _time.GetUtcNow());
        var before = _diskless.RemovalCount;

        await _diskless.RemoveAsync(new(Study: Uid.Parse("1.9")));
        await _diskless.RemoveAsync(new("west", path));
        Assert.True(await _diskless.AddPrefetchedAsync("east", path, format, entry, before));
        Assert.True(await _diskless.HasAsync([new(key)], Stopped));

        await _diskless.RemoveAsync(new(Study: path.Study));
        Assert.False(await _diskless.AddPrefetchedAsync("east", path, format, entry, before));
        Assert.False(await _diskless.HasAsync([new(key)], Stopped));

        var later = _diskless.RemovalCount;
        for (var i = 0; i < 300; i++) await _diskless.RemoveAsync(new(Study: Uid.Parse($"1.9.{i + 1}")));
        Assert.False(await _diskless.AddPrefetchedAsync("east", path, format, entry, later));
        Assert.True(await _diskless.AddPrefetchedAsync("east", path, format, entry, _diskless.RemovalCount));
    }

    private EntryCache NewCache(DiskTier disk) => new(new MemoryTier(_memory), disk, _time, NullLogger<EntryCache>.Instance);

    private EntryCache.Fetch GatedAsync(int length) => async (inFlight, stopped) =>
    {
        Interlocked.Increment(ref _fetches);
        var head = new EntryHead("application/octet-stream", "1.2.840.10008.1.2.1", length);
        inFlight.Begin(head);
        inFlight.Open();
        await _gate.Task.WaitAsync(stopped);
        await inFlight.WriteAsync(DiskLab.GetBody(Frame, length), stopped);
        return new(head);
    };

    private async Task FetchAsync(EntryCache cache, Placement placement, int length = 1000)
    {
        _gate.TrySetResult();
        using (var reader = cache.Get(Frame, GatedAsync(length), placement).Reader!) await DiskLab.ReadAsync(reader);
        await CachedAsync(cache);
    }

    /// <summary>The body ends shortly before it is stored, in memory first.</summary>
    private Task CachedAsync(EntryCache cache) => Until.TrueAsync(
        async () => await cache.HasAsync([new(Frame)], Stopped)
            && (cache == _diskless || await _disk.Tier.HasAsync([new(Frame)], Stopped)));

    /// <summary>A body is not found while its fetch ends, although the tiers have it already.</summary>
    private static async Task<bool> IsPrefetchedAsync(EntryCache cache)
    {
        ICachedBody? found = null;
        await Until.TrueAsync(async () => (found = (await cache.FindAsync([new(Frame)], Stopped))?.Body) is not null);
        using (found) return found!.IsPrefetched;
    }
}
