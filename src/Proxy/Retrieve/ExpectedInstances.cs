using Proxy.Dicom;
using Proxy.Wire.Part10;

namespace Proxy.Retrieve;

/// <summary>
/// The instances that a whole answer should contain: of each series those of the metadata, or as many as the backend lists.
/// </summary>
/// <param name="series">The requested series; null for all series that the answer has, each instance once.</param>
internal sealed class ExpectedInstances(IReadOnlyList<SeriesInstances>? series)
{
    private readonly Dictionary<Uid, Expected> _series = (series ?? []).ToDictionary(one => one.Path.Series, one => new Expected(one));

    /// <summary>True until an instance arrives.</summary>
    public bool HasNone => _series.Values.All(one => one.Arrived.Count == 0);

    /// <summary>True when no further instance is expected.</summary>
    public bool HasAll => series is not null && _series.Values.All(one => one.HasAll);

    /// <summary>
    /// True for an instance that is expected and has not arrived. Without metadata the file itself must name the study and the series.
    /// </summary>
    public bool Contains(InstancePath path, Part10Identity identity) =>
        FindSeries(path.SeriesPath) is { } one && !one.Arrived.Contains(path.Instance)
        && (one.Named is { } named
            ? named.Contains(path.Instance)
            : identity is { StudyInstanceUid: not null, SeriesInstanceUid: not null });

    /// <summary>Counts an instance as arrived.</summary>
    public void Add(InstancePath path) => _series[path.Series].Arrived.Add(path.Instance);

    private Expected? FindSeries(SeriesPath path)
    {
        if (series is null && !_series.ContainsKey(path.Series)) _series.Add(path.Series, new(new("", path, []) { Listed = int.MaxValue }));
        return _series.GetValueOrDefault(path.Series);
    }

    private sealed class Expected(SeriesInstances series)
    {
        public readonly HashSet<Uid>? Named = series.Listed is null ? [.. series.Instances] : null;
        public readonly HashSet<Uid> Arrived = [];

        public bool HasAll => Arrived.Count >= (series.Listed ?? Named!.Count);
    }
}
