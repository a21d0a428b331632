using Microsoft.Extensions.Time.Testing;
using Proxy.Cache.InMemory;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Cache;

public sealed class MemoryPartsTests : IDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly MemoryParts _memory;

    public MemoryPartsTests() => _memory = new(800_000, _time);

    public void Dispose() => _memory.Dispose();

    [Fact]
    public void FindsAValue_ByItsType()
    {
        _memory.Add("a", "value", 10);
        Assert.True(_memory.TryFind<string>("a", out var value));
        Assert.Equal("value", value);
        Assert.False(_memory.TryFind<string>("b", out _));
        _memory.Remove("a");
        Assert.False(_memory.TryFind<string>("a", out _));
    }

    [Fact]
    public void StaysWithinTheBudget_WhenManyAreAdded()
    {
        for (var i = 0; i < 1000; i++)
        {
            _memory.Add(i, "value", i * 37 % 50_000);
            Assert.InRange(_memory.Bytes, 0, 800_000);
        }
        Assert.InRange(_memory.Entries, 1, 999);
    }

    [Fact]
    public void CountsTheOverheadOfKeysAndEntries()
    {
        for (var i = 0; i < 10_000; i++) _memory.Add(i, "value", 0);
        Assert.InRange(_memory.Entries, 1, 800_000 / 500);
    }

    [Fact]
    public void RejectsAnEntry_LargerThanAnEighthOfTheBudget()
    {
        _memory.Add("a", "value", _memory.MaxEntryBytes);
        _memory.Add("b", "value", _memory.MaxEntryBytes + 1);
        Assert.Equal(100_000, _memory.MaxEntryBytes);
        Assert.True(_memory.TryFind<string>("a", out _));
        Assert.False(_memory.TryFind<string>("b", out _));
    }

    [Fact]
    public void ExpiresOnlyEntriesWithALifetime()
    {
        _memory.Add("brief", "value", 10, TimeSpan.FromSeconds(5));
        _memory.Add("long", "value", 10);
        _memory.Add("none", "value", 10, TimeSpan.Zero);
        _time.Advance(TimeSpan.FromSeconds(4));
        Assert.True(_memory.TryFind<string>("brief", out _));
        Assert.False(_memory.TryFind<string>("none", out _));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.False(_memory.TryFind<string>("brief", out _));
        _time.Advance(TimeSpan.FromDays(365));
        Assert.True(_memory.TryFind<string>("long", out _));
    }

    [Fact]
    public void EvictsTheLeastRecentlyUsed_WhenTheBudgetShrinks()
    {
        for (var i = 0; i < 10; i++)
        {
            _memory.Add(i, "value", 50_000);
            _time.Advance(TimeSpan.FromSeconds(1));
        }
        Assert.True(_memory.TryFind<string>(0, out _));

        _memory.Resize(250_000);

        Assert.InRange(_memory.Bytes, 100_000, 250_000);
        Assert.True(_memory.TryFind<string>(0, out _));
        Assert.True(_memory.TryFind<string>(9, out _));
        Assert.False(_memory.TryFind<string>(1, out _));
    }

    [Fact]
    public void StaysWithinAShrunkBudget_WhenTheLargestWasUsedLast()
    {
        for (var i = 0; i < 20; i++) _memory.Add(i, "value", 1000);
        _time.Advance(TimeSpan.FromSeconds(1));
        _memory.Add("large", "value", 100_000);

        _memory.Resize(80_000);

        Assert.InRange(_memory.Bytes, 0, 80_000);
        Assert.Equal(80_000, _memory.MaxBytes);
    }

    [Fact]
    public void EvictsNothing_WhenTheBudgetGrows()
    {
        for (var i = 0; i < 7; i++) _memory.Add(i, "value", 100_000);
        _memory.Resize(8_000_000);
        for (var i = 7; i < 50; i++) _memory.Add(i, "value", 100_000);
        for (var i = 0; i < 50; i++) Assert.True(_memory.TryFind<string>(i, out _));
    }

    [Fact]
    public void KeepsRepeatedlyUsedEntries_WhileALargeStudyIsScrolled()
    {
        for (var i = 0; i < 20; i++) _memory.Add($"ward {i}", "value", 10_000);
        for (var i = 0; i < 20; i++) Assert.True(_memory.TryFind<string>($"ward {i}", out _));

        for (var i = 0; i < 1000; i++) _memory.Add($"scroll {i}", "value", 10_000);

        for (var i = 0; i < 20; i++) Assert.True(_memory.TryFind<string>($"ward {i}", out _));
        Assert.True(_memory.TryFind<string>("scroll 999", out _));
        Assert.InRange(_memory.Bytes, 700_000, 800_000);
    }

    [Fact]
    public void EvictsProvenEntries_ThatAreNoLongerUsed()
    {
        for (var i = 0; i < 20; i++) _memory.Add($"old {i}", "value", 20_000);
        for (var i = 0; i < 20; i++) _memory.TryFind<string>($"old {i}", out _);
        for (var i = 0; i < 100; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            _memory.Add($"new {i}", "value", 20_000);
            Assert.True(_memory.TryFind<string>($"new {i}", out _));
            Assert.InRange(_memory.Bytes, 0, 800_000);
        }
        Assert.DoesNotContain(Enumerable.Range(0, 20), i => _memory.TryFind<string>($"old {i}", out _));
    }

    [Fact]
    public async Task CountsEvictions_AndReadAllMarksNothingAsUsed()
    {
        for (var i = 0; i < 100; i++) _memory.Add(i, "value", 20_000);
        await Until.TrueAsync(() => _memory.Evictions == 100 - _memory.Entries);
        Assert.Equal(_memory.Entries, _memory.ReadAll<int, string>().Count());
        // Had they been found they would be proven now, and stay.
        _time.Advance(TimeSpan.FromSeconds(1));
        for (var i = 100; i < 200; i++) _memory.Add(i, "value", 20_000);
        await Until.TrueAsync(() => _memory.ReadAll<int, string>().All(held => held.Key is >= 100 and <= 199));
    }
}
