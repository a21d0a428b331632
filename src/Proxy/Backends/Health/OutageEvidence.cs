using Proxy.Dicom;

namespace Proxy.Backends.Health;

/// <summary>What a run of failures amounts to.</summary>
internal enum Verdict
{
    /// <summary>Nothing that speaks for the backend.</summary>
    None,

    /// <summary>The backend may be down: a probe decides.</summary>
    Suspect,

    /// <summary>The backend cannot be reached.</summary>
    Unreachable,
}

/// <summary>Counts the failures of a backend since its last usable answer. Not safe for several threads.</summary>
/// <remarks>
/// Any number of failures within one study is the failure of that study's objects. Failures are evidence against the
/// backend when they come from searches or from several studies. What is fetched ahead is no evidence: it only calls for
/// a probe, so that a prefetch waits for a backend that is down instead of failing.
/// </remarks>
internal sealed class OutageEvidence
{
    /// <summary>Failures running of what is fetched ahead that call for a probe.</summary>
    private const int PrefetchFailures = 3;

    private readonly HashSet<Uid> _studies = [];
    private int _connectionFailures;
    private int _outages;
    private int _others;
    private int _ahead;

    /// <summary>Takes one failure.</summary>
    public Verdict Add(BackendFailure failure, FailureScope scope, Uid? study)
    {
        if (failure.IsNeutral) return Verdict.None;
        if (scope == FailureScope.Nothing) return failure.IsOutage && ++_ahead >= PrefetchFailures ? Verdict.Suspect : Verdict.None;
        if (!failure.IsOutage)
        {
            // A wrong answer is an answer: the backend can be reached and is in time.
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

    public void Clear()
    {
        _studies.Clear();
        _connectionFailures = _outages = _others = _ahead = 0;
    }
}
