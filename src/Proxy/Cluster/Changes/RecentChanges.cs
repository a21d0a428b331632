namespace Proxy.Cluster.Changes;

/// <summary>The changes of the last two hours, of all nodes: each node announces them again when the log has begun again.</summary>
/// <remarks>A node that read the log within the last hour has missed none of those that the other nodes still know.</remarks>
/// <param name="max">The most changes that are kept; more become fewer that select more.</param>
/// <param name="time">The clock.</param>
internal sealed class RecentChanges(int max, TimeProvider time)
{
    /// <summary>How long a change is kept.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromHours(2);

    private readonly Dictionary<Change, (Guid Epoch, DateTimeOffset At)> _changes = [];
    private Guid _epoch;

    /// <summary>Notes that a change is in the log. Call it from one thread at a time.</summary>
    public void Add(Change change, Guid epoch)
    {
        if (!change.SelectsBodies && change.Patient is null) return;
        if (epoch != _epoch) _epoch = Guid.Empty;
        var now = time.GetUtcNow();
        _changes[change] = (epoch, now);
        if (_changes.Count <= max) return;
        foreach (var (old, (_, at)) in _changes.ToList())
        {
            if (now - at > Lifetime) _changes.Remove(old);
        }
        if (_changes.Count <= max / 2) return;
        var collapsed = PendingChanges.Collapse([.. _changes.Keys], max / 4);
        _changes.Clear();
        foreach (var kept in collapsed) _changes[kept] = (epoch, now);
    }

    /// <summary>Takes the changes that are not in the log of this epoch.</summary>
    public IReadOnlyList<Change> TakeMissing(Guid epoch)
    {
        if (epoch == _epoch) return [];
        _epoch = epoch;
        var now = time.GetUtcNow();
        List<Change> missing = [.. _changes.Where(c => c.Value.Epoch != epoch).Select(c => c.Key)];
        List<Change> live = [.. missing.Where(change => now - _changes[change].At <= Lifetime)];
        foreach (var change in missing) _changes.Remove(change);
        return live;
    }
}
