using Proxy.Prefetch.Fetching;
using Xunit;

namespace Proxy.Tests.Prefetch;

public class ThroughputEstimatorTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly ThroughputEstimator _paces = new();

    [Fact]
    public void FrameByFrameFirst_ThenTheOtherWay_ThenTheFaster()
    {
        Assert.False(_paces.PrefersWholeSeries("east"));
        _paces.Note("east", isWhole: false, 1000, Second);
        Assert.True(_paces.PrefersWholeSeries("east"));
        _paces.Note("east", isWhole: true, 5000, Second);
        Assert.True(_paces.PrefersWholeSeries("east"));
        Assert.False(_paces.PrefersWholeSeries("west"));
        for (var i = 0; i < 9; i++) _paces.Note("east", isWhole: true, 100, Second);
        Assert.False(_paces.PrefersWholeSeries("east"));
    }

    [Fact]
    public void ABackendThatDoesNotGiveASeriesIsNotAskedForOne_ForAWhile()
    {
        _paces.Note("east", isWhole: false, 1000, Second);
        _paces.NoteRefusesWholeSeries("east");
        Assert.False(_paces.PrefersWholeSeries("east"));
        for (var i = 0; i < 17; i++) _paces.Note("east", isWhole: false, 1000, Second);
        Assert.True(_paces.PrefersWholeSeries("east"));
    }

    [Fact]
    public void TheSlowerWayIsTriedAgainOnceInAWhile()
    {
        _paces.Note("east", isWhole: false, 1000, Second);
        _paces.Note("east", isWhole: true, 5000, Second);
        var chosen = Enumerable.Range(0, 38).Count(_ =>
        {
            var isWhole = _paces.PrefersWholeSeries("east");
            _paces.Note("east", isWhole, isWhole ? 5000 : 1000, Second);
            return isWhole;
        });
        Assert.Equal(36, chosen);
    }
}
