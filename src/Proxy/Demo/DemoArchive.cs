using System.Collections.Immutable;
using Proxy.Demo.Modalities;
using Proxy.Demo.Phantoms;

namespace Proxy.Demo;

/// <summary>The studies of one demo PACS. They are always the same; pixel data is generated on request.</summary>
/// <remarks>
/// <code>
///                      East                          West
/// chest-ct             topogram, axial               .                       Müller-Lüdenscheidt
/// chest-ct-prior       .                             axial                   the same patient, two years before
/// head-mr              t1, t2, flair                 .                       Yamada
/// head-mr-prior        .                             t1, flair               the same patient, a year before
/// staging              lung, soft (24), chest        soft (16), brain        one study on both, and one series too
/// chest-cr             chest                         .
/// heart-us             cine                          .
/// chest-cr-west        .                             chest                   a Greek name
/// </code>
/// </remarks>
public sealed class DemoArchive
{
    private const string Site = "Demo Hospital";

    private static readonly (double, double, string) Lung = (-550, 1500, "LUNG");
    private static readonly (double, double, string) Soft = (40, 400, "SOFT TISSUE");

    private static readonly DemoDataset Mueller = Patient("Müller-Lüdenscheidt^Jürgen", "DEMO-0001", "19480611", "M");
    private static readonly DemoDataset Yamada = Patient("Yamada^Tarou=山田^太郎=やまだ^たろう", "DEMO-0002", "19790304", "M");
    private static readonly DemoDataset Okafor = Patient("Okafor^Adaeze", "DEMO-0003", "19900922", "F");
    private static readonly DemoDataset Lindqvist = Patient("Lindqvist^Åsa^Maria", "DEMO-0004", "19630117", "F");
    private static readonly DemoDataset Tremblay = Patient("Tremblay^Noël", "DEMO-0005", "19550508", "M");
    private static readonly DemoDataset Papadopoulos = Patient("Papadopoulos^Giorgos=Παπαδόπουλος^Γιώργος", "DEMO-0006", "19710830", "M");

    private DemoArchive(params ImmutableArray<DemoStudy> studies) => Studies = studies;

    /// <summary>The archive of the PACS <c>east</c>.</summary>
    public static DemoArchive East { get; } = new(
        Study("chest-ct", Mueller, "20250918", "101500", "E25-1001", "CT Chest with contrast", at =>
        [
            CtSeries.Topogram(at("topogram", 1, "Topogram")),
            CtSeries.Axial(at("axial", 2, "Chest 5.0 mm"), 60, "B30f", Soft, new ChestCt(11, 110, 1000)),
        ]),
        Study("head-mr", Yamada, "20250611", "083000", "E25-0702", "MR Brain", at =>
        [
            MrSeries.T1(at("t1", 1, "T1 axial"), 20, 6),
            MrSeries.T2(at("t2", 2, "T2 axial"), 20, 6),
            MrSeries.Flair(at("flair", 3, "FLAIR axial"), 20, 6),
        ]),
        Study("staging", Lindqvist, "20250227", "140500", "S25-0033", "Oncology staging", at =>
        [
            CtSeries.Axial(at("lung", 1, "Lung 10 mm"), 30, "B70f", Lung, new ChestCt(14, 260, 2000)),
            StagingSoft(at, held: 24),
            CrSeries.Chest(at("chest", 3, "Chest PA"), 41, inverted: false, views: 1),
        ]),
        Study("chest-cr", Okafor, "20241105", "161200", "E24-2210", "Chest 2 views", at =>
        [
            CrSeries.Chest(at("chest", 1, "Chest PA and lateral"), 42, inverted: true, views: 2),
        ]),
        Study("heart-us", Tremblay, "20230316", "093000", "E23-0415", "Echocardiography", at =>
        [
            UsSeries.Heart(at("cine", 1, "Apical four chamber")),
        ]));

    /// <summary>The archive of the PACS <c>west</c>.</summary>
    public static DemoArchive West { get; } = new(
        Study("staging", Lindqvist, "20250227", "140500", "S25-0033", "Oncology staging", at =>
        [
            StagingSoft(at, held: 16),
            MrSeries.T1(at("brain", 4, "Brain T1 axial"), 20, 1),
        ]),
        Study("head-mr-prior", Yamada, "20240520", "113000", "W24-0519", "MR Brain", at =>
        [
            MrSeries.T1(at("t1", 1, "T1 axial"), 20, 3),
            MrSeries.Flair(at("flair", 2, "FLAIR axial"), 20, 3),
        ]),
        Study("chest-ct-prior", Mueller, "20230904", "090000", "W23-0807", "CT Chest with contrast", at =>
        [
            CtSeries.Axial(at("axial", 1, "Chest 7.5 mm"), 40, "B30f", Soft, new ChestCt(6, 130, 3000)),
        ]),
        Study("chest-cr-west", Papadopoulos, "20220119", "152500", "W22-0101", "Chest 2 views", at =>
        [
            CrSeries.Chest(at("chest", 1, "Chest PA and lateral"), 43, inverted: false, views: 2),
        ]));

    /// <summary>One study of a few small instances.</summary>
    public static DemoArchive Small { get; } = new(
        Study("small-mr", Yamada, "20250611", "083000", "S25-0001", "MR Brain", at => [MrSeries.T1(at("t1", 1, "T1 axial"), 8, 1)]));

    /// <summary>The studies, latest first.</summary>
    public IReadOnlyList<DemoStudy> Studies { get; }

    // Both PACS hold this series; West lacks the last instances, as after an incomplete transfer.
    private static DemoSeries StagingSoft(Func<string, int, string, SeriesPlan> at, int held) =>
        CtSeries.Axial(at("soft", 2, "Soft tissue 12.5 mm"), 24, "B30f", Soft, new ChestCt(14, 90, 2500), held);

    /// <summary>Creates a study.</summary>
    /// <param name="key">The key that determines its UID.</param>
    /// <param name="patient">The patient's attributes.</param>
    /// <param name="date">The date of the study and its series, YYYYMMDD.</param>
    /// <param name="time">The time of the study and its series, HHMMSS.</param>
    /// <param name="accession">Accession number; its last four characters are the study ID.</param>
    /// <param name="description">Study description.</param>
    /// <param name="series">Creates the series; its argument plans a series from a key, number and description.</param>
    private static DemoStudy Study(
        string key,
        DemoDataset patient,
        string date,
        string time,
        string accession,
        string description,
        Func<Func<string, int, string, SeriesPlan>, DemoSeries[]> series)
    {
        var uid = DemoUid.Create(key);
        return new DemoStudy(uid, DemoDataset.Union(patient, new DemoDataset
        {
            { "SpecificCharacterSet", "ISO_IR 192" },
            { "StudyDate", date },
            { "StudyTime", time },
            { "AccessionNumber", accession },
            { "ReferringPhysicianName", "Weiß^Hanna^^Dr." },
            { "StudyDescription", description },
            { "TimezoneOffsetFromUTC", "+0000" },
            { "StudyInstanceUID", uid },
            { "StudyID", accession[^4..] },
        }), [.. series((name, number, title) => new SeriesPlan(key, name, number, title, Site, date, time))]);
    }

    private static DemoDataset Patient(string name, string id, string birth, string sex) => new()
    {
        { "PatientName", name },
        { "PatientID", id },
        { "IssuerOfPatientID", "DEMO-REGION" },
        { "PatientBirthDate", birth },
        { "PatientSex", sex },
    };
}
