using System.Collections.Immutable;
using Proxy.Dicom;
using Proxy.Prefetch.Jobs;
using Proxy.Prefetch.Planning;

namespace Proxy.Prefetch.Fetching;

/// <summary>What is still to be fetched of the pixels of a study, series by series in viewing order.</summary>
internal sealed class Backlog(TimeProvider time)
{
    /// <summary>A series of fewer instances says nothing of how fast its backend is, and is not worth an answer of its own.</summary>
    private const int LeastInstances = 8;

    /// <summary>After so many items in a row that could not be fetched the rest of their series is given up.</summary>
    public const int MostFailures = 5;

    private readonly Lock _lock = new();
    private readonly List<Part> _parts = [];

    /// <summary>What became of a series with one more thing of it.</summary>
    /// <param name="IsInstanceDone">It was the last of its instance.</param>
    /// <param name="IsSeriesDone">It was the last of all.</param>
    /// <param name="Bytes">That the whole series had, when it came at one go; else null.</param>
    /// <param name="Elapsed">How long that took.</param>
    public readonly record struct Finished(bool IsInstanceDone, bool IsSeriesDone, long? Bytes, TimeSpan Elapsed);

    /// <summary>Of one series.</summary>
    /// <param name="path">The series.</param>
    /// <param name="backend">Whose it is.</param>
    /// <param name="items">What a viewer loads of it.</param>
    public sealed class Part(SeriesPath path, string backend, ImmutableArray<FetchItem> items)
    {
        private readonly bool[] _isStarted = new bool[items.Length];
        private readonly int[] _attempts = new int[items.Length];
        private readonly Dictionary<Uid, int> _leftOf = items.GroupBy(item => item.Instance).ToDictionary(g => g.Key, g => g.Count());
        private int _waiting = items.Length;
        private int _left = items.Length;
        private long _bytes;
        private long? _began;
        private bool _isBroken;
        private int _failures;

        public SeriesPath Path { get; } = path;

        public string Backend { get; } = backend;

        public ImmutableArray<FetchItem> Items { get; } = items;

        /// <summary>It is asked for in one answer.</summary>
        public bool IsWhole { get; private set; }

        internal bool HasWaiting => _waiting > 0;

        /// <summary>The place of a frame; 0 when it is not here.</summary>
        internal int GetIndex(Uid instance, int frame)
        {
            for (var at = 0; at < Items.Length; at++)
            {
                if (Items[at].Instance == instance && Items[at].Frame == frame) return at;
            }
            return 0;
        }

        internal int? Take(int from, long now)
        {
            foreach (var at in PrefetchPlan.Outwards(Items.Length, from))
            {
                if (_isStarted[at]) continue;
                _began ??= now;
                _isStarted[at] = true;
                _waiting--;
                return at;
            }
            return null;
        }

        /// <summary>All of it, when nothing of it is here and it is frames of many instances.</summary>
        internal IReadOnlyList<int>? TakeWhole(long now)
        {
            if (_began is not null || _waiting < Items.Length || _leftOf.Count < LeastInstances || Items.Any(item => item.Frame is null))
                return null;
            IsWhole = true;
            return [.. Enumerable.Range(0, Items.Length).Select(_ => Take(0, now)!.Value)];
        }

        internal void PutBack(int at)
        {
            _isStarted[at] = false;
            _isBroken = true;
            IsWhole = false;
            _waiting++;
        }

        /// <summary>It is kept already.</summary>
        internal void Skip(int at)
        {
            _isStarted[at] = true;
            _isBroken = true;
            _waiting--;
        }

        internal int CountAttempt(int at) => ++_attempts[at];

        internal int CountFailure() => ++_failures;

        internal Finished Finish(int at, long? bytes, Func<long, TimeSpan> since)
        {
            if (bytes is not null) _failures = 0;
            _bytes += bytes ?? 0;
            var isInstanceDone = --_leftOf[Items[at].Instance] == 0;
            var isDone = --_left == 0;
            return new(isInstanceDone, isDone, isDone && !_isBroken
                && _leftOf.Count >= LeastInstances ? _bytes : null, _began is { } began ? since(began) : default);
        }
    }

    public void Add(Part part)
    {
        lock (_lock) _parts.Add(part);
    }

    /// <summary>
    /// The series to go on with: the one that is looked at, else the first that has something left. Null when nothing waits.
    /// </summary>
    public Part? Choose(ViewportHint hint)
    {
        var at = hint.At;
        lock (_lock) return _parts.Find(part => part.HasWaiting && part.Path.Series == at?.Series) ?? _parts.Find(part => part.HasWaiting);
    }

    /// <summary>The next of a series, outwards from the frame that is looked at; null when another was faster.</summary>
    public int? Take(Part part, ViewportHint hint)
    {
        var from = hint.At is { } at && at.Series == part.Path.Series ? part.GetIndex(at.Instance, at.Frame) : 0;
        lock (_lock) return part.Take(from, time.GetTimestamp());
    }

    /// <summary>All of a series, to be asked for in one answer; null when it is not worth that, or something of it is here.</summary>
    public IReadOnlyList<int>? TakeWhole(Part part)
    {
        lock (_lock) return part.TakeWhole(time.GetTimestamp());
    }

    /// <summary>It is to be fetched again, later: who was to fetch it had to leave, or failed.</summary>
    public void PutBack(Part part, int at)
    {
        lock (_lock) part.PutBack(at);
    }

    /// <summary>How often it failed, with this time.</summary>
    public int CountAttempt(Part part, int at)
    {
        lock (_lock) return part.CountAttempt(at);
    }

    /// <summary>One of its items could not be fetched. True when its series is given up for that.</summary>
    public bool CountFailure(Part part)
    {
        lock (_lock) return part.CountFailure() >= MostFailures && _parts.Remove(part);
    }

    /// <summary>It is here, or given up.</summary>
    /// <param name="part">Of which series.</param>
    /// <param name="at">Which of its items.</param>
    /// <param name="bytes">What came; null for nothing.</param>
    public Finished Finish(Part part, int at, long? bytes)
    {
        lock (_lock) return part.Finish(at, bytes, began => time.GetElapsedTime(began));
    }

    /// <summary>Nothing more is taken of a backend's.</summary>
    public void Drop(string backend)
    {
        lock (_lock) _parts.RemoveAll(part => part.Backend == backend);
    }
}
