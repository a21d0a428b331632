using System.Collections.Immutable;
using Proxy.Dicom;

namespace Proxy.Backends.Queries;

/// <summary>The attributes of a row that the standard requires, and those that the proxy needs for merging and storing it.</summary>
internal static class SearchFields
{
    /// <summary>PS3.18 Table 10.6.3-3: the attributes of a study row, if known.</summary>
    private static readonly ImmutableSortedSet<string> Study =
        ["00080020", "00080030", "00080050", "00080056", "00080061", "00080090", "00100010", "00100020", "00100030", "00100040",
        "00200010", "00201206", "00201208"];

    /// <summary>PS3.18 Table 10.6.3-4: the attributes of a series row, if known.</summary>
    private static readonly ImmutableSortedSet<string> Series = [
        "00080056", "00080060", "0008103E", "00200011", "00201209", "00400244", "00400245", "00400275"];

    /// <summary>PS3.18 Table 10.6.3-5: the attributes of an instance row, if known.</summary>
    private static readonly ImmutableSortedSet<string> Instance = [
        "00080016", "00080056", "00083002", "00200013", "00280008", "00280010", "00280011", "00280100"];

    /// <summary>The issuer distinguishes two patients with the same PatientID.</summary>
    private static readonly ImmutableSortedSet<string> StudyMore = ["00100021"];

    /// <summary>
    /// A series list answers the different series requests of all viewers, and shows whether metadata read before is still valid.
    /// </summary>
    private static readonly ImmutableSortedSet<string> SeriesMore = ["00080021", "00080031", "00081030", "00100021"];

    /// <summary>Attributes of a series that a study row cannot contain (PS3.18 §10.6.3.3.1), though viewers request them.</summary>
    private static readonly ImmutableSortedSet<string> SeriesOnly =
        Series.Union(["00080021", "00080031", "00180015", "0020000E"]).Except(Study);

    /// <summary>Attributes of an instance that the row of a series or study cannot contain.</summary>
    private static readonly ImmutableSortedSet<string> InstanceOnly = Instance.Union(["00080018"]).Except(Series);

    private static readonly ImmutableSortedSet<string> BelowStudies = SeriesOnly.Union(InstanceOnly);

    /// <summary>Attributes of a study or its patient that searches match (PS3.18 Table 10.6.1-5), and others that viewers use.</summary>
    private static readonly ImmutableSortedSet<string> StudyKeys =
        Study.Union(["00080201", "00081030", "00081032", "00081060", "00100021", "00100032", "00101000", "00101002", "0020000D"])
            .Except(["00080056"]);

    private static readonly ImmutableArray<(Tag, string)> RequiredOfStudies =
    [
        (Tag.StudyDate, "DA"), (Tag.StudyTime, "TM"), (new(0x00080050), "SH"), (Tag.ModalitiesInStudy, "CS"), (new(0x00080090), "PN"),
        (Tag.PatientName, "PN"), (Tag.PatientId, "LO"), (Tag.PatientBirthDate, "DA"), (new(0x00100040), "CS"), (new(0x00200010), "SH"),
        (Tag.NumberOfStudyRelatedSeries, "IS"), (Tag.NumberOfStudyRelatedInstances, "IS"),
    ];

    private static readonly ImmutableArray<(Tag, string)> RequiredOfSeries =
        [(Tag.Modality, "CS"), (Tag.SeriesNumber, "IS"), (Tag.NumberOfSeriesRelatedInstances, "IS")];

    private static readonly ImmutableArray<(Tag, string)> RequiredOfInstances = [(new(0x00080016), "UI"), (Tag.InstanceNumber, "IS")];

    /// <summary>
    /// The attributes that every row has, empty when they are unknown (PS3.18 Tables 10.6.3-3 to 10.6.3-5). A row of one study need not
    /// repeat its attributes.
    /// </summary>
    public static IEnumerable<(Tag Tag, string Vr)> GetRequired(SearchLevel level, bool isOfOneStudy) => (level, isOfOneStudy) switch
    {
        (SearchLevel.Studies, _) => RequiredOfStudies,
        (SearchLevel.Series, true) => RequiredOfSeries,
        (SearchLevel.Series, false) => [.. RequiredOfStudies, .. RequiredOfSeries],
        (_, true) => RequiredOfInstances,
        _ => [.. RequiredOfStudies, .. RequiredOfSeries, .. RequiredOfInstances],
    };

    /// <summary>Known attributes of the levels below: a row does not contain them (PS3.18 §10.6.3.3.1, §10.6.3.3.2).</summary>
    public static ImmutableSortedSet<string> GetLower(SearchLevel level) => level switch
    {
        SearchLevel.Studies => BelowStudies,
        SearchLevel.Series => InstanceOnly,
        _ => [],
    };

    /// <summary>True for the path of an attribute that studies are searched by.</summary>
    public static bool IsOfStudy(string path) => StudyKeys.Contains(path.Split('.')[0]);

    /// <summary>True for the path of an attribute of a series.</summary>
    public static bool IsOfSeries(string path) => SeriesOnly.Contains(path.Split('.')[0]);

    /// <summary>The attributes requested in every search, independent of the client's list.</summary>
    public static ImmutableSortedSet<string> GetRequested(SearchLevel level, bool isOfOneStudy) => (level, isOfOneStudy) switch
    {
        (SearchLevel.Studies, _) => AlwaysOfStudies,
        (SearchLevel.Series, _) => AlwaysOfSeries,
        (_, true) => Instance,
        _ => AlwaysOfInstances,
    };

    /// <summary>The attributes that only the proxy needs; they are removed from rows unless the client requested them.</summary>
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
