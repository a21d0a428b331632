using Microsoft.Extensions.Time.Testing;
using Proxy.Cache.InMemory;
using Proxy.Identity;
using Xunit;

namespace Proxy.Tests.Threats;

/// <summary>A user who requests far more than the memory can hold does not take the studies of others out of it.</summary>
public sealed class CrawlerThreats : IDisposable
{
    private const int EntryBytes = 10_000;
    private const int Entries = 400;

    private static readonly Caller Crawler = new("crawler", Roles.All) { Key = "crawler" };
    private static readonly Caller Anna = new("anna", Roles.All) { Key = "anna" };

    private readonly FakeTimeProvider _time = new();
    private readonly MemoryParts _memory;

    public CrawlerThreats() => _memory = new(Entries * EntryBytes, _time);

    public void Dispose() => _memory.Dispose();

    /// <param name="requests">How often the crawler requests each entry, one right after the other.</param>
    /// <param name="read">The number of entries that the other user reads again and again: up to a third of the memory.</param>
    [Theory]
    [InlineData(1, 40)]
    [InlineData(1, 130)]
    [InlineData(2, 40)]
    [InlineData(2, 130)]
    [InlineData(5, 130)]
    public async Task T24_ACrawlerDoesNotLowerTheHitRateOfAnother(int requests, int read)
    {
        var (hits, total) = (0, 0);
        for (var round = 0; round < 12; round++)
        {
            var isWarm = round > 1;
            await CurrentCaller.RunAsync(Anna, () =>
            {
                for (var i = 0; i < read; i++)
                {
                    var isHit = Request($"anna-{i}");
                    if (!isWarm) continue;
                    total++;
                    if (isHit) hits++;
                }
                return Task.CompletedTask;
            });
            // Ten times the memory, in all rounds together.
            await CurrentCaller.RunAsync(Crawler, () =>
            {
                for (var i = 0; i < Entries; i++)
                {
                    for (var again = 0; again < requests; again++) Request($"crawler-{round}-{i}");
                }
                return Task.CompletedTask;
            });
        }

        Assert.True(hits >= total * 0.9, $"{hits} of {total} requests are hits");
    }

    [Fact]
    public async Task AShareThatIsNotUsedAnyMore_IsFreeForOthers()
    {
        await CurrentCaller.RunAsync(Anna, () =>
        {
            for (var i = 0; i < 200; i++) Request($"anna-{i}");
            return Task.CompletedTask;
        });
        _time.Advance(TimeSpan.FromMinutes(11));
        await CurrentCaller.RunAsync(Crawler, () =>
        {
            for (var i = 0; i < Entries; i++) Request($"crawler-{i}");
            return Task.CompletedTask;
        });

        Assert.InRange(Enumerable.Range(0, 200).Count(i => _memory.TryPeek<string>($"anna-{i}", out _)), 0, 10);
        Assert.InRange(_memory.Bytes, Entries * EntryBytes * 9 / 10, Entries * EntryBytes);
    }

    [Fact]
    public async Task UsersShareTheMemory_WhenBothRequestMoreThanItHolds()
    {
        for (var round = 0; round < 20; round++)
        {
            foreach (var user in (Caller[])[Anna, Crawler])
            {
                await CurrentCaller.RunAsync(user, () =>
                {
                    for (var i = 0; i < 50; i++) Request($"{user.Id}-{round}-{i}");
                    return Task.CompletedTask;
                });
            }
        }

        var annas = _memory.ReadAll<string, string>().Count(entry => entry.Key.StartsWith("anna", StringComparison.Ordinal));
        Assert.InRange(annas, Entries * 2 / 5, Entries * 3 / 5);
        Assert.InRange(_memory.Bytes, 0, Entries * EntryBytes);
        Assert.InRange(_memory.Evictions, 2 * 20 * 50 - Entries, 2 * 20 * 50);
    }

    /// <summary>Requests an entry, which is fetched if it is not cached.</summary>
    private bool Request(string key)
    {
        _time.Advance(TimeSpan.FromMilliseconds(1));
        if (_memory.TryFind<string>(key, out _)) return true;
        _memory.Add(key, key, EntryBytes - 512);
        return false;
    }
}
