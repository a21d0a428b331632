using System.Collections.Immutable;
using Proxy.Dicom;

namespace Proxy.Metadata;

/// <summary>One study: what each backend said of it, side by side.</summary>
/// <remarks>
/// <code>
/// study ── seriesLists ┬─ east ── series ┬─ 1.2.3 ── instances
///                      │                 └─ 1.2.4 ── instances
///                      └─ west ── series ── 1.2.4 ── instances      the same series, fewer instances: east is its owner
/// </code>
/// </remarks>
public sealed record Study(Uid Uid)
{
    public ImmutableSortedDictionary<string, SeriesList> SeriesLists { get; init; } =
        ImmutableSortedDictionary.Create<string, SeriesList>(StringComparer.Ordinal);

    /// <summary>The backend that a series was first given from, while it can be had there: its metadata and all its pixels.</summary>
    public ImmutableDictionary<Uid, string> Owners { get; init; } = ImmutableDictionary<Uid, string>.Empty;

    /// <summary>Whether a backend holds something of it; else all that is known is who does not.</summary>
    public bool HasHolder => SeriesLists.Values.Any(list => list.HoldsStudy);

    public SeriesList GetList(string backend) => SeriesLists.GetValueOrDefault(backend) ?? new SeriesList(backend);

    public Study With(SeriesList list) => this with { SeriesLists = SeriesLists.SetItem(list.Backend, list) };

    /// <summary>
    /// The backends that hold a series: its owner first, for a client works with what it gave; then the one with more
    /// instances, then the preferred one.
    /// </summary>
    public IEnumerable<SeriesList> GetHolders(Uid seriesInstanceUid, Func<string, int> preferenceOf)
    {
        // Mostly one backend holds a series, and then there is nothing to put in order.
        SeriesList? only = null;
        foreach (var (_, list) in SeriesLists)
        {
            if (list.FindSeries(seriesInstanceUid) is null) continue;
            if (only is not null) return InOrder(seriesInstanceUid, preferenceOf);
            only = list;
        }
        return only is null ? [] : [only];
    }

    /// <summary>An instance, from the first backend in the order of <see cref="GetHolders"/> that named it.</summary>
    public Instance? FindInstance(InstancePath path, Func<string, int> preferenceOf)
    {
        foreach (var list in GetHolders(path.Series, preferenceOf))
        {
            if (list.FindSeries(path.Series)!.FindInstance(list.Backend, path) is { } instance) return instance;
        }
        return null;
    }

    private IEnumerable<SeriesList> InOrder(Uid seriesInstanceUid, Func<string, int> preferenceOf) =>
        from list in SeriesLists.Values
        let series = list.FindSeries(seriesInstanceUid)
        where series is not null
        orderby Owners.GetValueOrDefault(seriesInstanceUid) == list.Backend descending, series.Count descending,
        preferenceOf(list.Backend), list.Backend
        select list;

    /// <summary>
    /// How many series the study has in these backends together, and how many instances: one that several hold is one,
    /// and has as many as the fullest of them.
    /// </summary>
    public (int Series, int Instances) CountIn(IEnumerable<string> backends)
    {
        var most = new Dictionary<Uid, int>();
        foreach (var series in backends.SelectMany(backend => GetList(backend).Series.Values))
            most[series.Uid] = Math.Max(series.Count, most.GetValueOrDefault(series.Uid));
        return (most.Count, most.Values.Sum());
    }

    /// <summary>Bytes of memory that are held, nearly.</summary>
    public long Bytes => 300 + SeriesLists.Values.Sum(l => l.Bytes);
}
