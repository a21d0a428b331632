namespace Proxy.Operations.Telemetry;

/// <summary>The requests to one backend during the last five minutes, in windows of half a minute: a fixed amount of memory.</summary>
public sealed class BackendTraffic
{
    /// <summary>The time that the figures describe.</summary>
    public static readonly TimeSpan Period = TimeSpan.FromMinutes(5);

    private static readonly TimeSpan WindowLength = TimeSpan.FromSeconds(30);

    private readonly TimeProvider _time;
    private readonly Lock _lock = new();
    private readonly Window[] _windows = [.. Enumerable.Range(0, (int)(Period / WindowLength)).Select(_ => new Window())];

    /// <summary>Creates an empty record.</summary>
    public BackendTraffic(TimeProvider time) => _time = time;

    /// <summary>Figures of the last five minutes.</summary>
    /// <param name="Median">The time after which half of the answers began; null without answers.</param>
    /// <param name="Percentile95">The time after which 95 % of the answers began; null without answers.</param>
    /// <param name="ErrorRate">The share of failed requests, from 0 to 1.</param>
    public readonly record struct Figures(TimeSpan? Median, TimeSpan? Percentile95, double ErrorRate);

    private sealed class Window
    {
        public readonly LatencyHistogram Latencies = new();
        public long Number = -1;
        public int Outcomes;
        public int Failures;
    }

    /// <summary>Records the time from sending a request to the head of its answer.</summary>
    public void RecordLatency(TimeSpan elapsed)
    {
        lock (_lock) GetCurrent().Latencies.Add(elapsed);
    }

    /// <summary>Records whether a request failed.</summary>
    public void RecordOutcome(bool hasFailed)
    {
        lock (_lock)
        {
            var window = GetCurrent();
            window.Outcomes++;
            if (hasFailed) window.Failures++;
        }
    }

    /// <summary>Reads the figures.</summary>
    public Figures Read()
    {
        var all = new LatencyHistogram();
        var (outcomes, failures) = (0, 0);
        lock (_lock)
        {
            var oldest = GetNumber() - _windows.Length;
            foreach (var window in _windows)
            {
                if (window.Number <= oldest) continue;
                all.Add(window.Latencies);
                outcomes += window.Outcomes;
                failures += window.Failures;
            }
        }
        return new(all.FindQuantile(0.5), all.FindQuantile(0.95), outcomes == 0 ? 0 : (double)failures / outcomes);
    }

    private long GetNumber() => _time.GetUtcNow().UtcTicks / WindowLength.Ticks;

    private Window GetCurrent()
    {
        var number = GetNumber();
        var window = _windows[number % _windows.Length];
        if (window.Number == number) return window;
        window.Latencies.Clear();
        (window.Number, window.Outcomes, window.Failures) = (number, 0, 0);
        return window;
    }
}
