using Proxy.Prefetch.Fetching;
using Xunit;

namespace Proxy.Tests.Prefetch;

public class ThroughputEstimatorTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly ThroughputEstimator _estimator = new();

    [Fact]
    public void PrefersWholeSeries_UntilTheyAreLessThanHalfAsFastAsFrames()
    {
        Assert.True(_estimator.PrefersWholeSeries("east"));
        _estimator.Note("east", isWhole: false, 1000, Second);
        Assert.True(_estimator.PrefersWholeSeries("east"));
        _estimator.Note("east", isWhole: true, 600, Second);
        Assert.True(_estimator.PrefersWholeSeries("east"));
        for (var i = 0; i < 9; i++) _estimator.Note("east", isWhole: true, 100, Second);
        Assert.False(_estimator.PrefersWholeSeries("east"));
        Assert.True(_estimator.PrefersWholeSeries("west"));
    }

    [Fact]
    public void AvoidsWholeSeriesForAWhile_AfterARefusal()
    {
        _estimator.NoteRefusesWholeSeries("east");
        Assert.False(_estimator.PrefersWholeSeries("east"));
        for (var i = 0; i < 18; i++) _estimator.Note("east", isWhole: false, 1000, Second);
        Assert.True(_estimator.PrefersWholeSeries("east"));
    }

    [Fact]
    public void TriesWholeSeriesAgain_OncePerTwentySeries_WhenTheyAreSlow()
    {
        _estimator.Note("east", isWhole: false, 5000, Second);
        _estimator.Note("east", isWhole: true, 1000, Second);
        var chosen = Enumerable.Range(0, 40).Count(_ =>
        {
            var isWhole = _estimator.PrefersWholeSeries("east");
            _estimator.Note("east", isWhole, isWhole ? 1000 : 5000, Second);
            return isWhole;
        });
        Assert.Equal(2, chosen);
    }

    [Fact]
    public void TriesAWholeInstanceAgain_AfterTwentyInstances()
    {
        _estimator.NoteInstance("east");
        _estimator.NoteRefusesInstances("east");
        for (var i = 0; i < 20; i++)
        {
            Assert.False(_estimator.PrefersWholeInstances("east"));
            Assert.True(_estimator.PrefersWholeInstances("west"));
            _estimator.NoteInstance("east");
        }
        Assert.True(_estimator.PrefersWholeInstances("east"));
    }
}
