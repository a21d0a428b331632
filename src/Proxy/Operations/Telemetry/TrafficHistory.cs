namespace Proxy.Operations.Telemetry;

/// <summary>What was counted in each of the last steps of time: a ring of running totals, of fixed size. Not thread-safe.</summary>
/// <remarks>The value of a step is the difference of the totals at its end and at its begin: to count is only an addition.</remarks>
/// <param name="step">The length of a step.</param>
/// <param name="length">The number of steps.</param>
/// <param name="columns">The number of totals.</param>
internal sealed class TrafficHistory(TimeSpan step, int length, int columns)
{
    /// <summary>The totals at the begin of a step, in the row of its number modulo the number of rows.</summary>
    private readonly long[] _rows = new long[(length + 1) * columns];

    /// <summary>The number of the step that is not over.</summary>
    private long _current;

    /// <summary>The length of a step.</summary>
    public TimeSpan Step => step;

    /// <summary>Ends the steps that are over.</summary>
    /// <param name="elapsed">The time since the first step began.</param>
    /// <param name="totals">The totals now.</param>
    public void Advance(TimeSpan elapsed, ReadOnlySpan<long> totals)
    {
        var current = elapsed.Ticks / step.Ticks;
        for (var i = Math.Max(_current + 1, current - length); i <= current; i++) totals.CopyTo(GetRow(i));
        _current = Math.Max(_current, current);
    }

    /// <summary>The values of the last steps that are over.</summary>
    /// <returns>The time from the begin of the first step of all to that of the first of these, and one array per column.</returns>
    public (TimeSpan From, long[][] Columns) Read()
    {
        var first = Math.Max(0, _current - length);
        var values = new long[columns][];
        for (var column = 0; column < columns; column++)
        {
            values[column] = new long[_current - first];
            for (var i = first; i < _current; i++) values[column][i - first] = GetRow(i + 1)[column] - GetRow(i)[column];
        }
        return (step * first, values);
    }

    private Span<long> GetRow(long number) => _rows.AsSpan((int)(number % (length + 1)) * columns, columns);
}
