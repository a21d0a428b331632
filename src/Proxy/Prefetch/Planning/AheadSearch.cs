using System.Collections.Immutable;
using Proxy.Backends;
using Proxy.Backends.Health;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Search;

namespace Proxy.Prefetch.Planning;

/// <summary>Searches for studies that no client asked for: in turn, as all that is fetched ahead, and only where somebody answers.</summary>
public sealed class AheadSearch(FederatedSearch search, BackendStates states, Turns turns, Reloadable<PrefetchOptions> options)
{
    /// <summary>The newest; no more are looked at.</summary>
    private const int Most = 1000;

    private static readonly SearchQuery Nothing = SearchQuery.AllStudies;

    /// <summary>What OHIF wants of a patient's studies: who asks the same is answered by the same.</summary>
    private static readonly ImmutableSortedSet<string> AsOhif = ["00080060", "00080090", "00081030", "00100030"];

    public Task<ImmutableArray<MergedRow>> FindOfPatientAsync(BackendScope scope, string patientId, Rank rank, CancellationToken cancellation) =>
        FindAsync(scope, Nothing with { Matches = Nothing.Matches.Add(Tag.PatientId.ToString(), ("PatientID", patientId)), IncludeFields = AsOhif }, rank, cancellation);

    public Task<ImmutableArray<MergedRow>> FindStudyAsync(BackendScope scope, Uid study, Rank rank, CancellationToken cancellation) =>
        FindAsync(scope, Nothing with { Matches = Nothing.Matches.Add(Tag.StudyInstanceUid.ToString(), ("StudyInstanceUID", study.ToString())) }, rank, cancellation);

    /// <param name="scope">Whom to ask.</param>
    /// <param name="from">The first day.</param>
    /// <param name="to">The last one.</param>
    /// <param name="modalities">Any of these; empty for all.</param>
    /// <param name="rank">What goes before it.</param>
    /// <param name="cancellation">It is not wanted any more.</param>
    public Task<ImmutableArray<MergedRow>> FindOfDaysAsync(BackendScope scope, DateOnly from, DateOnly to, IReadOnlyList<string> modalities, Rank rank, CancellationToken cancellation)
    {
        var matches = Nothing.Matches.Add(Tag.StudyDate.ToString(), ("StudyDate", $"{from:yyyyMMdd}-{to:yyyyMMdd}"));
        if (modalities.Count > 0) matches = matches.Add(Tag.ModalitiesInStudy.ToString(), ("ModalitiesInStudy", string.Join(',', modalities)));
        return FindAsync(scope, Nothing with { Matches = matches, IncludeFields = [Tag.StudyDescription.ToString()] }, rank, cancellation);
    }

    private async Task<ImmutableArray<MergedRow>> FindAsync(BackendScope scope, SearchQuery query, Rank rank, CancellationToken cancellation)
    {
        var asked = scope with { Backends = [.. scope.Backends.Where(b => states.FindRefusal(b.Name) is null)] };
        if (asked.Backends.Count == 0) return [];
        var taken = await Task.WhenAll(asked.Backends.Select(b => turns.TakeAsync(b.Name, new Errand(default), rank, order: 0, options.Value.MaxConcurrentRequests, cancellation)));
        try
        {
            return (await search.FindAsync(asked, query, asksAnew: false, cancellation)).Rows.Read(0, Most);
        }
        finally
        {
            foreach (var turn in taken) turn.Dispose();
        }
    }
}
