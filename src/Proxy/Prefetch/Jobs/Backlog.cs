using System.Collections.Immutable;
using Proxy.Dicom;
using Proxy.Prefetch.Planning;

namespace Proxy.Prefetch.Jobs;

/// <summary>What is still to be fetched of the pixels of a study, series by series in viewing order.</summary>
internal sealed class Backlog
{
    private readonly Lock _lock = new();
    private readonly List<Part> _parts = [];

    /// <summary>Of one series; whose <paramref name="backend"/> has it.</summary>
    public sealed class Part(SeriesPath path, string backend, ImmutableArray<Item> items)
    {
        private readonly bool[] _isTaken = new bool[items.Length];
        private readonly int[] _attempts = new int[items.Length];
        private readonly Dictionary<Uid, int> _leftOf = items.GroupBy(item => item.Instance).ToDictionary(g => g.Key, g => g.Count());
        private int _waiting = items.Length;
        private int _left = items.Length;

        public SeriesPath Path { get; } = path;

        public string Backend { get; } = backend;

        public ImmutableArray<Item> Items { get; } = items;

        internal bool HasWaiting => _waiting > 0;

        internal int? Take(int from)
        {
            foreach (var at in PrefetchPlan.Outwards(Items.Length, from))
            {
                if (_isTaken[at]) continue;
                _isTaken[at] = true;
                _waiting--;
                return at;
            }
            return null;
        }

        internal void PutBack(int at)
        {
            _isTaken[at] = false;
            _waiting++;
        }

        internal int CountAttempt(int at) => ++_attempts[at];

        internal (bool IsInstanceDone, bool IsSeriesDone) Finish(int at) => (--_leftOf[Items[at].Instance] == 0, --_left == 0);
    }

    public void Add(Part part)
    {
        lock (_lock) _parts.Add(part);
    }

    /// <summary>The series to go on with: the one that is looked at, else the first that has something left. Null when nothing waits.</summary>
    public Part? Choose(Focus focus)
    {
        var at = focus.At;
        lock (_lock) return _parts.Find(part => part.HasWaiting && part.Path.Series == at?.Series) ?? _parts.Find(part => part.HasWaiting);
    }

    /// <summary>The next of a series, outwards from the frame that is looked at; null when another was faster.</summary>
    public int? Take(Part part, Focus focus)
    {
        var from = focus.At is { } at && at.Series == part.Path.Series ? part.Items.IndexOf(new(at.Instance, at.Frame)) : 0;
        lock (_lock) return part.Take(Math.Max(from, 0));
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

    /// <summary>It is here, or given up. Says whether the last of its instance is, and the last of its series.</summary>
    public (bool IsInstanceDone, bool IsSeriesDone) Finish(Part part, int at)
    {
        lock (_lock) return part.Finish(at);
    }

    /// <summary>Nothing more is taken of a backend's.</summary>
    public void Drop(string backend)
    {
        lock (_lock) _parts.RemoveAll(part => part.Backend == backend);
    }
}
