using Proxy.Events;
using Proxy.Tests.Backends;
using Xunit;

namespace Proxy.Tests.Events;

public sealed class EventFilterTests
{
    private static readonly EventFilter OfEast = new([], null, null) { Sees = AccessTests.East.Sees };
    private static readonly EventFilter OfAll = new([], null, null) { Sees = AccessTests.All.Sees };

    [Theory]
    [InlineData(ProxyEvent.SeriesAdded, "east", null, true)]
    [InlineData(ProxyEvent.SeriesAdded, "west", null, false)]
    [InlineData(ProxyEvent.BackendDown, "west", null, false)]
    [InlineData(ProxyEvent.PrefetchProgress, null, "east", true)]
    [InlineData(ProxyEvent.PrefetchProgress, null, "west", false)]
    [InlineData(ProxyEvent.PrefetchProgress, null, null, false)]
    [InlineData(ProxyEvent.Gap, null, null, true)]
    public void HidesEventsOfOtherBackends(string name, string? backend, string? scope, bool isSeen)
    {
        var @event = new ProxyEvent(name) { Backend = backend, Scope = scope };
        Assert.Equal(isSeen, OfEast.Passes(@event));
        Assert.True(OfAll.Passes(@event));
    }

    [Fact]
    public void HidesEvents_ThatTheListenerAskedForByBackend() =>
        Assert.False((OfEast with { Backend = "west" }).Passes(new(ProxyEvent.SeriesAdded) { Backend = "west" }));
}
