using System.Collections.Immutable;
using Proxy.Dicom;

namespace Proxy.Metadata;

/// <summary>One study: the series lists of all backends, side by side.</summary>
/// <remarks>
/// <code>
/// study ── seriesLists ┬─ east ── series ┬─ 1.2.3 ── instances
///                      │                 └─ 1.2.4 ── instances
///                      └─ west ── series ── 1.2.4 ── instances      the same series, fewer instances: east is its owner
/// </code>
/// <param name="Uid">The study instance UID.</param>
/// </remarks>
public sealed record Study(Uid Uid)
{
    /// <summary>The series list of each backend, by name.</summary>
    public ImmutableSortedDictionary<string, SeriesList> SeriesLists { get; init; } =
        ImmutableSortedDictionary.Create<string, SeriesList>(StringComparer.Ordinal);

    /// <summary>The backend that a series is served from while it is available there: its metadata and all its pixels.</summary>
    public ImmutableDictionary<Uid, string> Owners { get; init; } = ImmutableDictionary<Uid, string>.Empty;

    /// <summary>True when a backend holds a part of it; otherwise only backends without it are known.</summary>
    public bool HasHolder => SeriesLists.Values.Any(list => list.HoldsStudy);

    /// <summary>The last time at which a backend confirmed a part of the study.</summary>
    public DateTimeOffset LastConfirmedAt => SeriesLists.Values.Select(list => list.LastConfirmedAt).Append(default).Max();

    /// <summary>The series list of a backend; an empty one when it has none yet.</summary>
    public SeriesList GetList(string backend) => SeriesLists.GetValueOrDefault(backend) ?? new SeriesList(backend);

    /// <summary>A copy with a series list added or replaced.</summary>
    public Study With(SeriesList list) => this with { SeriesLists = SeriesLists.SetItem(list.Backend, list) };

    /// <summary>
    /// The backends that hold a series: its owner first, as clients already have its metadata; then in the order of <see cref="Holder"/>.
    /// </summary>
    public IEnumerable<SeriesList> GetHolders(Uid seriesInstanceUid, Func<string, int> preferenceOf)
    {
        // Usually one backend holds a series, and there is nothing to sort.
        SeriesList? only = null;
        foreach (var (_, list) in SeriesLists)
        {
            if (list.FindSeries(seriesInstanceUid) is null) continue;
            if (only is not null) return SortHolders(seriesInstanceUid, preferenceOf);
            only = list;
        }
        return only is null ? [] : [only];
    }

    /// <summary>An instance from the first backend, in the order of <see cref="GetHolders"/>, whose list names it.</summary>
    public Instance? FindInstance(InstancePath path, Func<string, int> preferenceOf)
    {
        foreach (var list in GetHolders(path.Series, preferenceOf))
        {
            if (list.FindSeries(path.Series)!.FindInstance(list.Backend, path) is { } instance) return instance;
        }
        return null;
    }

    private IEnumerable<SeriesList> SortHolders(Uid seriesInstanceUid, Func<string, int> preferenceOf) =>
        SeriesLists.Values.Where(list => list.FindSeries(seriesInstanceUid) is not null)
            .OrderByDescending(list => list.Backend == Owners.GetValueOrDefault(seriesInstanceUid))
            .ThenBy(list => list.GetHolder(seriesInstanceUid, preferenceOf), Holder.Order);

    /// <summary>
    /// The numbers of series and instances in these backends together. A series that several hold counts once, with the highest number of
    /// instances.
    /// </summary>
    public (int Series, int Instances) CountIn(IEnumerable<string> backends)
    {
        var maxCounts = new Dictionary<Uid, int>();
        foreach (var series in backends.SelectMany(backend => GetList(backend).Series.Values))
            maxCounts[series.Uid] = Math.Max(series.Count, maxCounts.GetValueOrDefault(series.Uid));
        return (maxCounts.Count, maxCounts.Values.Sum());
    }

    /// <summary>The approximate memory held, in bytes.</summary>
    public long Bytes => 300 + SeriesLists.Values.Sum(l => l.Bytes);
}
