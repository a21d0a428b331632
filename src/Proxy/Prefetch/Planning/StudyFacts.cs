using System.Collections.Immutable;
using Proxy.Dicom;

namespace Proxy.Prefetch.Planning;

/// <summary>A study and its patient as one backend's search row describes them.</summary>
/// <param name="Study">The study.</param>
/// <param name="Backend">The backend of the row.</param>
/// <param name="PatientId">The Patient ID; empty for none.</param>
/// <param name="Issuer">The Issuer of Patient ID; empty for none.</param>
/// <param name="Date">The Study Date as DICOM writes it, which sorts by time (PS3.5 §6.2); empty for none.</param>
/// <param name="Modalities">The modalities of its series.</param>
public sealed record StudyFacts(Uid Study, string Backend, string PatientId, string Issuer, string Date, ImmutableArray<string> Modalities)
{
    /// <summary>Reads the facts from a search row.</summary>
    public static StudyFacts Create(Uid study, string backend, Dataset row) => new(
        study,
        backend,
        row.FindString(Tag.PatientId)?.Trim() ?? "",
        row.FindString(Tag.IssuerOfPatientId)?.Trim() ?? "",
        row.FindString(Tag.StudyDate) ?? "",
        [.. row.FindStrings(Tag.ModalitiesInStudy).OfType<string>()]);

    /// <summary>
    /// Whether both studies are of one patient: the same Patient ID and issuer, or the same backend if neither row has an issuer.
    /// Equal IDs of two hospitals do not identify one patient.
    /// </summary>
    public bool HasSamePatient(StudyFacts other) =>
        PatientId.Length > 0 && PatientId == other.PatientId && Issuer == other.Issuer && (Issuer.Length > 0 || Backend == other.Backend);
}
