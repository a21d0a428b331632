using System.Collections.Immutable;
using Proxy.Backends;
using Proxy.Operations;

namespace Proxy.Search;

/// <summary>The merged result of a search over all backends: the whole list in its order, from which pages are cut.</summary>
/// <param name="Rows">The rows in a total order: newest study first, then by number, then by UID.</param>
/// <param name="Failures">The backends that did not answer.</param>
/// <param name="Notes">Further warnings for the client.</param>
/// <param name="Asked">The time of the oldest answer.</param>
/// <param name="Status">Whether the result comes from the cache.</param>
public sealed record SearchResult(
    MergedList Rows, IReadOnlyList<BackendFailure> Failures, IReadOnlyList<string> Notes, DateTimeOffset Asked, CacheStatus Status)
{
    /// <summary>False when no backend answered; there is then no list.</summary>
    public bool HasAnswer { get; init; } = true;

    /// <summary>True when a backend has more rows than were read, so that the number of rows is a minimum.</summary>
    public bool HasMore { get; init; }

    /// <summary>True when the search was read up to its limit, so that further rows are not available.</summary>
    public bool IsTooBroad { get; init; }

    /// <summary>True when a study was changed while the backends were asked: the rows may be from before the change.</summary>
    public bool IsOutdated { get; init; }

    /// <summary>True when the result is cached, so that its pages may be cached too.</summary>
    public bool IsCached { get; init; }
}

/// <summary>A page of a result, with counts for its studies.</summary>
/// <param name="Rows">The page.</param>
/// <param name="MissingBackends">
/// Backends whose series lists did not arrive in time: counts of studies that other backends also hold may be too low.
/// </param>
public sealed record SearchPage(ImmutableArray<MergedRow> Rows, IReadOnlyList<string> MissingBackends);
