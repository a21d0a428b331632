using Proxy.Prefetch.Fetching;
using Xunit;

namespace Proxy.Tests.Prefetch;

public class ThroughputEstimatorTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly ThroughputEstimator _estimator = new();

    [Fact]
    public void MeasuresFramesFirst_ThenWholeSeries_ThenTakesTheFaster()
    {
        Assert.False(_estimator.PrefersWholeSeries("east"));
        _estimator.Note("east", isWhole: false, 1000, Second);
        Assert.True(_estimator.PrefersWholeSeries("east"));
        _estimator.Note("east", isWhole: true, 5000, Second);
        Assert.True(_estimator.PrefersWholeSeries("east"));
        Assert.False(_estimator.PrefersWholeSeries("west"));
        for (var i = 0; i < 9; i++) _estimator.Note("east", isWhole: true, 100, Second);
        Assert.False(_estimator.PrefersWholeSeries("east"));
    }

    [Fact]
    public void AvoidsWholeSeriesForAWhile_AfterARefusal()
    {
        _estimator.Note("east", isWhole: false, 1000, Second);
        _estimator.NoteRefusesWholeSeries("east");
        Assert.False(_estimator.PrefersWholeSeries("east"));
        for (var i = 0; i < 17; i++) _estimator.Note("east", isWhole: false, 1000, Second);
        Assert.True(_estimator.PrefersWholeSeries("east"));
    }

    [Fact]
    public void TriesTheSlowerWayAgain_OncePerTwentySeries()
    {
        _estimator.Note("east", isWhole: false, 1000, Second);
        _estimator.Note("east", isWhole: true, 5000, Second);
        var chosen = Enumerable.Range(0, 38).Count(_ =>
        {
            var isWhole = _estimator.PrefersWholeSeries("east");
            _estimator.Note("east", isWhole, isWhole ? 5000 : 1000, Second);
            return isWhole;
        });
        Assert.Equal(36, chosen);
    }
}
