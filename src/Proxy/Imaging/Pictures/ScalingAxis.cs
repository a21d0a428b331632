namespace Proxy.Imaging.Pictures;

/// <summary>Which pixels of a row or column make a pixel of the scaled one, and their weights: a triangle filter.</summary>
/// <remarks>The filter is as wide as two pixels of the result, at least two of the source. The weights of a pixel add up to 1.</remarks>
internal sealed class ScalingAxis
{
    private readonly float[] _weights;
    private readonly int[] _offsets;

    /// <summary>Creates the weights.</summary>
    /// <param name="from">The length of the source.</param>
    /// <param name="to">The length of the result.</param>
    public ScalingAxis(int from, int to)
    {
        var scale = from / (double)to;
        var radius = Math.Max(scale, 1);
        Starts = new int[to];
        _offsets = new int[to + 1];
        var weights = new List<float>(2 * (from + 2 * to));
        for (var at = 0; at < to; at++)
        {
            var center = (at + 0.5) * scale;
            var first = Math.Clamp((int)Math.Floor(center - radius + 0.5), 0, from - 1);
            var end = Math.Clamp((int)Math.Ceiling(center + radius - 0.5), first + 1, from);
            var sum = 0.0;
            for (var i = first; i < end; i++) sum += Weigh(i, center, radius);
            for (var i = first; i < end; i++) weights.Add((float)(sum > 0 ? Weigh(i, center, radius) / sum : 1.0 / (end - first)));
            Starts[at] = first;
            _offsets[at + 1] = weights.Count;
        }
        _weights = [.. weights];
    }

    /// <summary>The first pixel of the source for each pixel of the result.</summary>
    public int[] Starts { get; }

    /// <summary>The weights of the pixels from the first one on.</summary>
    public ReadOnlySpan<float> Weights(int at) => _weights.AsSpan(_offsets[at].._offsets[at + 1]);

    private static double Weigh(int pixel, double center, double radius) => Math.Max(0, 1 - Math.Abs(pixel + 0.5 - center) / radius);
}
