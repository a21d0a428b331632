using Proxy.Dicom;

namespace Proxy.Storing;

/// <summary>The instances that one request stores, as far as their files or the answer of the backend name them.</summary>
internal sealed class StowContents
{
    private readonly Lock _lock = new();
    private readonly Dictionary<SeriesPath, HashSet<Uid>> _series = [];
    private int _count;
    private bool _hasUnknown;

    /// <summary>The limit of instances; a request with more counts as one that changes everything it may.</summary>
    public const int MaxInstances = 20_000;

    /// <summary>True when the request has more instances than are known here.</summary>
    public bool HasMore
    {
        get
        {
            lock (_lock) return _count > MaxInstances;
        }
    }

    /// <summary>True when a part does not name its instance at its beginning.</summary>
    public bool HasUnknown
    {
        get
        {
            lock (_lock) return _hasUnknown;
        }
    }

    /// <summary>Adds an instance; null for a part that names none.</summary>
    public void Add(InstancePath? instance)
    {
        lock (_lock)
        {
            if (instance is not { } path) _hasUnknown = true;
            else if (++_count > MaxInstances) return;
            else if (_series.TryGetValue(path.SeriesPath, out var instances)) instances.Add(path.Instance);
            else _series.Add(path.SeriesPath, [path.Instance]);
        }
    }

    /// <summary>The series with their instances.</summary>
    public IReadOnlyList<(SeriesPath Path, IReadOnlySet<Uid> Instances)> Read()
    {
        lock (_lock) return [.. _series.Select(s => (s.Key, (IReadOnlySet<Uid>)s.Value.ToHashSet()))];
    }
}
