using Proxy.Dicom;

namespace Proxy.Backends.Health;

/// <summary>The studies with a recent failure on one backend. Not thread-safe.</summary>
/// <param name="lifetime">How long a failure counts.</param>
internal sealed class FailedStudies(TimeSpan lifetime)
{
    /// <summary>The most studies; when it is exceeded, the older half is removed.</summary>
    public const int MaxEntries = 1000;

    private readonly Dictionary<Uid, DateTimeOffset> _failed = [];

    /// <summary>Whether the study has failed within the lifetime.</summary>
    public bool Has(Uid study, DateTimeOffset now) => _failed.TryGetValue(study, out var at) && now - at < lifetime;

    /// <summary>Records a failure of the study.</summary>
    public void Add(Uid study, DateTimeOffset now)
    {
        _failed[study] = now;
        if (_failed.Count <= MaxEntries) return;
        var half = _failed.Values.Order().ElementAt(MaxEntries / 2);
        foreach (var (uid, at) in _failed.ToList())
        {
            if (now - at >= lifetime || at <= half && uid != study) _failed.Remove(uid);
        }
    }
}
