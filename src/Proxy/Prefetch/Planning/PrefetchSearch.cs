using System.Collections.Immutable;
using Proxy.Backends;
using Proxy.Backends.Health;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Search;

namespace Proxy.Prefetch.Planning;

/// <summary>Searches for studies that no client asked for: each backend in a turn of its own, and only where it answers.</summary>
/// <remarks>A backend that is busy holds up its own rows alone; a search that a client breaks off is sent again later.</remarks>
public sealed class PrefetchSearch(
    FederatedSearch search, BackendStates states, BackendScheduler scheduler, Reloadable<PrefetchOptions> options, TimeProvider time)
{
    /// <summary>How long one backend may take for a search, turns that were broken off included; then its rows are left out.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    /// <summary>The newest; no more are looked at.</summary>
    private const int Most = 1000;

    private static readonly SearchQuery Nothing = SearchQuery.AllStudies;

    /// <summary>What OHIF wants of a patient's studies: who asks the same is answered by the same.</summary>
    private static readonly ImmutableSortedSet<string> AsOhif = ["00080060", "00080090", "00081030", "00100030"];

    public Task<ImmutableArray<MergedRow>> FindOfPatientAsync(
        BackendScope scope, string patientId, PrefetchPriority priority, CancellationToken cancellation) =>
        FindAsync(
            scope,
            Nothing with { Matches = Nothing.Matches.Add(Tag.PatientId.ToString(), ("PatientID", patientId)), IncludeFields = AsOhif },
            priority, cancellation);

    public Task<ImmutableArray<MergedRow>> FindStudyAsync(
        BackendScope scope, Uid study, PrefetchPriority priority, CancellationToken cancellation) =>
        FindAsync(
            scope, Nothing with { Matches = Nothing.Matches.Add(Tag.StudyInstanceUid.ToString(), ("StudyInstanceUID", study.ToString())) },
            priority, cancellation);

    /// <param name="scope">Whom to ask.</param>
    /// <param name="from">The first day.</param>
    /// <param name="to">The last one.</param>
    /// <param name="modalities">Any of these; empty for all.</param>
    /// <param name="priority">What goes before it.</param>
    /// <param name="cancellation">It is not wanted any more.</param>
    public Task<ImmutableArray<MergedRow>> FindOfDaysAsync(
        BackendScope scope, DateOnly from, DateOnly to, IReadOnlyList<string> modalities, PrefetchPriority priority,
        CancellationToken cancellation)
    {
        var matches = Nothing.Matches.Add(Tag.StudyDate.ToString(), ("StudyDate", $"{from:yyyyMMdd}-{to:yyyyMMdd}"));
        if (modalities.Count > 0)
            matches = matches.Add(Tag.ModalitiesInStudy.ToString(), ("ModalitiesInStudy", string.Join(',', modalities)));
        return FindAsync(
            scope, Nothing with { Matches = matches, IncludeFields = [Tag.StudyDescription.ToString()] }, priority, cancellation);
    }

    private async Task<ImmutableArray<MergedRow>> FindAsync(
        BackendScope scope, SearchQuery query, PrefetchPriority priority, CancellationToken cancellation)
    {
        var asked = scope.Backends.Where(backend => states.FindRefusal(backend.Name) is null).ToList();
        var found = await CurrentPurpose.RunAsync(
            RequestPurpose.Prefetch, () => Task.WhenAll(asked.Select(backend => FindAsync(backend, query, priority, cancellation))));
        return Merge(found.SelectMany(rows => rows));
    }

    /// <summary>One backend's studies, within a turn there; none when it gives no turn for long.</summary>
    private async Task<ImmutableArray<MergedRow>> FindAsync(
        BackendOptions backend, SearchQuery query, PrefetchPriority priority, CancellationToken cancellation)
    {
        using var patience = new CancellationTokenSource(Patience, time);
        try
        {
            while (true)
            {
                using var slot = await scheduler.AcquireAsync(
                    backend.Name, new FetchTarget(default), priority, order: 0, options.Value.MaxConcurrentRequests, patience.Token,
                    cancellation);
                try
                {
                    return (await search.FindAsync(new(backend.Name, [backend]), query, bypassCache: false, slot.Stopped))
                        .Rows.Read(0, Most);
                }
                catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
                {
                    // A client needed the backend: again in another turn.
                }
            }
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return [];
        }
    }

    /// <summary>One row a study, the newest first.</summary>
    /// <param name="rows">Those of the preferred backend first.</param>
    private static ImmutableArray<MergedRow> Merge(IEnumerable<MergedRow> rows) =>
    [
        .. rows.GroupBy(row => row.Uid)
            .Select(study => MergedRow.Merge(study.Key, [.. study.SelectMany(row => row.Sources)], new StudyPath(study.Key).ToString()))
            .OrderByDescending(row => row.FindString(Tag.StudyDate), StringComparer.Ordinal)
            .ThenByDescending(row => row.FindString(Tag.StudyTime), StringComparer.Ordinal)
            .ThenBy(row => row.Uid)
            .Take(Most),
    ];
}
