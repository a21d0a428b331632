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
        SearchLevel.Studies => (row.FindString(Tag.StudyDate) ?? "", row.FindString(Tag.StudyTime) ?? "", "", 0),
        SearchLevel.Series => (row.FindString(Tag.StudyDate) ?? "", row.FindString(Tag.StudyTime) ?? "",
            row.FindString(Tag.StudyInstanceUid) ?? "", row.FindInt(Tag.SeriesNumber) ?? int.MaxValue),
        _ => ("", "", $"{row.FindString(Tag.StudyInstanceUid)} {row.FindString(Tag.SeriesInstanceUid)}", row.FindInt(Tag.InstanceNumber) ?? int.MaxValue),
    };
}
