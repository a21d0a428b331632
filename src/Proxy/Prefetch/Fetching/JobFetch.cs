using Proxy.Dicom;
using Proxy.Prefetch.Jobs;
using Proxy.Prefetch.Planning;

namespace Proxy.Prefetch.Fetching;

/// <summary>Fetches the studies of a job, then the searches with which a viewer opens them.</summary>
/// <remarks>
/// OHIF searches for the study, its series and the studies of its patient before it requests metadata. Answers to searches are fresh
/// only for seconds, so the searches come last.
/// </remarks>
public sealed class JobFetch(StudyFetch studies, StudyListing listing, PriorSearch priors)
{
    /// <summary>The most studies that are searched for: a viewer opens one of the first.</summary>
    private const int MaxSearched = 3;

    /// <summary>The most other studies of a patient whose series lists are read.</summary>
    private const int MaxListed = 20;

    /// <summary>Fetches the job; failures become errors of the job.</summary>
    public async Task RunAsync(JobHandle job, CancellationToken cancellation)
    {
        foreach (var study in job.Job.StudyUids)
        {
            await studies.RunAsync(job, study, cancellation);
            job.Update(j => j with { Studies = j.Studies.Add(1) });
        }
        // A viewer opens priors without a search, and has sent those of the open study.
        if (job.Job.Reason is not (PrefetchReason.Next or PrefetchReason.Asked)) return;
        foreach (var study in job.Job.StudyUids.Take(MaxSearched)) await SearchAsync(job, study, cancellation);
    }

    private async Task SearchAsync(JobHandle job, Uid study, CancellationToken cancellation)
    {
        var access = await listing.GetAccessAsync(job, study, cancellation);
        var (_, ofPatient) = await priors.FindOfPatientAsync(access, study, job.Job.Priority, cancellation);
        await listing.ReadAsync(job, access, study, cancellation);
        // The counts of a study that several backends hold come from its series lists.
        foreach (var other in ofPatient.Where(row => row.Uid != study && row.Sources.Length > 1).Take(MaxListed))
        {
            // The rights may differ between the studies of a patient.
            await listing.ReadAsync(job, await listing.GetAccessAsync(job, other.Uid, cancellation), other.Uid, cancellation);
        }
    }
}
