using System.Globalization;
using Proxy.Dicom;
using Proxy.Wire;

namespace Proxy.Rights;

/// <summary>What access rules know about a study: attributes of its row in one backend.</summary>
/// <param name="PatientId">Patient ID (0010,0020); empty for none.</param>
/// <param name="Modalities">Modalities in Study (0008,0061).</param>
/// <param name="Institutions">Institution Name (0008,0080).</param>
/// <param name="ReferringPhysicians">The alphabetic parts of Referring Physician's Name (0008,0090).</param>
/// <param name="Date">Study Date (0008,0020); null for none.</param>
public sealed record StudyTraits(
    string PatientId, IReadOnlyList<string> Modalities, IReadOnlyList<string> Institutions, IReadOnlyList<string> ReferringPhysicians,
    DateOnly? Date)
{
    /// <summary>A row of no study: to judge it takes as long as to judge a stored one.</summary>
    private static readonly Dataset Sample = DicomJsonReader.ReadStored(
        """
        {"00080020":{"vr":"DA","Value":["19000101"]},"00080061":{"vr":"CS","Value":["OT"]},
        "00080090":{"vr":"PN","Value":[{"Alphabetic":"NONE"}]},"00100020":{"vr":"LO","Value":["NONE"]}}
        """u8);

    /// <summary>Institution Name, which a search returns only on request.</summary>
    public static readonly Tag InstitutionName = new(0x00080080);

    private static readonly Tag ReferringPhysicianName = new(0x00080090);

    /// <summary>Reads the traits from a row of a search for studies.</summary>
    public static StudyTraits Create(Dataset row) => new(
        row.FindString(Tag.PatientId)?.Trim() ?? "", Read(row, Tag.ModalitiesInStudy), Read(row, InstitutionName),
        Read(row, ReferringPhysicianName),
        DateOnly.TryParseExact(row.FindString(Tag.StudyDate), "yyyyMMdd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var date)
            ? date
            : null);

    /// <summary>The traits of no study; to read them takes as long as to read those of a stored one.</summary>
    public static StudyTraits CreateSample() => Create(Sample);

    private static List<string> Read(Dataset row, Tag tag) => [.. row.FindStrings(tag).OfType<string>().Select(value => value.Trim())];
}
