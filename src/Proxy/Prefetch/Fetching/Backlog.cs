using System.Collections.Immutable;
using Proxy.Dicom;
using Proxy.Prefetch.Jobs;
using Proxy.Prefetch.Planning;

namespace Proxy.Prefetch.Fetching;

/// <summary>The pixel items of a study that remain to be fetched, by series in viewing order.</summary>
internal sealed class Backlog(TimeProvider time)
{
    /// <summary>The fewest instances of a series that is measured for throughput.</summary>
    private const int MinInstances = 8;

    /// <summary>The fewest frames that one request for their series or instance replaces.</summary>
    public const int MinFrames = 4;

    /// <summary>The most requests for one whole series: a client that cancels them would have most of it sent repeatedly.</summary>
    private const int MaxWholeRequests = 3;

    /// <summary>The most requests for one whole instance: its frames are fetched one by one after that.</summary>
    private const int MaxInstanceRequests = 3;

    /// <summary>The number of consecutive failed items after which the rest of a series is skipped.</summary>
    public const int MaxFailures = 5;

    private readonly Lock _lock = new();
    private readonly List<SeriesBacklog> _parts = [];

    /// <summary>The effect of a completed item on its series.</summary>
    /// <param name="IsInstanceDone">Whether the instance is complete.</param>
    /// <param name="Bytes">The size of a series that was fetched without interruption; otherwise null.</param>
    /// <param name="IsSeriesDone">Whether the series is complete.</param>
    /// <param name="Elapsed">The time since the first item of the series was started.</param>
    public readonly record struct Finished(bool IsInstanceDone, long? Bytes, bool IsSeriesDone, TimeSpan Elapsed);

    /// <summary>The items of one series.</summary>
    /// <param name="path">The series.</param>
    /// <param name="backend">The backend to fetch from.</param>
    /// <param name="items">The items that a viewer loads.</param>
    public sealed class SeriesBacklog(SeriesPath path, string backend, ImmutableArray<FetchItem> items)
    {
        private readonly bool[] _isStarted = new bool[items.Length];
        private readonly int[] _attempts = new int[items.Length];
        private readonly Dictionary<Uid, int> _remainingOf = items.GroupBy(item => item.Instance).ToDictionary(g => g.Key, g => g.Count());
        private readonly Dictionary<Uid, int> _instanceRequests = [];
        private int _waiting = items.Length;
        private int _remaining = items.Length;
        private readonly long _largestInstance =
            items.GroupBy(item => item.Instance, item => item.Bytes).Select(frames => frames.Sum()).DefaultIfEmpty().Max();
        private long _bytes;
        private long? _startedAt;
        private bool _isInterrupted;
        private int _failures;
        private int _wholeRequests;

        public SeriesPath Path { get; } = path;

        public string Backend { get; } = backend;

        public ImmutableArray<FetchItem> Items { get; } = items;

        /// <summary>Whether the series is fetched in one request.</summary>
        public bool IsWhole { get; private set; }

        internal bool HasWaiting => _waiting > 0;

        /// <summary>The size of the waiting frames without compression, as far as it is known.</summary>
        internal long WaitingBytes => Items.Where((_, at) => !_isStarted[at]).Sum(item => item.Bytes);

        /// <summary>The index of a frame; 0 when it is not in the series.</summary>
        internal int GetIndex(Uid instance, int frame)
        {
            for (var at = 0; at < Items.Length; at++)
            {
                if (Items[at].Instance == instance && Items[at].Frame == frame) return at;
            }
            return 0;
        }

        /// <summary>The first waiting item; null for none.</summary>
        internal FetchItem? FindWaiting() => Array.IndexOf(_isStarted, false) is >= 0 and var at ? Items[at] : null;

        internal int? Take(int from, long now)
        {
            foreach (var at in PrefetchPlan.NearestFirst(Items.Length, from))
            {
                if (_isStarted[at]) continue;
                _startedAt ??= now;
                _isStarted[at] = true;
                _waiting--;
                return at;
            }
            return null;
        }

        /// <summary>
        /// Takes all waiting frames, if at least half of the series' frames wait and every instance is small enough for one answer.
        /// </summary>
        internal IReadOnlyList<int>? TakeWhole(long maxInstanceBytes, long now)
        {
            if (_wholeRequests == MaxWholeRequests || _largestInstance > maxInstanceBytes) return null;
            if (TakeFrames(static _ => true, now) is not { } taken) return null;
            _wholeRequests++;
            IsWhole = true;
            return taken;
        }

        /// <summary>Takes the waiting frames of one instance, if at least half of its frames wait.</summary>
        internal IReadOnlyList<int>? TakeInstance(Uid instance, long now)
        {
            var requests = _instanceRequests.GetValueOrDefault(instance);
            if (requests == MaxInstanceRequests || TakeFrames(item => item.Instance == instance, now) is not { } taken) return null;
            _instanceRequests[instance] = requests + 1;
            // Neither frame by frame nor the whole series.
            _isInterrupted = true;
            return taken;
        }

        private List<int>? TakeFrames(Predicate<FetchItem> isWanted, long now)
        {
            var frames = Enumerable.Range(0, Items.Length)
                .Where(at => Items[at] is { Frame: not null, NeedsOwnEntry: false } && isWanted(Items[at])).ToList();
            var waiting = frames.FindAll(at => !_isStarted[at]);
            if (waiting.Count < MinFrames || 2 * waiting.Count < frames.Count) return null;
            _startedAt ??= now;
            foreach (var at in waiting) _isStarted[at] = true;
            _waiting -= waiting.Count;
            return waiting;
        }

        internal void PutBack(int at)
        {
            _isStarted[at] = false;
            _isInterrupted = true;
            IsWhole = false;
            _waiting++;
        }

        /// <summary>Marks an item that is already cached.</summary>
        internal void Skip(int at)
        {
            _isStarted[at] = true;
            _isInterrupted = true;
            _waiting--;
        }

        internal int CountAttempt(int at) => ++_attempts[at];

        internal int CountFailure() => ++_failures;

        internal Finished Finish(int at, long? bytes, Func<long, TimeSpan> since)
        {
            if (bytes is not null) _failures = 0;
            _bytes += bytes ?? 0;
            var isInstanceDone = --_remainingOf[Items[at].Instance] == 0;
            var isDone = --_remaining == 0;
            var isMeasured = isDone && !_isInterrupted && _remainingOf.Count >= MinInstances;
            return new(isInstanceDone, isMeasured ? _bytes : null, isDone, _startedAt is { } startedAt ? since(startedAt) : default);
        }
    }

    /// <summary>Adds a series.</summary>
    public void Add(SeriesBacklog part)
    {
        lock (_lock) _parts.Add(part);
    }

    /// <summary>Chooses the next series: the viewer's active one, or the first with waiting items. Null when no items wait.</summary>
    public SeriesBacklog? Choose(ViewportHint hint)
    {
        var at = hint.Position;
        lock (_lock) return _parts.Find(part => part.HasWaiting && part.Path.Series == at?.Series) ?? _parts.Find(part => part.HasWaiting);
    }

    /// <summary>Takes the waiting item nearest to the viewer's frame; null when another worker took the last one.</summary>
    public int? Take(SeriesBacklog part, ViewportHint hint)
    {
        var from = hint.Position is { } at && at.Series == part.Path.Series ? part.GetIndex(at.Instance, at.Frame) : 0;
        lock (_lock) return part.Take(from, time.GetTimestamp());
    }

    /// <summary>Takes the waiting frames of a series for one request; null when too few wait.</summary>
    /// <param name="part">The series.</param>
    /// <param name="maxInstanceBytes">The size up to which an instance of the answer is used.</param>
    public IReadOnlyList<int>? TakeWhole(SeriesBacklog part, long maxInstanceBytes)
    {
        lock (_lock) return part.TakeWhole(maxInstanceBytes, time.GetTimestamp());
    }

    /// <summary>Takes the waiting frames of the next instance for one request; null when too few wait.</summary>
    public IReadOnlyList<int>? TakeInstance(SeriesBacklog part)
    {
        lock (_lock) return part.FindWaiting() is { } next ? part.TakeInstance(next.Instance, time.GetTimestamp()) : null;
    }

    /// <summary>The size of the waiting frames of a series without compression, in bytes; 0 when unknown.</summary>
    public long GetWaitingBytes(SeriesBacklog part)
    {
        lock (_lock) return part.WaitingBytes;
    }

    /// <summary>Returns an item to the backlog after a cancelled or failed fetch.</summary>
    public void PutBack(SeriesBacklog part, int at)
    {
        lock (_lock) part.PutBack(at);
    }

    /// <summary>Counts a failed attempt of an item; returns the number so far.</summary>
    public int CountAttempt(SeriesBacklog part, int at)
    {
        lock (_lock) return part.CountAttempt(at);
    }

    /// <summary>Counts a failed item; true when the rest of its series is skipped for that.</summary>
    public bool CountFailure(SeriesBacklog part)
    {
        lock (_lock) return part.CountFailure() >= MaxFailures && _parts.Remove(part);
    }

    /// <summary>Completes an item, fetched or failed.</summary>
    /// <param name="part">The series.</param>
    /// <param name="at">The index of the item.</param>
    /// <param name="bytes">The fetched bytes; null for none.</param>
    public Finished Finish(SeriesBacklog part, int at, long? bytes)
    {
        lock (_lock) return part.Finish(at, bytes, started => time.GetElapsedTime(started));
    }

    /// <summary>Removes all series of a backend.</summary>
    public void Drop(string backend)
    {
        lock (_lock) _parts.RemoveAll(part => part.Backend == backend);
    }
}
