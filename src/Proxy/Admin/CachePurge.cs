using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Metadata;
using Proxy.Prefetch.Jobs;

namespace Proxy.Admin;

/// <summary>Deletes data for an operator: metadata, bodies and jobs, in memory and on disk, so that no byte of it is left.</summary>
/// <remarks>Each member returns false when the disk cannot be changed now; the data is not served any more, and is deleted later.</remarks>
internal sealed class CachePurge(
    StudyInvalidation invalidation, DicomMetadataStore store, PatientStudies patients, JobRegistry jobs, JobPersistence jobFile)
{
    /// <summary>How long a purge waits until the other proxies are told; they are told later otherwise.</summary>
    private static readonly TimeSpan MaxAnnouncement = TimeSpan.FromSeconds(1);

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
        var id = patientId.Trim();
        var studies = await patients.FindAsync(found => found == id, cancellation);
        jobs.Purge(studies);
        var isDeleted = await jobFile.SaveAsync(cancellation);
        foreach (var study in studies) isDeleted &= await invalidation.PurgeAsync(study);
        // Last: what the other proxies purge because of the studies above, they need not purge again.
        return isDeleted & await TellOthersAsync(id);
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

    /// <summary>Every other proxy deletes the studies of the patient that it knows.</summary>
    private async Task<bool> TellOthersAsync(string patientId)
    {
        try
        {
            await (invalidation.PatientPurged?.Invoke(patientId) ?? Task.CompletedTask).WaitAsync(MaxAnnouncement, TimeProvider.System);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }
}
