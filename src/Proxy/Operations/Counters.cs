using System.Diagnostics.Metrics;

namespace Proxy.Operations;

/// <summary>The counters of the meter <c>Proxy</c>. Their labels name backends, never patients.</summary>
public sealed class Counters : IDisposable
{
    /// <summary>The meter's name.</summary>
    public const string Meter = "Proxy";

    private readonly System.Diagnostics.Metrics.Meter _meter;
    private readonly Counter<long> _failures;
    private readonly Counter<long> _changes;
    private readonly Counter<long> _sentAgain;
    private readonly Counter<long> _conflicts;
    private readonly Counter<long> _prefetches;
    private readonly Counter<long> _prefetched;
    private readonly Counter<long> _damaged;
    private readonly Counter<long> _storeDamaged;
    private long _identityConflicts;
    private long _storeDamage;

    /// <summary>Creates the counters.</summary>
    public Counters(IMeterFactory meters)
    {
        _meter = meters.Create(Meter);
        _failures = _meter.CreateCounter<long>("proxy.backend.failures", "{answer}", "Failed backend requests");
        _changes = _meter.CreateCounter<long>("proxy.backend.changes", "{change}", "Backend state changes");
        _sentAgain = _meter.CreateCounter<long>("proxy.backend.sent_again", "{request}", "Backend requests that were retried or hedged");
        _prefetches = _meter.CreateCounter<long>("proxy.prefetch.jobs", "{job}", "Finished prefetch jobs");
        _prefetched = _meter.CreateCounter<long>("proxy.prefetch.size", "By", "Bytes of pixel data fetched by prefetch jobs");
        _damaged = _meter.CreateCounter<long>("proxy.cache.damaged", "{entry}", "Cache entries on disk that were damaged and deleted");
        _conflicts = _meter.CreateCounter<long>(
            "proxy.search.identity_conflicts", "{study}", "Studies with different patients on two backends");
        _storeDamaged = _meter.CreateCounter<long>(
            "proxy.store.damaged", "{study}", "Studies of the metadata store that were damaged on disk");
    }

    /// <summary>The number of studies, since the start, that two backends assign to different patients.</summary>
    public long IdentityConflicts => Interlocked.Read(ref _identityConflicts);

    /// <summary>Counts a failed backend request.</summary>
    public void BackendFailed(string backend, string error) => _failures.Add(1, new("backend", backend), new("error", error));

    /// <summary>Counts a state change of a backend.</summary>
    public void BackendChanged(string backend, string state) => _changes.Add(1, new("backend", backend), new("state", state));

    /// <summary>Counts a request that is sent a second time.</summary>
    /// <param name="backend">The backend that receives it.</param>
    /// <param name="kind"><c>retry</c> or <c>hedge</c>.</param>
    public void RequestResent(string backend, string kind) => _sentAgain.Add(1, new("backend", backend), new("kind", kind));

    /// <summary>Counts a finished prefetch job.</summary>
    /// <param name="why">The reason of the job.</param>
    /// <param name="state">The final state of the job.</param>
    /// <param name="bytes">The size of the fetched pixel data.</param>
    public void PrefetchJobEnded(string why, string state, long bytes)
    {
        _prefetches.Add(1, new("why", why), new("state", state));
        _prefetched.Add(bytes, new KeyValuePair<string, object?>("why", why));
    }

    /// <summary>Counts a cache entry that is damaged on disk.</summary>
    public void EntryDamaged() => _damaged.Add(1);

    /// <summary>Counts a study that two backends assign to different patients.</summary>
    public void IdentityConflicted()
    {
        _conflicts.Add(1);
        Interlocked.Increment(ref _identityConflicts);
    }

    /// <summary>The number of studies, since the start, that were damaged on disk.</summary>
    public long StoreDamage => Interlocked.Read(ref _storeDamage);

    /// <summary>Counts a study of the metadata store that is damaged on disk.</summary>
    public void StoreDamaged()
    {
        _storeDamaged.Add(1);
        Interlocked.Increment(ref _storeDamage);
    }

    /// <summary>Disposes the meter.</summary>
    public void Dispose() => _meter.Dispose();
}
