using System.Collections.Immutable;
using Proxy.Backends;
using Proxy.Backends.Health;
using Proxy.Backends.Queries;
using Proxy.Dicom;
using Proxy.Metadata;
using Proxy.Operations;
using Proxy.Search;

namespace Proxy.Prefetch.Planning;

/// <summary>Searches for studies to prefetch, with one fetch slot per backend; backends with an open circuit are skipped.</summary>
/// <remarks>A busy backend delays only its own rows. A search that a client request cancels is sent again later.</remarks>
public sealed class PrefetchSearch(
    FederatedSearch search, BackendStates states, BackendScheduler scheduler, DicomMetadataStore store, Reloadable<PrefetchOptions> options,
    TimeProvider time)
{
    /// <summary>The time limit for one backend, including cancelled attempts; after it, its rows are left out.</summary>
    private static readonly TimeSpan SearchTimeout = TimeSpan.FromMinutes(5);

    /// <summary>The most studies of a result; the newest are taken.</summary>
    private const int MaxStudies = 1000;

    private static readonly SearchQuery AllStudies = SearchQuery.AllStudies;

    /// <summary>The fields that OHIF requests for a patient's studies, so that both share one cached result.</summary>
    /// <remarks>OHIF also requests Modality (0008,0060), which no row of a study has.</remarks>
    private static readonly ImmutableSortedSet<string> OhifFields = ["00080090", "00081030", "00100030"];

    /// <summary>The study of a search with which OHIF opens a study; null for other searches.</summary>
    public static Uid? FindOpenedByOhif(SearchQuery query) =>
        query.OnlyStudy is { } study && query.IncludeFields.SetEquals(OhifFields) ? study : null;

    /// <summary>Finds the studies with this Patient ID.</summary>
    /// <param name="access">The backends to search.</param>
    /// <param name="patientId">The Patient ID.</param>
    /// <param name="study">The study of the patient for which this is searched; its rows are filed in the store.</param>
    /// <param name="priority">The priority of the search.</param>
    /// <param name="cancellation">Cancels the search.</param>
    public Task<ImmutableArray<MergedRow>> FindOfPatientAsync(
        Access access, string patientId, Uid study, PrefetchPriority priority, CancellationToken cancellation) =>
        FindAsync(access, Match(Tag.PatientId, "PatientID", patientId) with { IncludeFields = OhifFields }, study, priority, cancellation);

    /// <summary>Finds one study; its rows are filed in the store.</summary>
    public Task<ImmutableArray<MergedRow>> FindStudyAsync(
        Access access, Uid study, PrefetchPriority priority, CancellationToken cancellation) =>
        FindAsync(
            access, Match(Tag.StudyInstanceUid, "StudyInstanceUID", study.ToString()) with { IncludeFields = OhifFields }, study, priority,
            cancellation);

    /// <summary>Finds the studies of a range of days.</summary>
    /// <param name="access">The backends to search.</param>
    /// <param name="from">The first day.</param>
    /// <param name="to">The last day.</param>
    /// <param name="modalities">Any of these modalities; empty for all.</param>
    /// <param name="priority">The priority of the search.</param>
    /// <param name="cancellation">Cancels the search.</param>
    public Task<ImmutableArray<MergedRow>> FindOfDaysAsync(
        Access access, DateOnly from, DateOnly to, IReadOnlyList<string> modalities, PrefetchPriority priority,
        CancellationToken cancellation)
    {
        var matches = AllStudies.Matches.Add(Tag.StudyDate.ToString(), ("StudyDate", $"{from:yyyyMMdd}-{to:yyyyMMdd}"));
        if (modalities.Count > 0)
            matches = matches.Add(Tag.ModalitiesInStudy.ToString(), ("ModalitiesInStudy", string.Join(',', modalities)));
        return FindAsync(
            access, AllStudies with { Matches = matches, IncludeFields = [Tag.StudyDescription.ToString()] }, default, priority,
            cancellation);
    }

    private static SearchQuery Match(Tag tag, string name, string value) =>
        AllStudies with { Matches = AllStudies.Matches.Add(tag.ToString(), (name, value)) };

    private async Task<ImmutableArray<MergedRow>> FindAsync(
        Access access, SearchQuery query, Uid study, PrefetchPriority priority, CancellationToken cancellation)
    {
        var asked = access.Backends.Where(backend => states.FindRefusal(backend.Name) is null).ToList();
        var found = await CurrentPurpose.RunAsync(
            RequestPurpose.Prefetch, () => Task.WhenAll(asked.Select(
                backend => FindInSlotAsync(
                    access with { Name = backend.Name, Backends = [backend] }, query, study, priority, cancellation))));
        return Merge(found.SelectMany(rows => rows));
    }

    /// <summary>Searches one backend within a fetch slot; returns nothing when no slot is granted in time.</summary>
    private async Task<ImmutableArray<MergedRow>> FindInSlotAsync(
        Access single, SearchQuery query, Uid study, PrefetchPriority priority, CancellationToken cancellation)
    {
        using var timeout = new CancellationTokenSource(SearchTimeout, time);
        try
        {
            while (true)
            {
                using var slot = await scheduler.AcquireAsync(
                    single.Name, new FetchTarget(study), priority.ToFetchPriority(), order: 0, options.Value.MaxConcurrentRequests,
                    timeout.Token, cancellation);
                try
                {
                    var result = await search.FindAsync(single, query, bypassCache: false, slot.Cancelled);
                    var rows = result.Rows.Read(0, MaxStudies);
                    File(query, result, rows.FirstOrDefault(row => row.Uid == study));
                    return rows;
                }
                catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
                {
                    // A client request cancelled the search: try again in another slot.
                }
            }
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return [];
        }
    }

    private void File(SearchQuery query, SearchResult result, MergedRow? study)
    {
        if (study is null || result.IsOutdated || result.Status == CacheStatus.Stale) return;
        foreach (var (backend, row) in study.Sources)
            store.AddStudy(backend, row, result.Asked, query.FurtherFields, madeInClient: true);
    }

    /// <summary>Merges the rows of each study, newest first.</summary>
    /// <param name="rows">The rows, in order of the backends' preference.</param>
    private static ImmutableArray<MergedRow> Merge(IEnumerable<MergedRow> rows) =>
    [
        .. rows.GroupBy(row => row.Uid)
            .Select(study => MergedRow.Merge(study.Key, [.. study.SelectMany(row => row.Sources)], new StudyPath(study.Key).ToString()))
            .OrderByDescending(row => row.FindString(Tag.StudyDate), StringComparer.Ordinal)
            .ThenByDescending(row => row.FindString(Tag.StudyTime), StringComparer.Ordinal)
            .ThenBy(row => row.Uid)
            .Take(MaxStudies),
    ];
}
