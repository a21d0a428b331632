namespace Proxy.Integration;

/// <summary>
/// Two archives that disagree: both hold Adler's study, but different parts of it. Each series that changes during a test
/// has its own study.
/// <code>
///                        east                           west
/// Adler   2023           begun (6), only here (2)       begun (4 of the 6), went on (3)
///         2019 prior     CT (1)
///         2017 prior                                    CT (1)
/// Becker  2022           growing (2, of 5 that come)
/// Doe     2021           doomed (2), lost (1), staying (1)
/// Şahin   2020           misnamed (2)
/// </code>
/// </summary>
public static class Overlap
{
    public static readonly Study Split = new("overlap-split", Archives.Adler, "20230607", "Copied in part");
    public static readonly Study EastPrior = new("overlap-east", Archives.Adler, "20190930", "Prior in the east");
    public static readonly Study WestPrior = new("overlap-west", Archives.Adler, "20170504", "Prior in the west");
    public static readonly Study Grown = new("overlap-grown", Archives.Becker, "20220110", "Still being scanned");
    public static readonly Study Cleared = new("overlap-cleared", Archives.Doe, "20210220", "Cleared in part");
    public static readonly Study Corrected = new("overlap-corrected", Archives.Sahin, "20200330", "Under a wrong name");

    /// <summary>On both: the east has the whole series, the west the first <see cref="InWest"/> instances.</summary>
    public static readonly Series Begun = new(Split, "begun", 1, "Begun in the east", new CtSlice(128), 6);

    public static readonly Series OnlyEast = new(Split, "only-east", 2, "Never copied", new CtSlice(128), 2);
    public static readonly Series OnlyWest = new(Split, "only-west", 3, "Went on in the west", new CtSlice(128), 3);
    public static readonly Series OldEast = new(EastPrior, "axial", 1, "Axial", new CtSlice(128), 1);
    public static readonly Series OldWest = new(WestPrior, "axial", 1, "Axial", new CtSlice(128), 1);
    public static readonly Series Growing = new(Grown, "growing", 1, "Growing", new CtSlice(128), 5);
    public static readonly Series Doomed = new(Cleared, "doomed", 1, "Deleted later", new CtSlice(128), 2);
    public static readonly Series Lost = new(Cleared, "lost", 2, "Deleted later too", new CtSlice(128), 1);
    public static readonly Series Staying = new(Cleared, "staying", 3, "Never deleted", new CtSlice(128), 1);
    public static readonly Series Misnamed = new(Corrected, "misnamed", 1, "Under a wrong name", new CtSlice(128), 2);

    /// <summary>The number of instances of a series in that archive at the start.</summary>
    public const int InWest = 4, BeforeGrowing = 2;

    public const string RightName = "Right^Name";

    /// <summary>The same instances, by their UIDs, under the patient's right name.</summary>
    public static readonly Series Renamed = Misnamed with
    {
        Study = Corrected with { Patient = Archives.Sahin with { Name = RightName } },
    };

    public static IEnumerable<Instance> East =>
    [
        .. new[] { Begun, OnlyEast, OldEast, Doomed, Lost, Staying, Misnamed }.SelectMany(s => s.Instances),
        .. Growing.Instances.Take(BeforeGrowing),
    ];

    public static IEnumerable<Instance> West =>
        [.. Begun.Instances.Take(InWest), .. OnlyWest.Instances, .. OldWest.Instances];
}
