using System.Collections.Immutable;
using Proxy.Dicom;

namespace Proxy.Search;

/// <summary>The order of a merged list: total, so that a page never depends on how a backend sorts (PS3.18 §8.3.4.4).</summary>
public static class SearchOrder
{
    /// <summary>Newest study first; inside a study by series number; inside a series by instance number; then by UID.</summary>
    public static ImmutableArray<MergedRow> Sort(SearchLevel level, IEnumerable<MergedRow> rows)
    {
        var keyed = rows.Select(row => (Row: row, Key: KeyOf(level, row)));
        return [.. keyed.OrderByDescending(r => r.Key.Date, StringComparer.Ordinal).ThenByDescending(r => r.Key.Time, StringComparer.Ordinal)
            .ThenBy(r => r.Key.Parent, StringComparer.Ordinal).ThenBy(r => r.Key.Number).ThenBy(r => r.Row.Uid).Select(r => r.Row)];
    }

    private static (string Date, string Time, string Parent, int Number) KeyOf(SearchLevel level, MergedRow row) => level switch
    {
        SearchLevel.Studies => (row.Dataset.FindString(Tag.StudyDate) ?? "", row.Dataset.FindString(Tag.StudyTime) ?? "", "", 0),
        SearchLevel.Series => (row.Dataset.FindString(Tag.StudyDate) ?? "", row.Dataset.FindString(Tag.StudyTime) ?? "",
            row.Dataset.FindString(Tag.StudyInstanceUid) ?? "", row.Dataset.FindInt(Tag.SeriesNumber) ?? int.MaxValue),
        _ => ("", "", $"{row.Dataset.FindString(Tag.StudyInstanceUid)} {row.Dataset.FindString(Tag.SeriesInstanceUid)}", row.Dataset.FindInt(Tag.InstanceNumber) ?? int.MaxValue),
    };
}
