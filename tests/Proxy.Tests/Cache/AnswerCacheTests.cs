using Microsoft.Extensions.Time.Testing;
using Proxy.Cache;
using Proxy.Cache.InMemory;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Cache;

/// <summary>Bodies and answers: each of its own type, under one budget.</summary>
public sealed class AnswerCacheTests : IDisposable
{
    private const long Budget = 800_000;

    private readonly FakeTimeProvider _time = new();
    private readonly MemoryParts _parts;
    private readonly MemoryTier _bodies;
    private readonly AnswerCache _cache;

    public AnswerCacheTests()
    {
        _parts = new(Budget, _time);
        _bodies = new(_parts);
        _cache = new(_parts);
    }

    public void Dispose() => _parts.Dispose();

    [Fact]
    public void TellsKindsApart_ByTheTypesOfTheirKeys()
    {
        var (pages, hints) = (_cache.For<PageKey, string>(), _cache.For<HintKey, string>());
        pages.Add(new("a"), "page", 10);
        hints.Add(new("a"), "hint", 10);
        Assert.True(pages.TryFind(new("a"), out var page));
        Assert.True(hints.TryFind(new("a"), out var hint));
        Assert.Equal(("page", "hint"), (page, hint));

        hints.RemoveWhere(key => key.Name == "a");
        Assert.False(hints.TryFind(new("a"), out _));
        Assert.Equal([(new PageKey("a"), "page")], pages.ReadAll());
    }

    [Fact]
    public void ExpiresAnAnswerWithALifetime()
    {
        var pages = _cache.For<PageKey, string>();
        pages.Add(new("a"), "page", 10, TimeSpan.FromSeconds(5));
        Assert.True(pages.TryFind(new("a"), out _));
        _time.Advance(TimeSpan.FromSeconds(5));
        Assert.False(pages.TryFind(new("a"), out _));
    }

    [Fact]
    public void KeepsBodies_WhenAnswersAreCleared()
    {
        _bodies.Add(DiskLab.Key(1, 1), Body(10));
        _cache.For<PageKey, string>().Add(new("a"), "page", 10);
        _cache.Clear();
        Assert.False(_cache.For<PageKey, string>().TryFind(new("a"), out _));
        Assert.True(_bodies.TryFind(DiskLab.Key(1, 1), out _));
        Assert.Equal(1, _parts.Entries);
    }

    [Fact]
    public void KeepsAnswers_WhenBodiesAreRemoved()
    {
        _bodies.Add(DiskLab.Key(1, 1), Body(10));
        _cache.For<PageKey, string>().Add(new("a"), "page", 10);
        _bodies.RemoveWhere(_ => true);
        Assert.Empty(_bodies.ReadAll());
        Assert.True(_cache.For<PageKey, string>().TryFind(new("a"), out _));
    }

    [Fact]
    public async Task BoundsBodiesAndAnswersTogether()
    {
        var pages = _cache.For<PageKey, string>();
        var evicted = 0;
        _bodies.Evicted += _ => Interlocked.Increment(ref evicted);
        for (var i = 0; i < 100; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            _bodies.Add(DiskLab.Key(1, i + 1), Body(20_000));
            pages.Add(new($"{i}"), "page", 20_000);
            Assert.InRange(_parts.Bytes, 0, Budget);
        }
        // The newest of both stay, and the evictions of answers are counted without being reported as evicted bodies.
        await Until.TrueAsync(() => _bodies.ReadAll().Count() is >= 15 and <= 25);
        await Until.TrueAsync(() => pages.ReadAll().Count() is >= 15 and <= 25);
        await Until.TrueAsync(() => _parts.Evictions == 200 - _parts.Entries);
        await Until.TrueAsync(() => Volatile.Read(ref evicted) == 100 - _bodies.ReadAll().Count());
    }

    private Entry Body(int length) =>
        new(new("application/octet-stream", null, length), [new byte[length]], length, _time.GetUtcNow());

    private sealed record PageKey(string Name);

    private sealed record HintKey(string Name);
}
