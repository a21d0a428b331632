namespace Proxy.Integration;

/// <summary>
/// The studies of two hospitals, east and west. They share a patient (Adler has studies on both) and a study (Becker's began
/// in the east, was copied in part, and continued in the west).
/// <code>
///                      east                     west
/// Adler    2019                                 CR, prior
///          2021        CT, prior
///          2024        CT: topogram, 40 slices
/// Becker   2023        s1 (5), s2 (6)           s2 (6, the same), s3 (7)
/// Şahin    2022        MR: T1 (12), T2 (12)
/// 山田      2024                                 US, 6 frames in colour
/// Doe      2020                                 PDF
/// </code>
/// </summary>
public static class Archives
{
    public static readonly Patient Adler = new("ADL-1", "Adler^Berta", "19560203", "F");
    public static readonly Patient Becker = new("BEC-2", "Becker^Carl", "19480714", "M");
    public static readonly Patient Sahin = new("SAH-3", "Şahin^Ümit", "19900521", "M");
    public static readonly Patient Yamada = new("YAM-4", "Yamada^Tarou=山田^太郎", "19751130", "M");
    public static readonly Patient Doe = new("DOE-5", "Doe^Jane", "19820101", "F");

    public static readonly Study Ct = new("ct", Adler, "20240311", "Chest CT");
    public static readonly Study PriorCt = new("prior-ct", Adler, "20210218", "Chest CT low dose");
    public static readonly Study PriorCr = new("prior-cr", Adler, "20190930", "Chest radiograph");
    public static readonly Study Shared = new("shared", Becker, "20230607", "Chest CT in two places");
    public static readonly Study Mr = new("mr", Sahin, "20220405", "Head MR");
    public static readonly Study Us = new("us", Yamada, "20240120", "Heart ultrasound");
    public static readonly Study Report = new("report", Doe, "20200815", "Discharge letter");

    public static readonly Series Overview = new(Ct, "topogram", 1, "Topogram", new Topogram(), 1);
    public static readonly Series Axial = new(Ct, "axial", 2, "Axial 2.5 mm", new CtSlice(512), 40);
    public static readonly Series OldAxial = new(PriorCt, "axial", 1, "Axial", new CtSlice(128), 4);
    public static readonly Series Chest = new(PriorCr, "pa", 1, "PA", new Radiograph(), 1);
    public static readonly Series OnlyEast = new(Shared, "s1", 1, "Begun here", new CtSlice(128), 5);
    public static readonly Series OnBoth = new(Shared, "s2", 2, "Copied", new CtSlice(128), 6);
    public static readonly Series OnlyWest = new(Shared, "s3", 3, "Went on there", new CtSlice(128), 7);
    public static readonly Series T1 = new(Mr, "t1", 1, "T1", new MrSlice(fluidIsBright: false), 12);
    public static readonly Series T2 = new(Mr, "t2", 2, "T2", new MrSlice(fluidIsBright: true), 12);
    public static readonly Series Clip = new(Us, "clip", 1, "Four chambers", new Cine(), 1);
    public static readonly Series Letter = new(Report, "letter", 1, "Letter", new Document(), 1);

    public static readonly Series[] East = [Overview, Axial, OldAxial, OnlyEast, OnBoth, T1, T2];
    public static readonly Series[] West = [Chest, OnBoth, OnlyWest, Clip, Letter];

    public static IEnumerable<Series> All => East.Union(West);

    public static IEnumerable<Study> Studies => All.Select(s => s.Study).Distinct();

    public static IEnumerable<Series> Find(Study study) => All.Where(s => s.Study == study);

    /// <summary>Whether tests ask the east for a series; true for a series on both.</summary>
    public static bool IsEast(Series series) => East.Contains(series);
}
