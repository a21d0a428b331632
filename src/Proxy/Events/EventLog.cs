using System.Security.Cryptography;

namespace Proxy.Events;

/// <summary>A bounded history of recent events in one order; each reader reads it at its own speed.</summary>
/// <remarks>
/// Readers have no queues. A reader holds its offset in the history. A reader that reconnects late or reads slowly finds
/// that its offset has left the history: it receives a gap with the number of lost events and continues with the oldest.
/// <code>
/// lost ··· │ first ▪ ▪ ▪ ▪ ▪ ▪ ▪ ▪ last │ next        bounded by events, and by the UIDs in them
///     ↑              ↑                    ↑
///     a gap          a slow reader        a reader that waits
/// </code>
/// Publishing takes a short lock and never waits for readers; readers take no lock.
/// </remarks>
/// <param name="log">The log for exceptions of subscribers.</param>
/// <param name="maxEvents">The maximum number of events in the history.</param>
/// <param name="maxUids">The maximum number of UIDs in all events together; an event with more is the only one in the history.</param>
public sealed class EventLog(ILogger<EventLog> log, int maxEvents = 10_000, int maxUids = 100_000)
{
    private readonly LoggedEvent?[] _history = new LoggedEvent?[maxEvents];
    private readonly string _epoch = RandomNumberGenerator.GetHexString(12, lowercase: true);
    private readonly Lock _publishing = new();
    private readonly Dictionary<string, long> _counts = [];
    private long _first = 1;
    private long _next = 1;
    private long _uids;
    private TaskCompletionSource _news = NewSignal();
    private int _isWaking;

    /// <summary>The id of the oldest event in the history; equals <see cref="Next"/> if the history is empty.</summary>
    internal long First => Volatile.Read(ref _first);

    /// <summary>The id of the next event.</summary>
    internal long Next => Volatile.Read(ref _next);

    /// <summary>
    /// Completes on the next event or call of <see cref="Wake"/>. Get the task, read all events, then await it: no event is missed.
    /// </summary>
    internal Task NextEvent => Volatile.Read(ref _news).Task;

    /// <summary>The number of events published since the start, by name.</summary>
    public IReadOnlyDictionary<string, long> CountByName()
    {
        lock (_publishing) return new Dictionary<string, long>(_counts);
    }

    /// <summary>Appends an event, evicts the oldest beyond the bounds, and wakes readers.</summary>
    public void Publish(ProxyEvent @event)
    {
        lock (_publishing)
        {
            var logged = new LoggedEvent(_epoch, @event with { Id = _next });
            while (_first < _next && (_next - _first >= maxEvents || _uids + logged.Uids > maxUids)) EvictOldest();
            _uids += logged.Uids;
            _counts[@event.Name] = _counts.GetValueOrDefault(@event.Name) + 1;
            Volatile.Write(ref GetSlot(_next), logged);
            Volatile.Write(ref _next, _next + 1);
        }
        Wake();
    }

    /// <summary>
    /// Calls <paramref name="handler"/> for each later event of this name, one at a time and on a background thread, until the
    /// returned handle is disposed.
    /// </summary>
    /// <remarks>A handler that falls behind the history misses events; a log message reports their number.</remarks>
    public IDisposable Subscribe(string name, Action<ProxyEvent> handler) => new Subscription(name, handler, new(this), log);

    /// <summary>A reader that continues after an event.</summary>
    /// <param name="lastId">The id of the last event that the reader received; null or empty to start with the next event.</param>
    internal EventReader ReadAfter(string? lastId) =>
        string.IsNullOrEmpty(lastId) ? new(this) : new(this, EventFormat.ReadId(_epoch, lastId) is { } id && id < Next ? id + 1 : null);

    /// <summary>The event of an id; null if it is not in the history.</summary>
    internal LoggedEvent? Find(long id) => Volatile.Read(ref GetSlot(id)) is { } logged && logged.Event.Id == id ? logged : null;

    /// <summary>The gap event that replaces lost events.</summary>
    /// <param name="next">The id of the first event after the gap.</param>
    /// <param name="lost">The number of lost events; null if unknown.</param>
    internal LoggedEvent GapBefore(long next, long? lost)
    {
        var gap = new ProxyEvent(ProxyEvent.Gap) { Id = next - 1 };
        return new(_epoch, lost is null ? gap : gap.With("lost", lost));
    }

    /// <summary>The id of an event as listeners receive it.</summary>
    internal string GetId(long id) => EventFormat.GetId(_epoch, id);

    /// <summary>Wakes waiting readers; several calls in quick succession wake them once.</summary>
    internal void Wake()
    {
        if (Interlocked.Exchange(ref _isWaking, 1) == 0)
            ThreadPool.UnsafeQueueUserWorkItem(static events => events.WakeAll(), this, preferLocal: false);
    }

    private void WakeAll()
    {
        Interlocked.Exchange(ref _isWaking, 0);
        Interlocked.Exchange(ref _news, NewSignal()).SetResult();
    }

    /// <summary>Increments <see cref="First"/> before clearing the slot: a reader that finds an empty slot sees the new value.</summary>
    private void EvictOldest()
    {
        ref var slot = ref GetSlot(_first);
        _uids -= slot!.Uids;
        Volatile.Write(ref _first, _first + 1);
        Volatile.Write(ref slot, null);
    }

    private ref LoggedEvent? GetSlot(long id) => ref _history[id % _history.Length];

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
