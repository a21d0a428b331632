using System.Collections.Concurrent;

namespace Proxy.Operations.Telemetry;

/// <summary>How much the proxy serves and fetches: totals since the start, and their history in a fixed amount of memory.</summary>
/// <remarks>
/// A request adds to totals only. Each second, and for each report, the totals are copied into the histories: 5 minutes in steps of
/// 1 s, and 24 hours in steps of 1 min.
/// </remarks>
public sealed class Traffic : IDisposable
{
    /// <summary>The number of totals that have a history, the first ones of <see cref="Total"/>.</summary>
    private const int Columns = (int)Total.BytesFetched + 1;

    private static readonly TimeSpan Step = TimeSpan.FromSeconds(1);

    private readonly TimeProvider _time;
    private readonly DateTimeOffset _startedAt;
    private readonly long _started;
    private readonly ITimer _timer;
    private readonly long[] _totals = new long[(int)Total.MicrosecondsSaved + 1];
    private readonly KindTraffic[] _kinds = [.. Enum.GetValues<ResourceKind>().Select(_ => new KindTraffic())];
    private readonly ConcurrentDictionary<string, BackendTraffic> _backends = new(StringComparer.OrdinalIgnoreCase);
    private readonly Lock _lock = new();
    private readonly TrafficHistory _recent = new(Step, 300, Columns);
    private readonly TrafficHistory _day = new(TimeSpan.FromMinutes(1), 24 * 60, Columns);

    /// <summary>Starts both histories now.</summary>
    public Traffic(TimeProvider time)
    {
        _time = time;
        _startedAt = time.GetUtcNow();
        _started = time.GetTimestamp();
        _timer = time.CreateTimer(static traffic => ((Traffic)traffic!).Advance(), this, Step, Step);
    }

    /// <summary>What is counted.</summary>
    public enum Total
    {
        /// <summary>DICOMweb requests.</summary>
        Requests,

        /// <summary>DICOMweb requests that were answered without a request to a backend of their own.</summary>
        Hits,

        /// <summary>DICOMweb requests for which a backend was asked.</summary>
        Misses,

        /// <summary>DICOMweb requests with a status of 500 or above.</summary>
        Errors,

        /// <summary>Bytes sent to clients, with heads.</summary>
        BytesServed,

        /// <summary>Bytes received from backends, with heads.</summary>
        BytesFetched,

        /// <summary>Bytes of the bodies of hits.</summary>
        BytesSaved,

        /// <summary>For each hit: the median time of a miss of its kind minus its own time; an estimate.</summary>
        MicrosecondsSaved,
    }

    /// <summary>The history of the totals in steps of equal length, without the step that is not over.</summary>
    /// <param name="Step">The length of a step.</param>
    /// <param name="From">When the first step began.</param>
    /// <param name="Columns">The values of the steps, for each total from <see cref="Total.Requests"/> on.</param>
    internal sealed record History(TimeSpan Step, DateTimeOffset From, IReadOnlyList<long[]> Columns);

    /// <summary>The answers of one kind of resource.</summary>
    private sealed class KindTraffic
    {
        private readonly LatencyHistogram _misses = new();
        private readonly long[] _answers = new long[(int)CacheStatus.Stale + 1];
        private long _medianMicroseconds;

        /// <summary>The median time of a miss; 0 before the first.</summary>
        public long MedianMicroseconds => Interlocked.Read(ref _medianMicroseconds);

        public long Count(CacheStatus source) => Interlocked.Read(ref _answers[(int)source]);

        public void Add(CacheStatus source, TimeSpan elapsed)
        {
            Interlocked.Increment(ref _answers[(int)source]);
            if (source != CacheStatus.Miss) return;
            lock (_misses)
            {
                _misses.Add(elapsed);
                Interlocked.Exchange(ref _medianMicroseconds, (long)_misses.FindQuantile(0.5)!.Value.TotalMicroseconds);
            }
        }
    }

    /// <summary>A total since the start.</summary>
    public long this[Total total] => Interlocked.Read(ref _totals[(int)total]);

    /// <summary>The time of the clock.</summary>
    public DateTimeOffset Now => _time.GetUtcNow();

    /// <summary>Adds to a total.</summary>
    public void Add(Total total, long count) => Interlocked.Add(ref _totals[(int)total], count);

    /// <summary>Records an answer.</summary>
    /// <param name="kind">What it contains.</param>
    /// <param name="source">Where it comes from.</param>
    /// <param name="elapsed">The time that the request took.</param>
    /// <param name="bytes">The size of the answer; 0 if it is not known.</param>
    public void AddAnswer(ResourceKind kind, CacheStatus source, TimeSpan elapsed, long bytes)
    {
        var traffic = _kinds[(int)kind];
        traffic.Add(source, elapsed);
        if (source == CacheStatus.Miss)
        {
            Add(Total.Misses, 1);
            return;
        }
        Add(Total.Hits, 1);
        Add(Total.BytesSaved, bytes);
        var saved = traffic.MedianMicroseconds - (long)elapsed.TotalMicroseconds;
        if (saved > 0) Add(Total.MicrosecondsSaved, saved);
    }

    /// <summary>The number of answers of a kind from a source since the start.</summary>
    public long Count(ResourceKind kind, CacheStatus source) => _kinds[(int)kind].Count(source);

    /// <summary>The recent requests to a backend.</summary>
    public BackendTraffic GetBackend(string backend) => _backends.GetOrAdd(backend, static (_, time) => new(time), _time);

    /// <summary>Forgets a backend that was removed from the settings or has a new address.</summary>
    public void RemoveBackend(string backend) => _backends.TryRemove(backend, out _);

    /// <summary>Reads the histories: seconds, then minutes.</summary>
    internal (History Recent, History Day) ReadHistory()
    {
        lock (_lock)
        {
            Advance();
            return (Read(_recent), Read(_day));
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _timer.Dispose();

    private History Read(TrafficHistory history)
    {
        var (from, columns) = history.Read();
        return new(history.Step, _startedAt + from, columns);
    }

    private void Advance()
    {
        lock (_lock)
        {
            var elapsed = _time.GetElapsedTime(_started);
            Span<long> totals = stackalloc long[Columns];
            for (var i = 0; i < Columns; i++) totals[i] = Interlocked.Read(ref _totals[i]);
            _recent.Advance(elapsed, totals);
            _day.Advance(elapsed, totals);
        }
    }
}
