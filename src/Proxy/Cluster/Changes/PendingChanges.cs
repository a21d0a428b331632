using Proxy.Cache;
using Proxy.Dicom;

namespace Proxy.Cluster.Changes;

/// <summary>A change of this node that is not in the log yet, or whose bodies are not deleted from the engine yet.</summary>
/// <param name="change">The change.</param>
internal sealed class PendingChange(Change change)
{
    /// <summary>The change.</summary>
    public Change Change { get; } = change;

    /// <summary>True from the moment it is sent: an equal change that comes later is another one.</summary>
    public bool IsSent { get; set; }

    /// <summary>Its position in the log; null while it is not there.</summary>
    public LogPosition? Position { get; set; }

    /// <summary>Completes when it is in the log, and the engine has no body that it selects.</summary>
    public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
}

/// <summary>The changes of this node that wait for the engine, in their order.</summary>
/// <remarks>
/// When there are too many, those that are not sent become fewer which select at least as much: one for each study of a backend; if these
/// are too many, one for each backend; and only for purges of many studies of all backends, one purge of everything.
/// </remarks>
/// <param name="max">The most changes that wait.</param>
internal sealed class PendingChanges(int max)
{
    private readonly Lock _lock = new();
    private readonly List<PendingChange> _all = [];

    /// <summary>The number of changes that wait.</summary>
    public int Count
    {
        get
        {
            lock (_lock) return _all.Count;
        }
    }

    /// <summary>Adds a change, unless an equal one waits and is not sent yet.</summary>
    public PendingChange Add(Change change)
    {
        lock (_lock)
        {
            if (_all.Find(p => !p.IsSent && p.Change == change) is { } equal) return equal;
            if (_all.Count >= max) Collapse();
            var pending = new PendingChange(change);
            _all.Add(pending);
            return pending;
        }
    }

    /// <summary>Takes the first change that is not in the log, and marks it as sent; null for none.</summary>
    public PendingChange? FindUnannounced()
    {
        lock (_lock)
        {
            if (_all.Find(p => p.Position is null) is not { } first) return null;
            first.IsSent = true;
            return first;
        }
    }

    /// <summary>The changes in the log whose bodies are not deleted yet.</summary>
    public IReadOnlyList<PendingChange> FindUndeleted()
    {
        lock (_lock) return _all.FindAll(p => p.Position is not null);
    }

    /// <summary>Removes a change: its bodies are deleted.</summary>
    public void End(PendingChange pending)
    {
        lock (_lock) _all.Remove(pending);
        pending.Done.TrySetResult();
    }

    /// <summary>True when a change that waits selects the body.</summary>
    public bool Select(EntryKey key)
    {
        lock (_lock) return _all.Exists(p => p.Position is null && p.Change.SelectsBodies && p.Change.Removal.Matches(key));
    }

    private void Collapse()
    {
        // What cannot be deleted is in the log: it is invalid, and expires.
        foreach (var announced in _all.Where(p => p.Position is not null).ToList()) _all.Remove(announced);
        var waiting = _all.Where(p => !p.IsSent).ToList();
        if (waiting.Count == 0) return;
        _all.RemoveAll(waiting.Contains);
        var collapsed = Collapse([.. waiting.Select(p => p.Change)], max / 2);
        foreach (var change in collapsed) _all.Add(new(change));
        // A wait for one of them ends when the last of its successors is done.
        var last = _all[^1].Done.Task;
        foreach (var replaced in waiting) _ = last.ContinueWith(_ => replaced.Done.TrySetResult(), TaskScheduler.Default);
    }

    /// <summary>Fewer changes that select at least the same.</summary>
    /// <param name="changes">The changes.</param>
    /// <param name="most">How many may remain besides one for each backend and patient.</param>
    public static IReadOnlyList<Change> Collapse(IReadOnlyList<Change> changes, int most)
    {
        List<Change> patients = [.. changes.Where(c => c.Patient is not null).Distinct()];
        var removals = changes.Where(c => c.Patient is null).Select(c => c.Removal)
            .GroupBy(r => (r.Backend, r.Study)).Select(ofStudy => Merge(ofStudy.Key.Backend, ofStudy.Key.Study, ofStudy)).ToList();
        if (removals.Count > most)
        {
            removals = [.. removals.GroupBy(r => r.Backend).SelectMany(ofBackend => CollapseBackend(ofBackend.Key, [.. ofBackend], most))];
        }
        return [.. removals.Select(r => new Change(r)), .. patients];
    }

    private static IEnumerable<Removal> CollapseBackend(string? backend, IReadOnlyList<Removal> removals, int most)
    {
        if (backend is null) return removals.Count > most ? [new()] : removals;
        return removals.All(r => r.KeepsBodies) ? [Merge(backend, default(Uid), removals)] : [new(backend)];
    }

    private static Removal Merge(string? backend, Uid? study, IEnumerable<Removal> removals)
    {
        var (keepsBodies, all) = (true, removals.ToList());
        foreach (var removal in all) keepsBodies &= removal.KeepsBodies;
        return all.Count == 1 ? all[0] : new(backend, study) { KeepsBodies = keepsBodies };
    }
}
