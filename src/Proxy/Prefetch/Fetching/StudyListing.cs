using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Locating;
using Proxy.Metadata;
using Proxy.Prefetch.Jobs;
using Proxy.Rights;

namespace Proxy.Prefetch.Fetching;

/// <summary>Reads the series lists of a study for a job; each request takes a fetch slot.</summary>
public sealed class StudyListing(
    JobSlots slots, BackendSet backends, SeriesLocator locator, DicomMetadataStore store, StudyRights rights, TimeProvider time)
{
    /// <summary>The wait for the other backends after the first series list of an open study.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(1);

    /// <summary>The backends of the job's root whose part of a study the owner of the job may see.</summary>
    public async Task<Access> GetAccessAsync(JobHandle job, Uid study, CancellationToken cancellation)
    {
        var root = job.Job.Root;
        var access = root.Length == 0 ? backends.AsOne : new Access(root, backends.Find(root) is { } only ? [only] : []);
        return (await rights.NarrowAsync(access with { Caller = job.Caller }, study, StudyAction.Prefetch, cancellation)).Access;
    }

    /// <summary>The known series of a study.</summary>
    public static IReadOnlyList<Uid> GetUids(Study? study, Access access) => new StudyHolders(study, [], false).GetSeries(access);

    /// <summary>
    /// Reads the series lists that are not known. Read-ahead waits for the other backends only a moment after the first list.
    /// </summary>
    /// <returns>The backends that failed.</returns>
    public async Task<IReadOnlyList<BackendFailure>> ReadAsync(
        JobHandle job, Access access, Uid study, CancellationToken cancellation)
    {
        var asking = access.Backends.Select(backend => ReadAsync(job, backend, study, cancellation)).ToList();
        var all = Task.WhenAll(asking);
        if (job.Job.Reason != PrefetchReason.ReadAhead) return [.. (await all).OfType<BackendFailure>()];
        while (!all.IsCompleted && GetUids(store.GetStudy(study), access).Count == 0)
            await Task.WhenAny([all, .. asking.Where(a => !a.IsCompleted)]);
        await Task.WhenAny(all, Task.Delay(Grace, time, cancellation));
        cancellation.ThrowIfCancellationRequested();
        return [.. asking.Where(a => a.IsCompletedSuccessfully).Select(a => a.Result).OfType<BackendFailure>()];
    }

    private async Task<BackendFailure?> ReadAsync(JobHandle job, BackendOptions backend, Uid study, CancellationToken cancellation)
    {
        if (locator.IsKnown(backend, study)) return null;
        if (slots.FindRefusal(backend.Name) is { } refusal) return refusal;
        var access = new Access(backend.Name, [backend]);
        var holders = await slots.RunAsync(
            job, backend.Name, new(study),
            stopped => locator.LocateAsync(access, study, ReadPurpose.Prefetch, stopped), cancellation);
        return holders is null ? slots.FindRefusal(backend.Name) : holders.Failures is [var first, ..] ? first : null;
    }
}
