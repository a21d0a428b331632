using Proxy.Metadata;
using Xunit;

namespace Proxy.Tests.Metadata;

public class FreshnessTests
{
    private static readonly DateTimeOffset Noon = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData(0, true)]
    [InlineData(59, true)]
    [InlineData(60, false)]
    [InlineData(86_400, false)]
    [InlineData(-1, false)]
    [InlineData(-86_400, false)]
    public void IsWithinALifetime_ButNotFromTheFuture(int seconds, bool isFresh) =>
        Assert.Equal(isFresh, Freshness.IsWithin(Noon, TimeSpan.FromMinutes(1), Noon.AddSeconds(seconds)));

    [Fact]
    public void IsNeverFresh_WithoutALifetime() => Assert.False(Freshness.IsWithin(Noon, TimeSpan.Zero, Noon));

    [Theory]
    [InlineData(5, 5)]
    [InlineData(0, 0)]
    [InlineData(-3600, 0)]
    public void ReturnsNoNegativeAge(int seconds, int age) =>
        Assert.Equal(TimeSpan.FromSeconds(age), Freshness.GetAge(Noon, Noon.AddSeconds(seconds)));
}
