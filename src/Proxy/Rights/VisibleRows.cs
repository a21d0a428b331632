using Proxy.Backends;
using Proxy.Backends.Queries;
using Proxy.Dicom;
using Proxy.Identity;

namespace Proxy.Rights;

/// <summary>Removes rows of studies that a caller may not see from the answers of backends, before they are merged and counted.</summary>
public sealed class VisibleRows(StudyRights rights)
{
    /// <summary>The rights that decide.</summary>
    public StudyRights Rights { get; } = rights;

    /// <summary>The same answer with visible rows only, without the numbers of rows and attributes that were left out.</summary>
    /// <param name="access">The caller's access.</param>
    /// <param name="query">The search; below a study, the access is narrowed to it already.</param>
    /// <param name="answer">The answer of one of its backends, to this caller's own token if the backend decides.</param>
    /// <param name="cancellation">Cancelled when the client disconnects.</param>
    public ValueTask<SearchAnswer> FilterAsync(
        Access access, SearchQuery query, SearchAnswer answer, CancellationToken cancellation) =>
        query.Study is not null || !Rights.AreLimited(access) ? new(answer) : new(FilterAsync(access.Caller, query, answer, cancellation));

    private async Task<SearchAnswer> FilterAsync(Caller caller, SearchQuery query, SearchAnswer answer, CancellationToken cancellation)
    {
        var studies = new Dictionary<Uid, Dataset?>();
        foreach (var row in answer.Rows) studies.TryAdd(row.Study, query.Level == SearchLevel.Studies ? row.Read() : null);
        var seen = await Rights.FilterAsync(caller, answer.Backend, studies, isOwnAnswer: true, cancellation);
        return answer with { Rows = [.. answer.Rows.Where(row => seen.Contains(row.Study))], LeftOut = 0, AttributesLeftOut = 0 };
    }
}
