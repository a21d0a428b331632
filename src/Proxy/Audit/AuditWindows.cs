using System.Net;

namespace Proxy.Audit;

/// <summary>Joins the requests of one viewer for one study into one record of at most five minutes.</summary>
/// <remarks>
/// <code>
/// requests          f f f f f f f … f        5 min after the first, or at the stop
/// record            └── one, with counts ────┘
/// refused, failed   r ── at once        … r r r ──┘ one more, with the counts of the others
/// </code>
/// An attacker cannot use up memory or the outbox: a window stands for any number of requests, and the oldest windows end early when there
/// are more than <see cref="MaxWindows"/>. Used by one thread.
/// </remarks>
internal sealed class AuditWindows
{
    /// <summary>How long requests join one record.</summary>
    public static readonly TimeSpan Length = TimeSpan.FromMinutes(5);

    /// <summary>The most windows that are open at a time.</summary>
    public const int MaxWindows = 20_000;

    /// <summary>The number of refusals in a window after which an alert is raised.</summary>
    public const int AlarmingRefusals = 10;

    private readonly Dictionary<Key, Window> _windows = [];

    /// <summary>The windows in the order in which they end.</summary>
    private readonly Queue<(Key Key, Window Window)> _order = new();

    /// <summary>What the requests of one window have in common.</summary>
    /// <param name="Issuer">Who vouches for the user.</param>
    /// <param name="User">The user; empty for an anonymous client.</param>
    /// <param name="Address">The client's address.</param>
    /// <param name="Subject">What is read.</param>
    /// <param name="Study">The study; null for none.</param>
    /// <param name="Backend">The backends.</param>
    /// <param name="Kind">What else tells windows apart: the status of a failure, or what the window counts.</param>
    public readonly record struct Key(
        string Issuer, string User, IPAddress? Address, AuditSubject Subject, string? Study, string Backend, int Kind);

    /// <summary>When the next window ends; null if none is open.</summary>
    public DateTimeOffset? NextEnd => _order.TryPeek(out var first) ? first.Window.Opened + Length : null;

    /// <summary>The number of open windows.</summary>
    public int Count => _windows.Count;

    /// <summary>Adds a request to its window.</summary>
    /// <returns>The number of requests in the window; 0 if it is not open, and the request was not added.</returns>
    public int TryAdd(in Key key, in FinishedRequest request)
    {
        if (!_windows.TryGetValue(key, out var window)) return 0;
        window.Add(request);
        return window.Requests;
    }

    /// <summary>Opens a window with its first request.</summary>
    /// <param name="key">The window.</param>
    /// <param name="request">The request.</param>
    /// <param name="record">The record of the request, from which that of the window is made; null for a window that only counts.</param>
    public void Open(in Key key, in FinishedRequest request, AuditRecord? record)
    {
        var window = new Window(request.Time, record);
        window.Add(request);
        _windows.Add(key, window);
        _order.Enqueue((key, window));
    }

    /// <summary>Ends the windows whose time is over, and the oldest ones beyond the limit.</summary>
    /// <param name="now">The time; <see cref="DateTimeOffset.MaxValue"/> ends all.</param>
    /// <returns>Their records.</returns>
    public IEnumerable<AuditRecord> End(DateTimeOffset now)
    {
        while (_order.TryPeek(out var oldest) && (_windows.Count > MaxWindows || oldest.Window.Opened + Length <= now))
        {
            _order.Dequeue();
            _windows.Remove(oldest.Key);
            if (oldest.Window.ToRecord() is { } record) yield return record;
        }
    }

    private sealed class Window(DateTimeOffset opened, AuditRecord? first)
    {
        private string? _series;
        private string? _instance;
        private int _frames;
        private int _hits;
        private int _misses;
        private DateTimeOffset _until;

        public DateTimeOffset Opened { get; } = opened;

        public int Requests { get; private set; }

        public void Add(in FinishedRequest request)
        {
            if (Requests == 0) (_series, _instance) = (request.Series, request.Instance);
            if (_series != request.Series) _series = null;
            if (_instance != request.Instance) _instance = null;
            Requests++;
            if (request.Frames is { } frames) _frames += frames.AsSpan().Count(',') + 1;
            if (request.Source == Operations.CacheStatus.Miss) _misses++;
            else if (request.Source is not null) _hits++;
            _until = request.Time;
        }

        public AuditRecord? ToRecord()
        {
            // A failure was recorded when it happened.
            var isRecorded = first is { Outcome: not 0 };
            if (first is null || isRecorded && Requests == 1) return null;
            return first with
            {
                Id = isRecorded ? AuditRecords.CreateId(Opened) : first.Id,
                Series = _series is null ? null : first.Series,
                Instance = _instance is null ? null : first.Instance,
                Source = Requests == 1 ? first.Source : null,
                Counts = new(isRecorded ? Requests - 1 : Requests, _frames, _hits, _misses, _until),
            };
        }
    }
}
