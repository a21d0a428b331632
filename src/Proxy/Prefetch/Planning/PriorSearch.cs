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
        using var lease = await store.LeaseAsync(study, cancellation);
        var open = GetFacts(store.GetStudy(study), access);
        // The study was opened by its URL without a search, so its row is not in the store.
        if (open.Count == 0) open = GetFacts(await search.FindStudyAsync(access, study, PrefetchPriority.Priors, cancellation));
        var found = new List<StudyFacts>();
        foreach (var patientId in open.Select(o => o.PatientId).Where(id => id.Length > 0).Distinct())
            found.AddRange(GetFacts(await search.FindOfPatientAsync(access, patientId, PrefetchPriority.Priors, cancellation)));
        return PrefetchPlan.Priors(open, found, max);
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
