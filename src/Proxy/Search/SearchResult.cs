using System.Collections.Immutable;
using Proxy.Backends;
using Proxy.Operations;

namespace Proxy.Search;

/// <summary>The merged answer of all backends to one search: the whole list, in its order; pages are cut from it.</summary>
/// <param name="Rows">In a total order: newest study first, then by number, then by UID.</param>
/// <param name="Failures">Who did not answer. With none answering there is no list.</param>
/// <param name="Notes">What else the client should know, one warning each.</param>
/// <param name="Asked">When the backends were asked; of several times the oldest.</param>
/// <param name="Status">Whether it was kept.</param>
public sealed record SearchResult(
    MergedList Rows, IReadOnlyList<BackendFailure> Failures, IReadOnlyList<string> Notes, DateTimeOffset Asked, CacheStatus Status)
{
    public bool HasAnswer { get; init; } = true;

    /// <summary>A backend matches more than was read of it: the number of rows is the least that there are.</summary>
    public bool HasMore { get; init; }

    /// <summary>Whether it was read as far as a search is: rows behind its last cannot be had.</summary>
    public bool IsTooBroad { get; init; }

    /// <summary>It is kept for its next page, so that its pages may be.</summary>
    public bool IsKept { get; init; }
}

/// <summary>A page of a result, its studies counted.</summary>
/// <param name="Rows">The page.</param>
/// <param name="Lacking">
/// Backends that did not say in time what they have of the page's studies: counts of those that others hold too may be low.
/// </param>
public sealed record SearchPage(ImmutableArray<MergedRow> Rows, IReadOnlyList<string> Lacking);
