using System.Collections.Immutable;
using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Metadata;
using Proxy.Search;

namespace Proxy.Prefetch.Planning;

/// <summary>Finds prior studies of an open study's patient in the backends that the viewer may use.</summary>
public sealed class PriorSearch(PrefetchSearch search, DicomMetadataStore store)
{
    /// <summary>Finds prior studies, best first.</summary>
    /// <param name="access">The backends to search.</param>
    /// <param name="study">The open study.</param>
    /// <param name="max">The most studies.</param>
    /// <param name="cancellation">Cancels the search.</param>
    public async Task<ImmutableArray<Uid>> FindAsync(Access access, Uid study, int max, CancellationToken cancellation)
    {
        var (open, rows) = await FindOfPatientAsync(access, study, PrefetchPriority.Priors, cancellation);
        return PrefetchPlan.Priors(open, GetFacts(rows), max);
    }

    /// <summary>Finds the studies with the Patient ID of a study, as viewers search for them when they open it.</summary>
    /// <param name="access">The backends to search.</param>
    /// <param name="study">The study.</param>
    /// <param name="priority">The priority of the search.</param>
    /// <param name="cancellation">Cancels the search.</param>
    /// <returns>The study as each backend describes it, and the studies that may be of the same patient.</returns>
    public async Task<(IReadOnlyList<StudyFacts> Study, ImmutableArray<MergedRow> OfPatient)> FindOfPatientAsync(
        Access access, Uid study, PrefetchPriority priority, CancellationToken cancellation)
    {
        using var lease = await store.LeaseAsync(study, cancellation);
        var facts = GetFacts(store.GetStudy(study), access);
        // The study was opened by its URL without a search, so its row is not in the store.
        if (facts.Count == 0) facts = GetFacts(await search.FindStudyAsync(access, study, priority, cancellation));
        var found = ImmutableArray<MergedRow>.Empty;
        foreach (var patientId in facts.Select(f => f.PatientId).Where(id => id.Length > 0).Distinct())
            found = [.. found, .. await search.FindOfPatientAsync(access, patientId, study, priority, cancellation)];
        return (facts, found);
    }

    private static List<StudyFacts> GetFacts(ImmutableArray<MergedRow> rows) =>
        [.. from row in rows from source in row.Sources select StudyFacts.Create(row.Uid, source.Backend, source.Row)];

    private static List<StudyFacts> GetFacts(Study? study, Access access) =>
    [
        .. from list in study?.SeriesLists.Values ?? []
           where access.Has(list.Backend) && list.StudyRow is not null
           select StudyFacts.Create(study!.Uid, list.Backend, list.StudyRow!),
    ];
}
