using Proxy.Cache;
using Xunit;

namespace Proxy.Tests.Cache;

public sealed class RecentFindsTests
{
    private readonly RecentFinds _finds = new();

    [Fact]
    public void KnowsAKey_FromItsSecondFindOn()
    {
        Assert.False(_finds.Add(DiskLab.Key(1, 1)));
        Assert.True(_finds.Add(DiskLab.Key(1, 1)));
        Assert.False(_finds.Add(DiskLab.Key(1, 2)));
        _finds.Clear();
        Assert.False(_finds.Add(DiskLab.Key(1, 1)));
    }

    [Fact]
    public void RemembersAKeyForAFullSetOfOthers_AndForgetsItAfterTwo()
    {
        _finds.Add(Key(0));
        for (var i = 1; i < RecentFinds.MaxKeys; i++) _finds.Add(Key(i));
        Assert.True(_finds.Add(Key(0)));
        for (var i = 1; i <= 3 * RecentFinds.MaxKeys; i++) _finds.Add(Key(i));
        Assert.False(_finds.Add(Key(0)));
    }

    private static EntryKey Key(int number) => new("east", $"studies/1/series/2/instances/{number}", null);
}
