using System.Collections.Immutable;
using Proxy.Dicom;

namespace Proxy.Prefetch.Planning;

/// <summary>What one backend's row says of a study and its patient.</summary>
/// <param name="Study">The study.</param>
/// <param name="Backend">Who says it.</param>
/// <param name="PatientId">Empty for none.</param>
/// <param name="Issuer">Who gave out the Patient ID; empty when that is not said.</param>
/// <param name="Date">As DICOM writes it, so that the later one is the greater (PS3.5 §6.2); empty for none.</param>
/// <param name="Modalities">Of its series.</param>
public sealed record StudyFacts(Uid Study, string Backend, string PatientId, string Issuer, string Date, ImmutableArray<string> Modalities)
{
    public static StudyFacts Create(Uid study, string backend, Dataset row) => new(
        study, backend, row.FindString(Tag.PatientId)?.Trim() ?? "", row.FindString(Tag.IssuerOfPatientId)?.Trim()
            ?? "", row.FindString(Tag.StudyDate) ?? "",
        [.. row.FindStrings(Tag.ModalitiesInStudy).OfType<string>()]);

    /// <summary>
    /// One patient: the same Patient ID of the same issuer, or of one backend where neither row names an issuer. Equal
    /// IDs of two hospitals are not one patient.
    /// </summary>
    public bool HasSamePatient(StudyFacts other) =>
        PatientId.Length > 0 && PatientId == other.PatientId && Issuer == other.Issuer && (Issuer.Length > 0 || Backend == other.Backend);
}
