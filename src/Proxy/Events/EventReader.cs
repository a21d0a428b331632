namespace Proxy.Events;

/// <summary>A place in the log. Not for two threads at once.</summary>
internal sealed class EventReader
{
    private readonly EventLog _log;
    private long _next;
    private bool _isLost;

    /// <summary>At the end: what is there already is not read.</summary>
    public EventReader(EventLog log) : this(log, log.Next)
    {
    }

    /// <param name="log">What is read.</param>
    /// <param name="next">The event to begin with; null when nobody knows: then with a gap, and the oldest that is kept.</param>
    public EventReader(EventLog log, long? next)
    {
        _log = log;
        _isLost = next is null;
        _next = next ?? log.First;
    }

    /// <summary>What a reader that comes back begins after.</summary>
    public string LastId => _log.GetId(_next - 1);

    /// <summary>Take it, read to the end, then wait for it.</summary>
    public Task News => _log.News;

    /// <summary>The next event, or the gap that is in its place; null when there is none yet.</summary>
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
        var (lost, first) = (_next, _log.First);
        _next = first;
        var gap = _log.GapBefore(first, _isLost ? null : first - lost);
        _isLost = false;
        return gap;
    }
}
