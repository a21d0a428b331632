using System.Collections.Immutable;
using Proxy.Dicom;
using Proxy.Events;

namespace Proxy.Metadata;

/// <summary>What is told of a change: what clients could see of a study before, compared with what they can see now.</summary>
/// <remarks>
/// What is made in client is not seen, and appears when its mark goes; so nothing is told twice, and nothing is left
/// untold, whoever brought it. A backend that is configured no more, and a study that is purged, take their word with
/// them: that is not the PACS's doing, and nothing is told of it.
/// </remarks>
internal static class StoreEvents
{
    public static IEnumerable<ProxyEvent> Between(Study before, Study after)
    {
        foreach (var list in after.SeriesLists.Values)
        {
            var older = before.GetList(list.Backend);
            if (ReferenceEquals(older, list)) continue;
            foreach (var told in Between(after.Uid, older, list)) yield return told;
        }
        if (ReferenceEquals(before.Owners, after.Owners)) yield break;
        foreach (var (series, owner) in after.Owners)
        {
            if (before.Owners.GetValueOrDefault(series) is { } from && from != owner)
                yield return (About(ProxyEvent.SeriesMoved, after.Uid, owner) with { Series = series }).With("from", from);
        }
    }

    private static IEnumerable<ProxyEvent> Between(Uid study, SeriesList before, SeriesList after)
    {
        if (!ReferenceEquals(before.Series, after.Series))
        {
            var changed = after.Series.Values.Where(series => !ReferenceEquals(series, before.FindSeries(series.Uid)))
                .OrderBy(series => series.Uid).ToList();
            var added = changed.Where(series => HasSummary(series)
                && !HasSummary(before.FindSeries(series.Uid))).Select(series => series.Uid).ToImmutableArray();
            if (!added.IsEmpty) yield return About(ProxyEvent.SeriesAdded, study, after.Backend) with { Added = added };
            foreach (var series in changed)
            {
                var instances = AddedBetween(GetMetadata(before.FindSeries(series.Uid)), GetMetadata(series));
                if (!instances.IsEmpty)
                    yield return About(ProxyEvent.InstancesAdded, study, after.Backend) with { Series = series.Uid, Added = instances };
            }
            foreach (var gone in before.Series.Values.Where(
                series => !series.MadeInClient && after.FindSeries(series.Uid) is null).OrderBy(series => series.Uid))
                yield return About(ProxyEvent.SeriesRemoved, study, after.Backend) with { Series = gone.Uid };
        }
        if (before.HoldsStudy && !after.HoldsStudy && (before.StudyRow is not null || !before.MadeInClient))
            yield return About(ProxyEvent.StudyRemoved, study, after.Backend);
    }

    private static bool HasSummary(Series? series) => series is { MadeInClient: false, Summary: not null };

    private static PackedInstances? GetMetadata(Series? series) => series is { MetadataMadeInClient: false } ? series.Metadata : null;

    private static ImmutableArray<Uid> AddedBetween(PackedInstances? before, PackedInstances? after) =>
        after is null
            || ReferenceEquals(before, after) ? [] : before is null ? [.. after.Uids] : [.. after.Uids.Where(uid => !before.Has(uid))];

    private static ProxyEvent About(string name, Uid study, string backend) =>
        new(name) { Study = study, Backend = backend, MadeInClient = false };
}
