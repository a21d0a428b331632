using Microsoft.Extensions.Time.Testing;
using Proxy.Cache.InMemory;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Cache;

/// <summary>Prefetched entries use only the memory that the other parts leave free.</summary>
public sealed class MemoryPartsPrefetchTests : IDisposable
{
    private const long MaxBytes = 800_000;

    /// <summary>
    /// Orders the uses. A minute in all would start the scan of <c>MemoryCache</c> for expired entries on another thread: it may take an
    /// entry that is being evicted, whose bytes then count for a moment longer, so that one entry more is evicted.
    /// </summary>
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(1);

    private readonly FakeTimeProvider _time = new();
    private readonly MemoryParts _memory;

    public MemoryPartsPrefetchTests() => _memory = new(MaxBytes, _time);

    public void Dispose() => _memory.Dispose();

    public static TheoryData<int> Seeds => [.. Enumerable.Range(0, 20)];

    /// <summary>Two tiers serve the same requests, one of them with a prefetcher: clients get the same hits from both.</summary>
    [Theory]
    [MemberData(nameof(Seeds))]
    public void CostsClientsNoHit_WhenPrefetching(int seed)
    {
        using var alone = new MemoryParts(MaxBytes, _time);
        var random = new Random(seed);
        for (var i = 0; i < 3000; i++)
        {
            _time.Advance(Step);
            var (key, bytes) = (random.Next(150), random.Next(40_000));
            switch (random.Next(4))
            {
                case 0:
                    _memory.AddPrefetched($"ahead {random.Next(1000)}", "value", bytes);
                    break;
                case 1:
                    alone.Add(key, "value", bytes);
                    _memory.Add(key, "value", bytes);
                    break;
                default:
                    Assert.Equal(alone.TryFind<string>(key, out _), _memory.TryFind<string>(key, out _));
                    break;
            }
            Assert.Equal(alone.Bytes, _memory.Bytes - _memory.PrefetchedBytes);
            Assert.InRange(_memory.Bytes, 0, MaxBytes);
            Assert.InRange(_memory.PrefetchedBytes, 0, MaxBytes / 4);
        }
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void StaysWithinTheBudget_WhenPrefetchedEntriesAreFound(int seed)
    {
        var random = new Random(seed);
        for (var i = 0; i < 3000; i++)
        {
            _time.Advance(Step);
            var key = random.Next(100);
            switch (random.Next(4))
            {
                case 0: _memory.AddPrefetched(key, "value", random.Next(100_000)); break;
                case 1: _memory.Add(key, "value", random.Next(100_000)); break;
                case 2: _memory.TryFind<string>(key, out _); break;
                default: if (i % 100 == 0) _memory.Resize(random.Next(400_000, (int)MaxBytes)); break;
            }
            Assert.InRange(_memory.Bytes, 0, _memory.MaxBytes);
            Assert.InRange(_memory.PrefetchedBytes, 0, MaxBytes / 4);
        }
    }

    [Fact]
    public void KeepsTheLatestPrefetches_WithinAQuarter()
    {
        for (var i = 0; i < 40; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            Assert.True(_memory.AddPrefetched(i, "value", 20_000));
        }
        Assert.InRange(_memory.PrefetchedBytes, 150_000, MaxBytes / 4);
        Assert.True(_memory.TryPeek<string>(39, out _));
        Assert.False(_memory.TryFind<string>(0, out _));
    }

    [Fact]
    public void RejectsPrefetches_WhenClientsFillTheMemory()
    {
        for (var i = 0; i < 100; i++) _memory.Add(i, "value", 20_000);
        Assert.False(_memory.AddPrefetched("ahead", "value", 40_000));
        Assert.Equal(0, _memory.PrefetchedBytes);
    }

    [Fact]
    public void EvictsPrefetchedEntriesFirst()
    {
        for (var i = 0; i < 30; i++) _memory.Add(i, "value", 20_000);
        for (var i = 0; i < 5; i++) Assert.True(_memory.AddPrefetched($"ahead {i}", "value", 20_000));
        for (var i = 30; i < 39; i++) _memory.Add(i, "value", 20_000);
        for (var i = 0; i < 39; i++) Assert.True(_memory.TryPeek<string>(i, out _));
        Assert.Equal(0, _memory.PrefetchedBytes);
    }

    [Fact]
    public void MovesToRecentAfterOneHit_AndToProvenAfterTwo()
    {
        var used = new List<object>();
        _memory.FirstUsed += used.Add;
        _memory.AddPrefetched("once", "value", 20_000);
        _memory.AddPrefetched("twice", "value", 20_000);
        Assert.True(_memory.TryFind<string>("once", out _));
        Assert.True(_memory.TryFind<string>("twice", out _));
        Assert.True(_memory.TryFind<string>("twice", out _));
        Assert.Equal(0, _memory.PrefetchedBytes);
        Assert.Equal(["once", "twice"], used);

        _time.Advance(TimeSpan.FromSeconds(1));
        for (var i = 0; i < 100; i++) _memory.Add(i, "value", 20_000);
        Assert.False(_memory.TryFind<string>("once", out _));
        Assert.True(_memory.TryPeek<string>("twice", out _));
    }

    [Fact]
    public void MovesNothing_WhenPeeking()
    {
        _memory.AddPrefetched("ahead", "value", 20_000);
        _memory.Add("recent", "value", 20_000);
        for (var i = 0; i < 3; i++)
        {
            Assert.True(_memory.TryPeek<string>("ahead", out _));
            Assert.True(_memory.TryPeek<string>("recent", out _));
        }
        Assert.Equal(2, _memory.ReadAll<string, string>().Count());
        Assert.InRange(_memory.PrefetchedBytes, 20_000, 21_000);
        _time.Advance(TimeSpan.FromSeconds(1));
        for (var i = 0; i < 100; i++) _memory.Add(i, "value", 20_000);
        Assert.False(_memory.TryFind<string>("recent", out _));
    }

    [Fact]
    public void KeepsARequestedEntry_WhenItIsPrefetchedToo()
    {
        _memory.Add("asked", "value", 20_000);
        Assert.True(_memory.AddPrefetched("asked", "other", 20_000));
        Assert.Equal(0, _memory.PrefetchedBytes);
        Assert.True(_memory.TryPeek<string>("asked", out var value));
        Assert.Equal("value", value);

        _memory.AddPrefetched("ahead", "value", 20_000);
        _memory.Add("ahead", "other", 20_000);
        Assert.Equal(0, _memory.PrefetchedBytes);
        Assert.Equal(2, _memory.Entries);
    }

    [Fact]
    public void RemovesFromEveryPart()
    {
        _memory.AddPrefetched("ahead", "value", 20_000);
        _memory.Add("recent", "value", 20_000);
        _memory.RemoveWhere(key => key is string);
        Assert.Equal((0, 0), (_memory.Bytes, _memory.PrefetchedBytes));
        _memory.AddPrefetched("ahead", "value", 20_000);
        _memory.Remove("ahead");
        Assert.False(_memory.TryFind<string>("ahead", out _));
    }

    [Fact]
    public void HasRoomForPrefetching_WithinTheQuarterAndTheFreeBytes()
    {
        Assert.True(_memory.HasRoomForPrefetched(100_000));
        Assert.False(_memory.HasRoomForPrefetched(_memory.MaxEntryBytes + 1));
        _memory.AddPrefetched("first", "value", 100_000);
        Assert.True(_memory.HasRoomForPrefetched(90_000));
        Assert.False(_memory.HasRoomForPrefetched(100_000));
        for (var i = 0; i < 7; i++) _memory.Add(i, "value", 90_000);
        Assert.True(_memory.HasRoomForPrefetched(50_000));
        Assert.False(_memory.HasRoomForPrefetched(90_000));
        for (var i = 7; i < 20; i++) _memory.Add(i, "value", 90_000);
        Assert.False(_memory.HasRoomForPrefetched(90_000));
    }

    [Fact]
    public async Task StaysWithinTheBudget_WithManyThreads()
    {
        Parallel.For(0, 20_000, i =>
        {
            var key = i * 7919 % 200;
            if (i % 3 == 0) _memory.AddPrefetched(key, "value", key * 100);
            else if (i % 3 == 1) _memory.Add(key, "value", key * 100);
            else _memory.TryFind<string>(key, out _);
        });
        _memory.Add("last", "value", 10);
        Assert.InRange(_memory.Bytes, 0, MaxBytes);
        Assert.InRange(_memory.PrefetchedBytes, 0, MaxBytes / 4);
        // The callbacks of evictions run later.
        await Until.TrueAsync(() => ReadKeys() is var keys && keys.Distinct().Count() == keys.Count);
    }

    /// <summary>The first hits of an entry move it from part to part; no look-up may miss it meanwhile.</summary>
    [Fact]
    public void FindsAnEntry_WhileAnotherHitMovesIt()
    {
        const int rounds = 5000;
        var missed = 0;
        using var together = new Barrier(4, barrier =>
        {
            var round = (int)barrier.CurrentPhaseNumber;
            _memory.Remove(round - 1);
            if (round % 2 == 0) _memory.AddPrefetched(round, "value", 1);
            else _memory.Add(round, "value", 1);
        });
        var threads = Enumerable.Range(0, 4).Select(_ => new Thread(() =>
        {
            for (var round = 0; round < rounds; round++)
            {
                together.SignalAndWait();
                for (var i = 0; i < 3; i++)
                {
                    if (!_memory.TryFind<string>(round, out var _)) Interlocked.Increment(ref missed);
                }
            }
        })).ToList();
        foreach (var thread in threads) thread.Start();
        foreach (var thread in threads) thread.Join();
        Assert.Equal(0, missed);
    }

    private List<int> ReadKeys() => [.. _memory.ReadAll<int, string>().Select(held => held.Key)];
}
