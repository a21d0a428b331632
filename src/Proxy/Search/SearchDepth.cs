using System.Numerics;

namespace Proxy.Search;

/// <summary>How many rows of each backend a page of the merged list needs, and how rows keep their places when more are read.</summary>
/// <remarks>
/// A backend orders its rows as it likes, so the merged list is ordered by section: the first section has the first
/// <see cref="SearchOptions.MaxResults"/> rows of each backend, each further one as many as all before it.
/// <code>
/// MaxResults 1000    section 0: rows 0 … 999    1: 1000 … 1999    2: 2000 … 3999    3: 4000 … 7999
/// </code>
/// A page that needs a further section has the list read again to its end: twice what was read before at most. Rows of the
/// earlier sections stay where they were, so that no page repeats a row or leaves one out (PS3.18 §8.3.4.4.1).
/// </remarks>
internal static class SearchDepth
{
    /// <summary>The most rows that are read of one backend for one search; a page behind them is too broad a search.</summary>
    public const int Most = 100_000;

    /// <summary>The rows of each backend that are read for a page: whole sections, <see cref="Most"/> at most.</summary>
    /// <param name="query">The search and its page.</param>
    /// <param name="maxResults">Rows of the first section, and of a page without a limit.</param>
    public static int Create(SearchQuery query, int maxResults)
    {
        if (query.IsWithinStudy) return Most;
        var depth = (long)maxResults;
        while (depth < GetEnd(query, maxResults) && depth < Most) depth *= 2;
        return (int)Math.Min(depth, Most);
    }

    /// <summary>The section that a backend's row is in, by its place in the backend's list.</summary>
    public static int GetSection(int position, int maxResults) =>
        position < maxResults ? 0 : BitOperations.Log2((uint)(position / maxResults)) + 1;

    /// <summary>The most rows of a page; null for all. A list within one study is given whole.</summary>
    public static int? FindLimit(SearchQuery query, int maxResults) => query.Limit ?? (query.IsWithinStudy ? null : maxResults);

    /// <summary>Where the page ends in the merged list, if that is as long; within a study without a limit that is nowhere.</summary>
    public static long GetEnd(SearchQuery query, int maxResults) =>
        FindLimit(query, maxResults) is { } limit ? (long)query.Offset + limit : long.MaxValue;
}
