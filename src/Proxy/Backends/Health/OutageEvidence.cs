using Proxy.Dicom;

namespace Proxy.Backends.Health;

/// <summary>The verdict on a run of failures.</summary>
internal enum Verdict
{
    /// <summary>No evidence against the backend.</summary>
    None,

    /// <summary>The backend may be down: a probe decides.</summary>
    Suspect,

    /// <summary>The backend cannot be reached.</summary>
    Unreachable,
}

/// <summary>Counts the failures of a backend since its last usable answer. Not thread-safe.</summary>
/// <remarks>
/// Failures within one study, in any number, count against that study's objects. Failures of searches or of several studies are
/// evidence against the backend. Prefetch failures are no evidence: they only trigger a probe, so that a prefetch waits for a
/// backend that is down instead of failing.
/// </remarks>
internal sealed class OutageEvidence
{
    /// <summary>The number of consecutive prefetch failures that trigger a probe.</summary>
    private const int MaxPrefetchFailures = 3;

    private readonly HashSet<Uid> _studies = [];
    private int _connectionFailures;
    private int _outages;
    private int _others;
    private int _prefetches;

    /// <summary>Adds a failure.</summary>
    public Verdict Add(BackendFailure failure, FailureScope scope, Uid? study)
    {
        if (failure.IsNeutral) return Verdict.None;
        if (scope == FailureScope.Prefetch)
            return failure.IsOutage && ++_prefetches >= MaxPrefetchFailures ? Verdict.Suspect : Verdict.None;
        if (!failure.IsOutage)
        {
            // A wrong answer proves that the backend is reachable and answers in time.
            Clear();
            return Verdict.None;
        }
        _connectionFailures = failure.IsConnectionFailure ? _connectionFailures + 1 : 0;
        if (_connectionFailures >= Circuit.Outages) return Verdict.Unreachable;
        _outages++;
        if (scope != FailureScope.Study || study is not { } uid) _others++;
        else if (_studies.Count < Circuit.Outages) _studies.Add(uid);
        return _outages >= Circuit.Outages && _studies.Count + _others > 1 ? Verdict.Suspect : Verdict.None;
    }

    /// <summary>Clears the evidence after a usable answer.</summary>
    public void Clear()
    {
        _studies.Clear();
        _connectionFailures = _outages = _others = _prefetches = 0;
    }
}
