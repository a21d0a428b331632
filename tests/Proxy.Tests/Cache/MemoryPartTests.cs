using Microsoft.Extensions.Time.Testing;
using Proxy.Cache.InMemory;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Cache;

public sealed class MemoryPartTests
{
    private const long MaxBytes = 10_000;

    /// <summary>Another thread may evict entries at any moment of an addition; here at each lookup of its key.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    public async Task CountsAReplacedValueOnce_WhenEntriesAreEvictedMeanwhile(int lookup)
    {
        using var part = new MemoryPart(MaxBytes, new FakeTimeProvider(), _ => { });
        var replaced = new Key();
        object[] keys = ["old", replaced, "new"];
        foreach (var key in keys) part.Add(key, new("value", 1000, null));

        replaced.OnLookup(lookup, () =>
        {
            part.Resize(2500);
            part.Resize(MaxBytes);
        });
        part.Add(replaced, new("value", 1000, null));
        replaced.OnLookup(0, () => { });

        var found = keys.Where(key => part.Find(key) is not null).ToList();
        Assert.Equal(1000 * found.Count, part.Bytes);
        Assert.NotNull(part.Find(replaced));
        await Until.TrueAsync(() => part.Held.Select(held => held.Key).ToHashSet().SetEquals(found));
    }

    private sealed class Key
    {
        private int _left;
        private Action _act = () => { };

        public void OnLookup(int number, Action act) => (_left, _act) = (number, act);

        public override int GetHashCode()
        {
            if (_left > 0 && --_left == 0) _act();
            return 7;
        }

        public override bool Equals(object? obj) => ReferenceEquals(this, obj);
    }
}
