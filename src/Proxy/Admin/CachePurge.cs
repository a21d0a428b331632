using Proxy.Cache;
using Proxy.Cache.InMemory;
using Proxy.Cache.OnDisk;
using Proxy.Dicom;
using Proxy.Metadata;
using Proxy.Prefetch.Jobs;

namespace Proxy.Admin;

/// <summary>Deletes data for an operator: metadata, bodies and jobs, in memory and on disk, so that no byte of it is left.</summary>
/// <remarks>Each member returns false when the disk cannot be changed now; the data is not served any more, and is deleted later.</remarks>
internal sealed class CachePurge(
    StudyInvalidation invalidation, DicomMetadataStore store, MemoryTier memory, DiskTier disk, JobRegistry jobs, JobPersistence jobFile)
{
    /// <summary>Deletes everything.</summary>
    public async Task<bool> PurgeAllAsync(CancellationToken cancellation)
    {
        jobs.Purge(studies: null);
        return await jobFile.SaveAsync(cancellation) & await invalidation.PurgeAsync(study: null);
    }

    /// <summary>Deletes one study of all backends.</summary>
    public async Task<bool> PurgeStudyAsync(Uid study, CancellationToken cancellation)
    {
        jobs.Purge(new HashSet<Uid> { study });
        return await jobFile.SaveAsync(cancellation) & await invalidation.PurgeAsync(study);
    }

    /// <summary>
    /// Deletes the studies of a patient, and those whose patient the store does not know: they may be the patient's.
    /// </summary>
    /// <param name="patientId">The Patient ID (0010,0020), without regard to its issuer.</param>
    /// <param name="cancellation">Cancelled when the operator disconnects.</param>
    public async Task<bool> PurgePatientAsync(string patientId, CancellationToken cancellation)
    {
        var (studies, others) = (new HashSet<Uid>(), new HashSet<string>(StringComparer.Ordinal));
        await foreach (var study in store.ReadStudiesAsync(cancellation))
        {
            var ids = FindPatientIds(study).ToHashSet(StringComparer.Ordinal);
            if (ids.Count == 0 || ids.Contains(patientId.Trim())) studies.Add(study.Uid);
            else others.Add(study.Uid.ToString());
        }
        foreach (var text in disk.Writer.Studies.Concat(memory.ReadAll().Select(found => found.Key.Study.ToString())))
        {
            if (!others.Contains(text) && Uid.TryParse(text, out var uid)) studies.Add(uid);
        }
        jobs.Purge(studies);
        var isDeleted = await jobFile.SaveAsync(cancellation);
        foreach (var study in studies) isDeleted &= await invalidation.PurgeAsync(study);
        return isDeleted;
    }

    /// <summary>Deletes everything of one configured backend. Studies that others hold too stay with those.</summary>
    /// <param name="backend">The name of the backend.</param>
    /// <param name="cancellation">Cancelled when the operator disconnects.</param>
    public async Task<bool> PurgeBackendAsync(string backend, CancellationToken cancellation)
    {
        var studies = new HashSet<Uid>();
        await foreach (var study in store.ReadStudiesAsync(cancellation))
        {
            if (study.SeriesLists.ContainsKey(backend)) studies.Add(study.Uid);
        }
        jobs.Purge(studies);
        return await jobFile.SaveAsync(cancellation) & await invalidation.PurgeBackendAsync(backend);
    }

    private static IEnumerable<string> FindPatientIds(Study study) =>
        from list in study.SeriesLists.Values
        from dataset in list.Series.Values.Select(series => series.MetadataSummary ?? series.Summary).Append(list.StudyRow)
        let id = dataset?.FindString(Tag.PatientId)?.Trim()
        where id is { Length: > 0 }
        select id;
}
