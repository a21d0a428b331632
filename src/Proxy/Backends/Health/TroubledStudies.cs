using Proxy.Dicom;

namespace Proxy.Backends.Health;

/// <summary>The studies that one backend failed to give something of in the last time. Not safe for several threads.</summary>
/// <param name="lifetime">How long a failure counts.</param>
internal sealed class TroubledStudies(TimeSpan lifetime)
{
    /// <summary>More are not remembered: then the oldest failures count no longer.</summary>
    public const int MostEntries = 1000;

    private readonly Dictionary<Uid, DateTimeOffset> _failed = [];

    public bool Has(Uid study, DateTimeOffset now) => _failed.TryGetValue(study, out var at) && now - at < lifetime;

    public void Add(Uid study, DateTimeOffset now)
    {
        _failed[study] = now;
        if (_failed.Count <= MostEntries) return;
        var half = _failed.Values.Order().ElementAt(MostEntries / 2);
        foreach (var (uid, at) in _failed.ToList())
        {
            if (now - at >= lifetime || at <= half && uid != study) _failed.Remove(uid);
        }
    }
}
