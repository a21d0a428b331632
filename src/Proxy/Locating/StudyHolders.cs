using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Metadata;

namespace Proxy.Locating;

/// <summary>The known holders of a study: its series lists, and the backends whose current list is not known.</summary>
/// <param name="Study">The series lists; null when no backend listed the study.</param>
/// <param name="Failures">Backends whose list is old or missing.</param>
/// <param name="WasAsked">True when a backend had to be asked.</param>
public sealed record StudyHolders(Study? Study, IReadOnlyList<BackendFailure> Failures, bool WasAsked)
{
    /// <summary>All series of the study that a backend that the client may use holds, in order of their UIDs.</summary>
    public IReadOnlyList<Uid> GetSeries(Access access) =>
        [.. Study?.SeriesLists.Values.Where(list => access.Has(list.Backend)).SelectMany(list => list.Series.Keys).Distinct().Order()
            ?? Enumerable.Empty<Uid>()];

    /// <summary>True when the backend's current list is not known.</summary>
    public bool HasFailed(string backend) => Failures.Any(f => f.Backend == backend);

    /// <summary>The failures of a series' holders when all of them failed; empty when at least one answered.</summary>
    public IReadOnlyList<BackendFailure> FindFailedHolders(Access access, Uid series)
    {
        if (Failures.Count == 0 || Study is null) return [];
        var holders = Study.SeriesLists.Values.Where(list => access.Has(list.Backend) && list.FindSeries(series) is not null).ToList();
        return holders.TrueForAll(list => HasFailed(list.Backend))
            ? [.. Failures.Where(f => holders.Exists(list => list.Backend == f.Backend))]
            : [];
    }

    /// <summary>
    /// The backends that may hold a series although their lists do not name it: they support no search, or no search for series.
    /// </summary>
    public IEnumerable<SeriesList> FindUnlisted(Access access, Uid series)
    {
        var withoutSeriesSearch = Study?.SeriesLists.Values.Where(list => list.IsUnlisted && !HasFailed(list.Backend)) ?? [];
        var withoutSearch = Failures.Where(f => f.Status == ErrorStatus.NotFound)
            .Select(f => Study?.GetList(f.Backend) ?? new SeriesList(f.Backend));
        return withoutSeriesSearch.Concat(withoutSearch).Where(list => list.FindSeries(series) is null && access.Has(list.Backend));
    }
}
