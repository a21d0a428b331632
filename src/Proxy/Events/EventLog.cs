using System.Security.Cryptography;

namespace Proxy.Events;

/// <summary>What happened of late, in one order for all: a bounded history that whoever listens reads at their own pace.</summary>
/// <remarks>
/// Nobody has a queue. A reader holds a place in the history; to come back after a while, to be slow and to be cut off
/// are the same: the place has left the history, and the reader is told how much is lost and goes on with the oldest.
/// <code>
/// lost ··· │ first ▪ ▪ ▪ ▪ ▪ ▪ ▪ ▪ last │ next        bounded by events, and by the UIDs in them
///     ↑              ↑                    ↑
///     a gap          a slow reader        who waits for news
/// </code>
/// Who publishes takes a short lock and waits for no reader; readers take none.
/// </remarks>
/// <param name="log">Where a subscriber's exception goes.</param>
/// <param name="maxEvents">The most events that are kept.</param>
/// <param name="maxUids">The most UIDs that they carry together; one that carries more is kept alone.</param>
public sealed class EventLog(ILogger<EventLog> log, int maxEvents = 10_000, int maxUids = 100_000)
{
    private readonly LoggedEvent?[] _history = new LoggedEvent?[maxEvents];
    private readonly string _epoch = RandomNumberGenerator.GetHexString(12, lowercase: true);
    private readonly Lock _publishing = new();
    private long _first = 1;
    private long _next = 1;
    private long _uids;
    private TaskCompletionSource _news = NewSignal();
    private int _isWaking;

    /// <summary>The oldest that is kept, or the next when none is.</summary>
    internal long First => Volatile.Read(ref _first);

    /// <summary>The one that is to come.</summary>
    internal long Next => Volatile.Read(ref _next);

    /// <summary>Ends when something was published, or <see cref="Wake"/> called, after it was taken: take it, look, then wait.</summary>
    internal Task News => Volatile.Read(ref _news).Task;

    public void Publish(ProxyEvent @event)
    {
        lock (_publishing)
        {
            var logged = new LoggedEvent(_epoch, @event with { Id = _next });
            while (_first < _next && (_next - _first >= maxEvents || _uids + logged.Uids > maxUids)) DropOldest();
            _uids += logged.Uids;
            Volatile.Write(ref FindOffset(_next), logged);
            Volatile.Write(ref _next, _next + 1);
        }
        Wake();
    }

    /// <summary>
    /// Calls <paramref name="handler"/> for each event of this name from now on, one after the other and on its own time, until the handle
    /// is disposed of.
    /// </summary>
    /// <remarks>A handler that is slower than the history is long misses what the log tells of.</remarks>
    public IDisposable Subscribe(string name, Action<ProxyEvent> handler) => new Subscription(name, handler, new(this), log);

    /// <param name="lastId">The id of the last event that the reader had; null or empty for one that begins now.</param>
    internal EventReader ReadAfter(string? lastId) =>
        string.IsNullOrEmpty(lastId) ? new(this) : new(this, EventFormat.ReadId(_epoch, lastId) is { } id && id < Next ? id + 1 : null);

    internal LoggedEvent? Find(long id) => Volatile.Read(ref FindOffset(id)) is { } logged && logged.Event.Id == id ? logged : null;

    /// <summary>What stands where the events before <paramref name="next"/> were.</summary>
    /// <param name="next">The event that comes after it.</param>
    /// <param name="lost">How many they were; null when nobody knows.</param>
    internal LoggedEvent GapBefore(long next, long? lost)
    {
        var gap = new ProxyEvent(ProxyEvent.Gap) { Id = next - 1 };
        return new(_epoch, lost is null ? gap : gap.With("lost", lost));
    }

    internal string GetId(long id) => EventFormat.GetId(_epoch, id);

    /// <summary>Makes whoever waits look again. Much that comes at once wakes them once.</summary>
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

    /// <summary>First the mark, then the event: who finds its place empty finds a later first.</summary>
    private void DropOldest()
    {
        ref var place = ref FindOffset(_first);
        _uids -= place!.Uids;
        Volatile.Write(ref _first, _first + 1);
        Volatile.Write(ref place, null);
    }

    private ref LoggedEvent? FindOffset(long id) => ref _history[id % _history.Length];

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
