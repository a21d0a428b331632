using System.Collections.Concurrent;
using Proxy.Cache;

namespace Proxy.Cluster.Changes;

/// <summary>The number of the last change in the log of each study, series and instance: an older value in the engine is invalid.</summary>
/// <param name="max">The number of changes that the log keeps.</param>
internal sealed class KnownChanges(int max)
{
    private readonly ConcurrentDictionary<Scope, long> _last = new();
    private long _lowest;

    private readonly record struct Scope(string Backend, string Study, string Series, string Instance);

    /// <summary>The number of the oldest change that the log has; 0 for an empty log.</summary>
    public long Lowest => Interlocked.Read(ref _lowest);

    /// <summary>Forgets all: the log has begun again.</summary>
    public void Clear()
    {
        _last.Clear();
        Interlocked.Exchange(ref _lowest, 0);
    }

    /// <summary>Notes the number of the oldest change. What is older than the log is invalid, so that it need not be remembered.</summary>
    public void SetLowest(long lowest)
    {
        Interlocked.Exchange(ref _lowest, lowest);
        if (_last.Count <= 2 * max) return;
        foreach (var found in _last)
        {
            if (found.Value < lowest) _last.TryRemove(found);
        }
    }

    /// <summary>From here on, the values that the change selects and that were written before it are not valid.</summary>
    public void Add(Change change, long number)
    {
        if (!change.SelectsBodies) return;
        var removal = change.Removal;
        var scope = new Scope(removal.Backend ?? "", $"{removal.Study}", $"{removal.Series}", $"{removal.Instance}");
        _last.AddOrUpdate(scope, number, (_, before) => Math.Max(before, number));
    }

    /// <summary>True when no change that selects the body came after this number.</summary>
    /// <param name="key">The key of the body, with the name of the backend.</param>
    /// <param name="number">The number of the last change that the writer had applied.</param>
    public bool IsValid(EntryKey key, long number)
    {
        if (number < Lowest - 1) return false;
        var (study, series, instance) = (key.Study.ToString(), key.Series.ToString(), key.Instance.ToString());
        return IsOlder("") && IsOlder(key.Backend);

        bool IsOlder(string backend) =>
            Find(new(backend, "", "", "")) <= number && Find(new(backend, study, "", "")) <= number
                && Find(new(backend, study, series, "")) <= number && Find(new(backend, study, series, instance)) <= number;
    }

    private long Find(Scope scope) => _last.TryGetValue(scope, out var number) ? number : 0;
}
