using FsCheck.Fluent;
using FsCheck.Xunit;
using Proxy.Operations.Telemetry;
using Xunit;

namespace Proxy.Tests.Operations.Telemetry;

/// <summary>Quantiles of durations in a fixed amount of memory.</summary>
public class LatencyHistogramTests
{
    [Fact]
    public void HasNoQuantile_WithoutDurations() => Assert.Null(new LatencyHistogram().FindQuantile(0.5));

    [Property]
    public void AQuantileIsAtMostTenPercentOff(uint[] tenths)
    {
        var durations = tenths.Select(t => TimeSpan.FromMilliseconds(0.1 + t % 1_000_000 / 10.0)).Order().ToList();
        if (durations.Count == 0) return;
        var histogram = new LatencyHistogram();
        foreach (var duration in durations) histogram.Add(duration);

        foreach (var quantile in (double[])[0, 0.5, 0.95, 1])
        {
            var exact = durations[Math.Max(1, (int)Math.Ceiling(quantile * durations.Count)) - 1];
            Assert.InRange(histogram.FindQuantile(quantile)!.Value / exact, 0.9, 1.1);
        }
    }

    [Fact]
    public void TakesDurationsOfAnyLength()
    {
        var histogram = new LatencyHistogram();
        histogram.Add(TimeSpan.Zero);
        histogram.Add(TimeSpan.MaxValue);

        Assert.InRange(histogram.FindQuantile(0)!.Value.TotalMilliseconds, 0.1, 0.12);
        Assert.InRange(histogram.FindQuantile(1)!.Value.TotalSeconds, 150, 300);
    }

    [Fact]
    public void AddsAnother_AndIsEmptyAfterClear()
    {
        var (one, other) = (new LatencyHistogram(), new LatencyHistogram());
        other.Add(TimeSpan.FromSeconds(1));
        one.Add(other);
        other.Clear();

        Assert.Equal((1, 0), (one.Count, other.Count));
        Assert.Null(other.FindQuantile(0.5));
    }
}
