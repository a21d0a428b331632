using System.Collections.Immutable;
using Proxy.Dicom;

namespace Proxy.Store;

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

    public SeriesList ListOf(string backend) => SeriesLists.GetValueOrDefault(backend) ?? new SeriesList(backend);

    public Study With(SeriesList list) => this with { SeriesLists = SeriesLists.SetItem(list.Backend, list) };

    /// <summary>
    /// The backends that hold a series, its owner first: the one whose metadata is here already (a client works with
    /// it), then the one with more instances, then the preferred one.
    /// </summary>
    public IEnumerable<SeriesList> HoldersOf(Uid seriesInstanceUid, Func<string, int> preferenceOf) =>
        from list in SeriesLists.Values
        let series = list.FindSeries(seriesInstanceUid)
        where series is not null
        orderby series.IsMetadataComplete descending, series.Count descending, preferenceOf(list.Backend), list.Backend
        select list;

    /// <summary>Every series that some backend holds, with its owner's list.</summary>
    public IEnumerable<(SeriesList Owner, Series Series)> OwnedSeries(Func<string, int> preferenceOf) =>
        from uid in SeriesLists.Values.SelectMany(l => l.Series.Keys).Distinct().Order()
        let owner = HoldersOf(uid, preferenceOf).First()
        select (owner, owner.FindSeries(uid)!);

    /// <summary>Bytes of memory that are held, nearly.</summary>
    public long Bytes => 300 + SeriesLists.Values.Sum(l => l.Bytes);
}
