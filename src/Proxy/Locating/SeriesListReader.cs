using Proxy.Backends;
using Proxy.Backends.Health;
using Proxy.Backends.Queries;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Metadata;

namespace Proxy.Locating;

/// <summary>Asks one backend which series of a study it holds, and files its list in the store.</summary>
/// <remarks>
/// Servers answer 404 to every request while they start. "Not found" removes what the backend once listed only when the backend
/// answers a search for the study without listing it.
/// </remarks>
public sealed class SeriesListReader(
    IArchive archive, BackendStates states, BackendScheduler scheduler, DicomMetadataStore store, StudyInvalidation invalidation,
    SeriesListTiming timing)
{
    private readonly SharedRequests<(string Backend, Uid Study, int Revision), SearchAnswer> _asking = new(scheduler);

    /// <summary>Requests the list once for concurrent callers; a list that became fresh in between is used unless reloaded.</summary>
    /// <returns>The failure; null when the list was filed.</returns>
    public async Task<BackendFailure?> ReadAsync(
        BackendOptions backend, Uid study, ReadPurpose purpose, CancellationToken cancellation)
    {
        // A request from before a change may answer without it.
        var revision = store.GetStudy(study)?.GetList(backend.Name).Revision ?? 0;
        var (answer, _) = await _asking.RunAsync(
            (backend.Name, study, revision), backend.Name, new(study),
            stopped => AskOnceAsync(backend, study, revision, purpose, stopped), cancellation);
        return answer.Failure;
    }

    /// <summary>Checks that a backend answers at all, by a search for a study, unless it did so in the last seconds.</summary>
    /// <returns>The failure; null when the backend answers.</returns>
    public async Task<BackendFailure?> CheckAnswersAsync(BackendOptions backend, Uid study, CancellationToken cancellation) =>
        states.HasAnswered(backend.Name) ? null : (await FindRowAsync(backend, study, CancellationToken.None, cancellation)).Failure;

    private async Task<SearchAnswer> AskOnceAsync(
        BackendOptions backend, Uid study, int revision, ReadPurpose purpose, CancellationToken cancellation)
    {
        // The caller may leave before the answer comes.
        using var lease = await store.LeaseAsync(study, cancellation);
        // Another request may have completed since the first look-up.
        if (purpose != ReadPurpose.Reload && store.GetStudy(study)?.GetList(backend.Name) is { } known && timing.IsKnown(known))
            return new(backend, [], known.ListedAt!.Value);
        using var deadline = timing.StartDeadline();
        var answer = await archive.SearchAsync(backend, SearchQuery.ForSeries(study), maxRows: null, deadline.Token, cancellation);
        var isGone = false;
        if (answer.IsUnlisted)
        {
            (var outage, isGone) = await FindOutageAsync(backend, study, deadline.Token, cancellation);
            answer = answer with { Failure = outage };
        }
        if (answer.Failure is not null) return answer;
        var removed = answer.IsUnlisted
            ? store.RecordUnlisted(backend.Name, study, isGone, revision)
            : FileSeries(study, answer, purpose, revision);
        invalidation.RemoveBodies(backend.Name, study, removed);
        return answer;
    }

    /// <summary>Files the series of an answer; returns those that the backend no longer has.</summary>
    private IReadOnlyList<Uid> FileSeries(Uid study, SearchAnswer answer, ReadPurpose purpose, int revision)
    {
        var backend = answer.Backend.Name;
        var rows = answer.Rows.Select(row => row.Read()).ToList();
        var madeInClient = purpose == ReadPurpose.Prefetch;
        if (!answer.IsCut) return store.SetSeriesMetadata(backend, study, rows, madeInClient, revision);
        store.AddSeriesMetadata(backend, study, rows, madeInClient);
        return [];
    }

    /// <summary>
    /// Searches for the study, to check whether a backend that denied it is out of order. No outage when the answer does not list the
    /// study, which is then gone, or lists it and the backend never returned series: it then does not support the search for series.
    /// </summary>
    private async Task<(BackendFailure? Outage, bool IsGone)> FindOutageAsync(
        BackendOptions backend, Uid study, CancellationToken deadline, CancellationToken cancellation)
    {
        var known = store.GetStudy(study)?.GetList(backend.Name);
        // Nothing is stored that a wrong "not found" could remove.
        if (known?.HoldsStudy != true && states.HasAnswered(backend.Name)) return (null, false);
        var row = await FindRowAsync(backend, study, deadline, cancellation);
        if (row.Failure is not null) return (row.Failure, false);
        if (row.Rows.Count == 0) return (null, row.IsWhole);
        return known is { Series.IsEmpty: false }
            ? (new(
                backend.Name, BackendError.BadStatus, "status 404 for the series of a study that it lists", ErrorStatus.NotFound), false)
            : (null, false);
    }

    private Task<SearchAnswer> FindRowAsync(
        BackendOptions backend, Uid study, CancellationToken deadline, CancellationToken cancellation) =>
        archive.SearchAsync(backend, SearchQuery.AllStudies.OnlyStudies([study]), maxRows: 1, deadline, cancellation);
}
