using System.Diagnostics.Metrics;

namespace Proxy.Operations;

/// <summary>What is counted for whoever runs the proxy, under the meter <c>Proxy</c>. Backends are named, patients never.</summary>
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

    public Counters(IMeterFactory meters)
    {
        _meter = meters.Create(Meter);
        _failures = _meter.CreateCounter<long>("proxy.backend.failures", "{answer}", "Answers of a backend that could not be used");
        _changes = _meter.CreateCounter<long>("proxy.backend.changes", "{change}", "Changes of a backend's state");
        _sentAgain = _meter.CreateCounter<long>("proxy.backend.sent_again", "{request}", "Requests that were sent once more");
        _prefetches = _meter.CreateCounter<long>("proxy.prefetch.jobs", "{job}", "Prefetch jobs that have ended");
        _prefetched = _meter.CreateCounter<long>("proxy.prefetch.size", "By", "Pixels that they fetched");
        _damaged = _meter.CreateCounter<long>("proxy.cache.damaged", "{entry}", "Kept bodies that were damaged on disk and dropped");
        _conflicts = _meter.CreateCounter<long>(
            "proxy.search.identity_conflicts", "{study}", "Studies that two backends ascribe to different patients");
        _storeDamaged = _meter.CreateCounter<long>(
            "proxy.store.damaged", "{study}", "Studies of the metadata store that did not come back whole from the disk");
    }

    /// <summary>Studies so far that two backends ascribe to different patients.</summary>
    public long IdentityConflicts => Interlocked.Read(ref _identityConflicts);

    public void BackendFailed(string backend, string error) => _failures.Add(1, new("backend", backend), new("error", error));

    public void BackendChanged(string backend, string state) => _changes.Add(1, new("backend", backend), new("state", state));

    /// <param name="backend">To whom.</param>
    /// <param name="kind"><c>retry</c> or <c>hedge</c>.</param>
    public void SentAgain(string backend, string kind) => _sentAgain.Add(1, new("backend", backend), new("kind", kind));

    /// <param name="why">What the job was for.</param>
    /// <param name="state">How it ended.</param>
    /// <param name="bytes">What it fetched.</param>
    public void PrefetchEnded(string why, string state, long bytes)
    {
        _prefetches.Add(1, new("why", why), new("state", state));
        _prefetched.Add(bytes, new KeyValuePair<string, object?>("why", why));
    }

    public void EntryDamaged() => _damaged.Add(1);

    public void IdentityConflicted()
    {
        _conflicts.Add(1);
        Interlocked.Increment(ref _identityConflicts);
    }

    /// <summary>Studies so far that did not come back whole from the disk.</summary>
    public long StoreDamage => Interlocked.Read(ref _storeDamage);

    public void StoreDamaged()
    {
        _storeDamaged.Add(1);
        Interlocked.Increment(ref _storeDamage);
    }

    public void Dispose() => _meter.Dispose();
}
