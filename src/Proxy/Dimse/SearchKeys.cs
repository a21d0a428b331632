using Proxy.Backends.Queries;
using Proxy.Dicom;
using Proxy.Dimse.Protocol;

namespace Proxy.Dimse;

/// <summary>Translates a QIDO-RS search into the keys of a C-FIND of the hierarchical model (PS3.4 §C.4.1.2, §C.6.2.1).</summary>
/// <remarks>
/// The identifier of a level contains the unique keys of the levels above and keys of its own level. Keys that C-FIND cannot express are
/// sent without a value; the proxy matches every key again.
/// </remarks>
internal static class SearchKeys
{
    private static readonly Tag QueryRetrieveLevel = new(0x00080052);

    /// <summary>Further attributes for <c>includefield=all</c>: C-FIND knows no such key.</summary>
    private static readonly string[] MoreOfStudies =
        ["00081030", "00081032", "00081060", "00100032", "00101010", "00101020", "00101030", "00102160", "00104000"];

    private static readonly string[] MoreOfSeries =
        ["00080021", "00080031", "00080070", "00080080", "00081010", "00081070", "00081090", "00180015", "00181030", "00204000"];

    private static readonly string[] MoreOfInstances =
        ["00080008", "00080012", "00080013", "00080023", "00080033", "00080070", "00204000", "00280004", "00280101", "00280103"];

    /// <summary>The keys of the search at its own level.</summary>
    public static Identifier Create(SearchQuery query)
    {
        var keys = StartLevel(query.Level switch
        {
            SearchLevel.Studies => "STUDY",
            SearchLevel.Series => "SERIES",
            _ => "IMAGE",
        });
        AddFields(keys, query);
        if (query.Study is { } study) keys.Set(Tag.StudyInstanceUid, study.ToString());
        if (query.Series is { } series) keys.Set(Tag.SeriesInstanceUid, series.ToString());
        keys.Set(query.Key, "");
        foreach (var (path, (_, value)) in query.Matches)
        {
            if (IsOfLevel(path, query.Level) || path == query.Key.ToString()) keys.SetPath(path, Translate(path, value));
        }
        return keys;
    }

    /// <summary>The keys of the study of a search within it, for the attributes of its level.</summary>
    public static Identifier CreateForStudy(SearchQuery query)
    {
        var keys = StartLevel("STUDY");
        foreach (var path in query.RequestedTags.Where(SearchFields.IsOfStudy)) keys.SetPath(path, "");
        keys.Set(Tag.StudyInstanceUid, query.Study.ToString()!);
        return keys;
    }

    /// <summary>The keys for the series of a study, or the instances of a series or one of them, to count them.</summary>
    public static Identifier CreateForCount(Uid study, Uid? series, Uid? instance = null)
    {
        var keys = StartLevel(series is null ? "SERIES" : "IMAGE");
        keys.Set(Tag.StudyInstanceUid, study.ToString());
        keys.Set(Tag.SeriesInstanceUid, series?.ToString() ?? "");
        if (series is not null)
        {
            keys.Set(Tag.SopInstanceUid, instance?.ToString() ?? "");
            keys.Set(new(0x00080016), "");
            keys.Set(Tag.InstanceNumber, "");
            return keys;
        }
        keys.Set(Tag.Modality, "");
        keys.Set(Tag.NumberOfSeriesRelatedInstances, "");
        return keys;
    }

    /// <summary>What a C-GET retrieves: a series, or instances of it.</summary>
    public static Identifier CreateForRetrieval(SeriesPath path, IReadOnlyCollection<Uid>? instances)
    {
        var keys = StartLevel(instances is null ? "SERIES" : "IMAGE");
        keys.Set(Tag.StudyInstanceUid, path.Study.ToString());
        keys.Set(Tag.SeriesInstanceUid, path.Series.ToString());
        if (instances is not null) keys.Set(Tag.SopInstanceUid, string.Join('\\', instances));
        return keys;
    }

    private static Identifier StartLevel(string level)
    {
        var keys = new Identifier();
        keys.Set(QueryRetrieveLevel, level);
        return keys;
    }

    private static void AddFields(Identifier keys, SearchQuery query)
    {
        var more = !query.IncludesAll ? [] : query.Level switch
        {
            SearchLevel.Studies => MoreOfStudies,
            SearchLevel.Series => MoreOfSeries,
            _ => MoreOfInstances,
        };
        foreach (var path in query.RequestedTags.Concat(more).Where(path => IsOfLevel(path, query.Level))) keys.SetPath(path, "");
    }

    private static bool IsOfLevel(string path, SearchLevel level) =>
        path != SearchQuery.TimezoneOffset
        && (level == SearchLevel.Studies
            ? !SearchFields.GetLower(level).Contains(path.Split('.')[0])
            : !SearchFields.IsOfStudy(path) && (level == SearchLevel.Series || !SearchFields.IsOfSeries(path)));

    /// <summary>The value of a key in C-FIND: only UIDs have lists, and an empty value is no value to match.</summary>
    private static string Translate(string path, string value)
    {
        if (value == "\"\"" || value.Length > 1024 && !path.EndsWith("000D", StringComparison.Ordinal)) return "";
        var last = path.Split('.')[^1];
        if (!Tag.TryParse(last, out var tag)) return "";
        var isUid = DataDictionary.FindVr(tag) == (('U' << 8) | 'I');
        if (isUid) return value.Replace(',', '\\');
        // A list in another key matches as one text, so that it finds nothing.
        return value.Contains('\\', StringComparison.Ordinal) || value.Contains(',', StringComparison.Ordinal) && IsCode(tag) ? "" : value;
    }

    private static bool IsCode(Tag tag) => DataDictionary.FindVr(tag) == (('C' << 8) | 'S');
}
