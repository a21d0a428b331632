using System.Collections.Immutable;
using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Store;

namespace Proxy.Search;

/// <summary>Makes one list of what several backends said: by UID, in the order that pages are cut from.</summary>
internal static class RowMerge
{
    /// <param name="query">What was searched for.</param>
    /// <param name="answers">What each backend said.</param>
    /// <param name="store">Knows the backend that a series belongs to, whichever rows of it match.</param>
    public static ImmutableArray<MergedRow> Merge(SearchQuery query, IEnumerable<SearchAnswer> answers, DicomMetadataStore store)
    {
        var rows = answers.SelectMany(a => a.Rows.Select(row => (a.Backend, Row: row)));
        var merged = query.Level switch
        {
            SearchLevel.Studies => MergeBy(rows, query.Key, _ => 0).Select(row => row.With(Tag.RetrieveUrl, MergedRow.RetrieveUrl(new StudyPath(row.Uid).ToString()))),
            SearchLevel.Series => MergeBy(rows, query.Key, row => -row.FindInt(Tag.NumberOfSeriesRelatedInstances) ?? 0)
                .Select(row => row.With(Tag.RetrieveUrl, MergedRow.RetrieveUrl(new SeriesPath(query.Study ?? row.Dataset.FindUid(Tag.StudyInstanceUid)!.Value, row.Uid).ToString()))),
            _ => MergeInstances(query, rows, store),
        };
        return SearchOrder.Sort(query.Level, merged);
    }

    private static IEnumerable<MergedRow> MergeBy(IEnumerable<(BackendOptions Backend, Dataset Row)> rows, Tag key, Func<Dataset, int> rank)
    {
        var byUid = new Dictionary<Uid, List<(BackendOptions Backend, Dataset Row)>>();
        foreach (var row in rows)
        {
            var uid = row.Row.FindUid(key)!.Value;
            if (!byUid.TryGetValue(uid, out var same)) byUid.Add(uid, same = new(1));
            same.Add(row);
        }
        foreach (var (uid, same) in byUid)
        {
            if (same.Count > 1) same.Sort((a, b) => (rank(a.Row), a.Backend.Preference, a.Backend.Name).CompareTo((rank(b.Row), b.Backend.Preference, b.Backend.Name)));
            yield return MergedRow.Merge(uid, [.. same.Select(r => new SourceRow(r.Backend.Name, r.Row))]);
        }
    }

    /// <summary>A series belongs to one backend: only its owner's instances can be retrieved, and only they are listed.</summary>
    private static IEnumerable<MergedRow> MergeInstances(SearchQuery query, IEnumerable<(BackendOptions Backend, Dataset Row)> rows, DicomMetadataStore store) =>
        from row in rows
        let path = new SeriesPath(query.Study ?? row.Row.FindUid(Tag.StudyInstanceUid)!.Value, query.Series ?? row.Row.FindUid(Tag.SeriesInstanceUid) ?? default)
        group row by path into series
        let owner = series.GroupBy(r => r.Backend).OrderByDescending(b => CountOf(b.Key.Name, series.Key, b.Count(), store)).ThenBy(b => b.Key.Preference).ThenBy(b => b.Key.Name, StringComparer.Ordinal).First()
        from row in owner
        let uid = row.Row.FindUid(query.Key)!.Value
        select MergedRow.Merge(uid, [new SourceRow(row.Backend.Name, row.Row)])
            .With(Tag.RetrieveUrl, MergedRow.RetrieveUrl(new InstancePath(series.Key.Study, series.Key.Series, uid).ToString()));

    /// <summary>How many instances a backend has of a series: as its list says, for a search may have found but some; else as it gave.</summary>
    private static int CountOf(string backend, SeriesPath path, int found, DicomMetadataStore store) =>
        store.GetStudy(path.Study) is { } study && study.Owners.GetValueOrDefault(path.Series) == backend
            ? int.MaxValue
            : Math.Max(found, store.GetStudy(path.Study)?.ListOf(backend).FindSeries(path.Series)?.Count ?? 0);
}
