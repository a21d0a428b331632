namespace Proxy.Events;

/// <summary>A reader's offset in the log. Not thread-safe.</summary>
internal sealed class EventReader
{
    private readonly EventLog _log;
    private long _next;
    private bool _isLost;

    /// <summary>Starts at the end of the log: skips all events so far.</summary>
    public EventReader(EventLog log) : this(log, log.Next)
    {
    }

    /// <summary>Starts at an event.</summary>
    /// <param name="log">The log to read.</param>
    /// <param name="next">The id of the first event to read; null if unknown: the reader then starts with a gap.</param>
    public EventReader(EventLog log, long? next)
    {
        _log = log;
        _isLost = next is null;
        _next = next ?? log.First;
    }

    /// <summary>The id after which a reconnecting reader continues.</summary>
    public string LastId => _log.GetId(_next - 1);

    /// <summary>Completes on the next event; get it before reading to the end, see <see cref="EventLog.NextEvent"/>.</summary>
    public Task News => _log.NextEvent;

    /// <summary>The next event, or a gap if it has left the history; null if there is no next event yet.</summary>
    public LoggedEvent? Read()
    {
        if (!_isLost)
        {
            if (_next >= _log.Next) return null;
            if (_log.Find(_next) is { } found)
            {
                _next++;
                return found;
            }
        }
        var (missed, first) = (_next, _log.First);
        _next = first;
        var gap = _log.GapBefore(first, _isLost ? null : first - missed);
        _isLost = false;
        return gap;
    }
}
