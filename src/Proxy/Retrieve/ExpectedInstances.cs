using Proxy.Dicom;
using Proxy.Wire.Part10;

namespace Proxy.Retrieve;

/// <summary>The instances that a whole-series answer should contain: those of the metadata, or as many as the backend lists.</summary>
/// <param name="series">The requested series.</param>
internal sealed class ExpectedInstances(SeriesInstances series)
{
    private readonly HashSet<Uid> _named = [.. series.Instances];
    private readonly HashSet<Uid> _arrived = [];

    /// <summary>True until an instance arrives.</summary>
    public bool HasNone => _arrived.Count == 0;

    /// <summary>True when no further instance is expected.</summary>
    public bool HasAll => _arrived.Count >= (series.Listed ?? _named.Count);

    /// <summary>
    /// True for an instance that is expected and has not arrived. Without metadata the file itself must name the study and the series.
    /// </summary>
    public bool Contains(Uid instance, Part10Identity identity) =>
        !_arrived.Contains(instance)
        && (series.Listed is null ? _named.Contains(instance) : identity is { StudyInstanceUid: not null, SeriesInstanceUid: not null });

    /// <summary>Counts an instance as arrived.</summary>
    public void Add(Uid instance) => _arrived.Add(instance);
}
