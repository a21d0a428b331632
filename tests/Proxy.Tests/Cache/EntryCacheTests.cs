using System.Collections.Concurrent;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Proxy.Backends;
using Proxy.Cache;
using Proxy.Cache.InMemory;
using Proxy.Dicom;
using Proxy.Operations;
using Xunit;

namespace Proxy.Tests.Cache;

public sealed class EntryCacheTests : IDisposable
{
    private static readonly EntryHead Head = new("application/octet-stream", "1.2.840.10008.1.2.1", 4);

    private static CancellationToken Stopped => TestContext.Current.CancellationToken;

    private readonly MemoryParts _memory;
    private readonly EntryCache _cache;
    private readonly TaskCompletionSource _gate = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _fetches;

    public EntryCacheTests()
    {
        var time = new FakeTimeProvider();
        _memory = new(80_000, time);
        _cache = new(new MemoryTier(_memory), DiskLab.None(), time, NullLogger<EntryCache>.Instance);
    }

    public void Dispose() => _memory.Dispose();

    private static EntryKey Key(string place) => new("east", place, BodyFormat.AsStored);

    [Fact]
    public async Task AsksTheBackendOnce_WhenManyClientsMissAtOnce()
    {
        var lookups = new ConcurrentBag<EntryCache.Lookup>();
        Parallel.For(0, 200, _ => lookups.Add(_cache.Get(Key("a"), GatedAsync)));
        Assert.Equal(1, lookups.Count(l => !l.IsCollapsed));
        _gate.SetResult();

        var bodies = await Task.WhenAll(lookups.Select(l => ReadAsync(l.Reader!)));

        Assert.All(bodies, b => Assert.Equal([1, 2, 3, 4], b));
        Assert.Equal(1, _fetches);
    }

    [Fact]
    public async Task HitsTheCache_AfterACompleteFetch()
    {
        _gate.SetResult();
        using (var reader = _cache.Get(Key("a"), GatedAsync).Reader!) await ReadAsync(reader);
        var cached = await CachedAsync(Key("a"));
        Assert.Equal([1, 2, 3, 4], await ReadAsync(cached));
        Assert.Equal(Head, cached.Head);
        Assert.Equal(1, _fetches);
    }

    [Fact]
    public async Task RefusesWithoutAskingTheBackend_WhenInFlightMemoryIsExhausted()
    {
        _gate.SetResult();
        var held = _memory.InFlight.Limit / 4 * 5 + 1;
        _memory.InFlight.Reserve(held);
        using (var refused = _cache.Get(Key("a"), GatedAsync).Reader!)
            Assert.Equal(BackendError.Busy, (await refused.ReadHeadAsync(Stopped)).Failure!.Error);
        Assert.Equal(0, _fetches);
        _memory.InFlight.Release(held);
        using var reader = _cache.Get(Key("a"), GatedAsync).Reader!;
        Assert.Equal([1, 2, 3, 4], await ReadAsync(reader));
    }

    [Fact]
    public async Task FetchesDifferentKeysSeparately()
    {
        _gate.SetResult();
        using var a = _cache.Get(Key("a"), GatedAsync).Reader!;
        using var b = _cache.Get(Key("b"), GatedAsync).Reader!;
        await Task.WhenAll(ReadAsync(a), ReadAsync(b));
        Assert.Equal(2, _fetches);
    }

    [Fact]
    public async Task SendsEarlierBytesAtOnce_WhenAClientJoins()
    {
        var half = new TaskCompletionSource();
        using var first = _cache.Get(Key("a"), async (inFlight, stopped) =>
        {
            inFlight.Begin(Head);
            inFlight.Open();
            await inFlight.WriteAsync(new byte[] { 1, 2 }, stopped);
            half.SetResult();
            await _gate.Task.WaitAsync(stopped);
            await inFlight.WriteAsync(new byte[] { 3, 4 }, stopped);
            return new(Head);
        }).Reader!;
        await half.Task;

        var lookup = _cache.Get(Key("a"), GatedAsync);
        Assert.True(lookup.IsCollapsed);
        using var joiner = lookup.Reader!;
        Assert.Equal([1, 2], (await joiner.ReadAsync(Stopped)).ToArray());
        var more = joiner.ReadAsync(Stopped).AsTask();
        Assert.False(more.IsCompleted);
        _gate.SetResult();
        Assert.Equal([3, 4], (await more).ToArray());
        Assert.Equal(0, _fetches);
    }

    [Fact]
    public async Task CancelsTheFetch_WhenTheLastClientLeaves()
    {
        var stop = new TaskCompletionSource<CancellationToken>();
        EntryCache.Fetch fetch = async (_, stopped) =>
        {
            stop.SetResult(stopped);
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, stopped);
            throw new InvalidOperationException();
        };
        var first = _cache.Get(Key("a"), fetch).Reader!;
        var second = _cache.Get(Key("a"), GatedAsync).Reader!;
        var stopped = await stop.Task;

        first.Dispose();
        Assert.False(stopped.IsCancellationRequested);
        second.Dispose();
        Assert.True(stopped.IsCancellationRequested);

        // A new client does not wait for the cancelled fetch.
        _gate.SetResult();
        using var third = _cache.Get(Key("a"), GatedAsync).Reader!;
        Assert.Equal([1, 2, 3, 4], await ReadAsync(third));
    }

    [Fact]
    public async Task ReturnsAFailureToAllClients_AndCachesNothing()
    {
        var failure = new BackendFailure("east", BackendError.TimedOut, "late");
        EntryCache.Fetch fetch = async (_, stopped) =>
        {
            await _gate.Task.WaitAsync(stopped);
            return new(failure);
        };
        using var first = _cache.Get(Key("a"), fetch).Reader!;
        using var second = _cache.Get(Key("a"), fetch).Reader!;
        _gate.SetResult();
        Assert.Equal(failure, (await first.ReadHeadAsync(Stopped)).Failure);
        Assert.Equal(failure, (await second.ReadHeadAsync(Stopped)).Failure);

        using var third = _cache.Get(Key("a"), GatedAsync).Reader!;
        Assert.Equal([1, 2, 3, 4], await ReadAsync(third));
    }

    [Fact]
    public async Task CutsOffReadersAndCachesNothing_WhenTheBodyIsTruncated()
    {
        using var reader = _cache.Get(Key("a"), async (inFlight, stopped) =>
        {
            inFlight.Begin(Head);
            inFlight.Open();
            await inFlight.WriteAsync(new byte[] { 1, 2 }, stopped);
            await _gate.Task.WaitAsync(stopped);
            return new(new BackendFailure("east", BackendError.BadAnswer, "cut"));
        }).Reader!;
        Assert.Equal([1, 2], (await reader.ReadAsync(Stopped)).ToArray());
        _gate.SetResult();
        await Assert.ThrowsAsync<TruncatedBodyException>(() => reader.ReadAsync(Stopped).AsTask());
        Assert.Null(await _cache.FindAsync([new(Key("a"))], Stopped));
        using var next = _cache.Get(Key("a"), GatedAsync).Reader!;
        Assert.Equal([1, 2, 3, 4], await ReadAsync(next));
    }

    [Fact]
    public async Task ReturnsAFailure_WhenTheFetchThrows()
    {
        using var reader = _cache.Get(Key("a"), (_, _) => throw new InvalidOperationException()).Reader!;
        Assert.NotNull((await reader.ReadHeadAsync(Stopped)).Failure);
        Assert.Null(await _cache.FindAsync([new(Key("a"))], Stopped));
    }

    [Fact]
    public async Task CachesNothing_WhenTheBackendHasNoSuchBody()
    {
        using var reader = _cache.Get(Key("a"), (_, _) => Task.FromResult<BackendAnswer<EntryHead>>(default)).Reader!;
        var answer = await reader.ReadHeadAsync(Stopped);
        Assert.False(answer.IsFound);
        Assert.Null(answer.Failure);
        Assert.Null(await _cache.FindAsync([new(Key("a"))], Stopped));
    }

    [Fact]
    public async Task FetchesAgain_WhenAClientIsTooLateForALargeBody()
    {
        EntryCache.Fetch large = async (inFlight, stopped) =>
        {
            Interlocked.Increment(ref _fetches);
            inFlight.Begin(Head with { Length = 20_000 });
            for (var i = 0; i < 20; i++) await inFlight.WriteAsync(new byte[1000], stopped);
            await _gate.Task.WaitAsync(stopped);
            return new(Head with { Length = 20_000 });
        };
        using var first = _cache.Get(Key("a"), large).Reader!;
        await first.ReadAsync(Stopped);
        var lookup = _cache.Get(Key("a"), large);
        Assert.False(lookup.IsCollapsed);
        using var second = lookup.Reader!;
        _gate.SetResult();
        Assert.Equal(20_000, (await ReadAsync(second)).Length);
        Assert.Equal(2, _fetches);
        Assert.Null(await _cache.FindAsync([new(Key("a"))], Stopped));
    }

    [Fact]
    public async Task JoinsABody_WhileItIsBeingWrittenToDisk()
    {
        await using var lab = new DiskLab();
        var cache = new EntryCache(new MemoryTier(_memory), lab.Tier, new FakeTimeProvider(), NullLogger<EntryCache>.Instance);
        // Nothing is written until the lab ends.
        await lab.Writer.StopAsync(Stopped);
        EntryCache.Fetch large = async (inFlight, stopped) =>
        {
            Interlocked.Increment(ref _fetches);
            inFlight.Begin(Head with { Length = 20_000 });
            for (var i = 0; i < 20; i++) await inFlight.WriteAsync(new byte[1000], stopped);
            return new(Head with { Length = 20_000 });
        };
        using var first = cache.Get(Key("several forms"), large, keyOf: _ => Key("a")).Reader!;
        Assert.Equal(20_000, (await ReadAsync(first)).Length);

        var (key, body) = (await cache.FindAsync([new(Key("b")), new(Key("a"))], Placement.MemoryAndDisk, Stopped))!.Value;
        using (body) Assert.Equal((Key("a"), 20_000), (key, (await ReadAsync(body)).Length));
        var again = cache.Get(Key("a"), large);
        Assert.True(again.IsCollapsed);
        using (again.Reader) Assert.Equal(20_000, (await ReadAsync(again.Reader!)).Length);
        Assert.Null(await cache.FindAsync([new(Key("a"), new("image/jls", BodyFormat.Any))], Placement.MemoryAndDisk, Stopped));
        Assert.Equal(1, _fetches);
    }

    [Fact]
    public async Task LeavesNothingInMemory_WhenRemovedDuringPromotion()
    {
        await using var disk = new DiskLab();
        var cache = new EntryCache(new MemoryTier(_memory), disk.Tier, TimeProvider.System, NullLogger<EntryCache>.Instance);
        for (var i = 0; i < 200; i++)
        {
            var key = DiskLab.Key(i, 1);
            disk.Add(key, 1000);
            (await cache.FindAsync([new(key)], Stopped))!.Value.Body.Dispose();

            var finding = Task.Run(async () => (await cache.FindAsync([new(key)], Stopped))?.Body.Dispose(), Stopped);
            var removing = Task.Run(
                () => cache.RemoveAsync(new("east", new SeriesPath(Uid.Parse("1.2.1"), Uid.Parse($"1.2.1.{i}")))), Stopped);
            await Task.WhenAll(finding, removing);

            Assert.Null(await cache.FindAsync([new(key)], Stopped));
        }
    }

    [Fact]
    public async Task PromotesToMemory_AfterTwoHitsOnDisk()
    {
        await using var disk = new DiskLab();
        var cache = new EntryCache(new MemoryTier(_memory), disk.Tier, TimeProvider.System, NullLogger<EntryCache>.Instance);
        var key = DiskLab.Key(1, 1);
        disk.Add(key, 1000);
        await disk.SettleAsync();
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(i < 2 ? 0 : 1, _memory.ReadAll<EntryKey, Entry>().Count());
            using var body = (await cache.FindAsync([new(key)], Stopped))!.Value.Body;
            Assert.Equal(DiskLab.GetBody(key, 1000), await ReadAsync(body));
        }
        Assert.Equal(2, disk.Tier.Statistics.Hits);
        Assert.Equal(1, cache.Statistics.Hits);
    }

    private async Task<BackendAnswer<EntryHead>> GatedAsync(InFlightBody inFlight, CancellationToken stopped)
    {
        Interlocked.Increment(ref _fetches);
        await _gate.Task.WaitAsync(stopped);
        inFlight.Begin(Head);
        await inFlight.WriteAsync(new byte[] { 1, 2 }, stopped);
        await inFlight.WriteAsync(new byte[] { 3, 4 }, stopped);
        return new(Head);
    }

    /// <summary>The body ends shortly before it is stored: until then new requests join it.</summary>
    private async Task<ICachedBody> CachedAsync(EntryKey key)
    {
        while (true)
        {
            var lookup = _cache.Get(key, GatedAsync);
            if (lookup.Cached is { } cached) return cached;
            using (lookup.Reader!) await ReadAsync(lookup.Reader!);
            await Task.Yield();
        }
    }

    private static async Task<byte[]> ReadAsync(IBody reader)
    {
        var body = new MemoryStream();
        for (ReadOnlyMemory<byte> piece; !(piece = await reader.ReadAsync(Stopped)).IsEmpty;) body.Write(piece.Span);
        return body.ToArray();
    }
}
