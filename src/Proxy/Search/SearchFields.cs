using System.Collections.Immutable;

namespace Proxy.Search;

/// <summary>Which attributes a row has: by the standard, and for merging and keeping it.</summary>
internal static class SearchFields
{
    /// <summary>PS3.18 Table 10.6.3-3: a study's row has them unless they are unknown.</summary>
    private static readonly ImmutableSortedSet<string> Study =
        ["00080020", "00080030", "00080050", "00080056", "00080061", "00080090", "00100010", "00100020", "00100030", "00100040",
        "00200010", "00201206", "00201208"];

    /// <summary>PS3.18 Table 10.6.3-4: a series' row has them unless they are unknown.</summary>
    private static readonly ImmutableSortedSet<string> Series = [
        "00080056", "00080060", "0008103E", "00200011", "00201209", "00400244", "00400245", "00400275"];

    /// <summary>PS3.18 Table 10.6.3-5: an instance's row has them unless they are unknown.</summary>
    private static readonly ImmutableSortedSet<string> Instance = [
        "00080016", "00080056", "00200013", "00280008", "00280010", "00280011", "00280100"];

    /// <summary>The issuer tells apart two patients of one PatientID.</summary>
    private static readonly ImmutableSortedSet<string> StudyMore = ["00100021"];

    /// <summary>
    /// A series list answers every viewer's way to ask for it, and tells whether metadata that was read before still holds.
    /// </summary>
    private static readonly ImmutableSortedSet<string> SeriesMore = ["00080021", "00080031", "00081030", "00100021"];

    /// <summary>Attributes of a series that a study's row has no place for (PS3.18 §10.6.3.3.1), though viewers ask for them.</summary>
    public static readonly ImmutableSortedSet<string> OfSeriesAlone = Series.Union(["00080021", "00080031", "00180015"]).Except(Study);

    /// <summary>Asked for in every search, whatever the client names.</summary>
    public static ImmutableSortedSet<string> AskedFor(SearchLevel level, bool isOfOneStudy) => (level, isOfOneStudy) switch
    {
        (SearchLevel.Studies, _) => AlwaysOfStudies,
        (SearchLevel.Series, _) => AlwaysOfSeries,
        (_, true) => Instance,
        _ => AlwaysOfInstances,
    };

    /// <summary>Asked for by the proxy alone: they leave a row again unless the client named them.</summary>
    public static ImmutableSortedSet<string> GetOwnFields(SearchLevel level) => level switch
    {
        SearchLevel.Studies => StudyMore,
        SearchLevel.Series => SeriesMore,
        _ => [],
    };

    private static readonly ImmutableSortedSet<string> AlwaysOfStudies = Study.Union(StudyMore);
    private static readonly ImmutableSortedSet<string> AlwaysOfSeries = Study.Union(Series).Union(SeriesMore);
    private static readonly ImmutableSortedSet<string> AlwaysOfInstances = Study.Union(Series).Union(Instance);
}
