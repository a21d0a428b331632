using Proxy.Cache.InMemory;
using Proxy.Cache.OnDisk;
using Proxy.Dicom;
using Proxy.Metadata;

namespace Proxy.Cache;

/// <summary>Finds the studies of a patient in this process: those of its metadata, and bodies of studies without metadata.</summary>
/// <param name="store">The metadata.</param>
/// <param name="memory">The bodies in memory.</param>
/// <param name="disk">The bodies on disk.</param>
internal sealed class PatientStudies(DicomMetadataStore store, MemoryTier memory, DiskTier disk)
{
    /// <summary>Finds the studies of a patient, and those whose patient the store does not know: they may be the patient's.</summary>
    /// <param name="isPatient">True for the Patient ID (0010,0020), without spaces around it and without regard to its issuer.</param>
    /// <param name="cancellation">Cancelled when the operator disconnects.</param>
    public async Task<IReadOnlySet<Uid>> FindAsync(Func<string, bool> isPatient, CancellationToken cancellation)
    {
        var (studies, others) = (new HashSet<Uid>(), new HashSet<string>(StringComparer.Ordinal));
        await foreach (var study in store.ReadStudiesAsync(cancellation))
        {
            var ids = FindPatientIds(study).ToHashSet(StringComparer.Ordinal);
            if (ids.Count == 0 || ids.Any(isPatient)) studies.Add(study.Uid);
            else others.Add(study.Uid.ToString());
        }
        foreach (var text in disk.Writer.Studies.Concat(memory.ReadAll().Select(found => found.Key.Study.ToString())))
        {
            if (!others.Contains(text) && Uid.TryParse(text, out var uid)) studies.Add(uid);
        }
        return studies;
    }

    private static IEnumerable<string> FindPatientIds(Study study) =>
        from list in study.SeriesLists.Values
        from dataset in list.Series.Values.Select(series => series.MetadataSummary ?? series.Summary).Append(list.StudyRow)
        let id = dataset?.FindString(Tag.PatientId)?.Trim()
        where id is { Length: > 0 }
        select id;
}
