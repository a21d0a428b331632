using System.Collections.Immutable;
using Proxy.Dicom;
using Proxy.Events;

namespace Proxy.Metadata;

/// <summary>Derives events from the difference between the study that clients could see before and the one they can see now.</summary>
/// <remarks>
/// Prefetched data is invisible until a client requests it, so each change is announced exactly once, by the request or the answer that
/// makes it visible. Removing a backend from the configuration and purging a study raise no events: the PACS did not change.
/// </remarks>
internal static class StoreEvents
{
    /// <summary>The events for a change of one study, in order.</summary>
    public static IEnumerable<ProxyEvent> Between(Study before, Study after)
    {
        foreach (var list in after.SeriesLists.Values)
        {
            var older = before.GetList(list.Backend);
            if (ReferenceEquals(older, list)) continue;
            foreach (var change in Between(after.Uid, older, list)) yield return change;
        }
        if (ReferenceEquals(before.Owners, after.Owners)) yield break;
        foreach (var (series, owner) in after.Owners)
        {
            if (before.Owners.GetValueOrDefault(series) is { } from && from != owner)
                yield return (Create(ProxyEvent.SeriesMoved, after.Uid, owner) with { Series = series }).With("from", from);
        }
    }

    private static IEnumerable<ProxyEvent> Between(Uid study, SeriesList before, SeriesList after)
    {
        if (!ReferenceEquals(before.Series, after.Series))
        {
            var changed = after.Series.Values.Where(series => !ReferenceEquals(series, before.FindSeries(series.Uid)))
                .OrderBy(series => series.Uid).ToList();
            var added = changed.Where(series => HasSummary(series) && !HasSummary(before.FindSeries(series.Uid)))
                .Select(series => series.Uid).ToImmutableArray();
            if (!added.IsEmpty) yield return Create(ProxyEvent.SeriesAdded, study, after.Backend) with { Added = added };
            foreach (var series in changed)
            {
                var instances = AddedBetween(before.FindSeries(series.Uid), series);
                if (!instances.IsEmpty)
                    yield return Create(ProxyEvent.InstancesAdded, study, after.Backend) with { Series = series.Uid, Added = instances };
            }
            var removed = before.Series.Values.Where(series => !series.MadeInClient && after.FindSeries(series.Uid) is null)
                .OrderBy(series => series.Uid);
            foreach (var series in removed)
                yield return Create(ProxyEvent.SeriesRemoved, study, after.Backend) with { Series = series.Uid };
        }
        if (before.IsSeen && !after.HoldsStudy)
            yield return Create(ProxyEvent.StudyRemoved, study, after.Backend);
    }

    private static bool HasSummary(Series? series) => series is { MadeInClient: false, Summary: not null };

    private static PackedInstances? GetMetadata(Series? series) => series is { MetadataMadeInClient: false } ? series.Metadata : null;

    /// <summary>
    /// The instances that clients can see now and could not before, in the metadata of the series or in that of their own files.
    /// </summary>
    private static ImmutableArray<Uid> AddedBetween(Series? before, Series after)
    {
        var (older, newer) = (GetMetadata(before), GetMetadata(after));
        var (olderFiles, newerFiles) = (before?.FileMetadata ?? ImmutableDictionary<Uid, FileMetadata>.Empty, after.FileMetadata);
        var fromSeries = newer is null || ReferenceEquals(older, newer)
            ? []
            : newer.Uids.Where(uid => older?.Has(uid) != true && !olderFiles.ContainsKey(uid));
        if (ReferenceEquals(olderFiles, newerFiles)) return [.. fromSeries];
        var fromFiles = newerFiles.Keys.Where(uid => !olderFiles.ContainsKey(uid) && older?.Has(uid) != true && newer?.Has(uid) != true);
        return [.. fromSeries, .. fromFiles.Order()];
    }

    private static ProxyEvent Create(string name, Uid study, string backend) =>
        new(name) { Study = study, Backend = backend, MadeInClient = false };
}
