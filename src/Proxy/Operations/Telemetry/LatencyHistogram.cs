namespace Proxy.Operations.Telemetry;

/// <summary>Counts durations in buckets of equal ratio, and estimates quantiles of them. Not thread-safe.</summary>
/// <remarks>
/// Four buckets per factor of two, from 0.1 ms to about 200 s: a quantile is at most 9 % off. The size is fixed.
/// </remarks>
internal sealed class LatencyHistogram
{
    private const double MinMilliseconds = 0.1;
    private const int BucketsPerOctave = 4;
    private const int Buckets = 21 * BucketsPerOctave;

    private readonly int[] _counts = new int[Buckets];

    /// <summary>The number of durations.</summary>
    public int Count { get; private set; }

    /// <summary>Adds a duration.</summary>
    public void Add(TimeSpan duration)
    {
        var octaves = Math.Log2(Math.Max(duration.TotalMilliseconds, MinMilliseconds) / MinMilliseconds);
        _counts[Math.Min((int)(octaves * BucketsPerOctave), Buckets - 1)]++;
        Count++;
    }

    /// <summary>Adds all durations of another histogram.</summary>
    public void Add(LatencyHistogram other)
    {
        for (var i = 0; i < Buckets; i++) _counts[i] += other._counts[i];
        Count += other.Count;
    }

    /// <summary>Removes all durations.</summary>
    public void Clear()
    {
        Array.Clear(_counts);
        Count = 0;
    }

    /// <summary>Estimates a quantile; null without durations.</summary>
    /// <param name="quantile">The share of durations that are not longer, from 0 to 1.</param>
    public TimeSpan? FindQuantile(double quantile)
    {
        if (Count == 0) return null;
        var rank = Math.Max(1, (int)Math.Ceiling(quantile * Count));
        var i = 0;
        for (var seen = _counts[0]; seen < rank; seen += _counts[++i]) { }
        // The middle of the bucket, on the scale of ratios.
        return TimeSpan.FromMilliseconds(MinMilliseconds * Math.Pow(2, (i + 0.5) / BucketsPerOctave));
    }
}
