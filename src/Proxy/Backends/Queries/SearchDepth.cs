using System.Numerics;

namespace Proxy.Backends.Queries;

/// <summary>The number of rows of each backend that a page of the merged list needs, in sections that keep the order stable.</summary>
/// <remarks>
/// Each backend has its own order, so the merged list is ordered by section first: the first section has the first
/// <see cref="SearchOptions.MaxResults"/> rows of each backend, each further section as many rows as all sections before it.
/// <code>
/// MaxResults 1000    section 0: rows 0 … 999    1: 1000 … 1999    2: 2000 … 3999    3: 4000 … 7999
/// </code>
/// For a page in a further section the list is read again up to that section's end, at most twice the rows read before. Rows of
/// earlier sections keep their positions, so that no page repeats or omits a row (PS3.18 §8.3.4.4.1).
/// </remarks>
internal static class SearchDepth
{
    /// <summary>The maximum number of rows read from one backend for one search; a page beyond it is refused as too broad.</summary>
    public const int MaxRows = 100_000;

    /// <summary>The number of rows to read from each backend for a page: whole sections, up to <see cref="MaxRows"/>.</summary>
    /// <param name="query">The search and its page.</param>
    /// <param name="maxResults">The size of the first section, and of a page without a limit.</param>
    public static int Create(SearchQuery query, int maxResults)
    {
        if (query.IsWithinStudy) return MaxRows;
        var depth = (long)maxResults;
        while (depth < GetEnd(query, maxResults) && depth < MaxRows) depth *= 2;
        return (int)Math.Min(depth, MaxRows);
    }

    /// <summary>The section of a row, by its index in the backend's list.</summary>
    public static int GetSection(int position, int maxResults) =>
        position < maxResults ? 0 : BitOperations.Log2((uint)(position / maxResults)) + 1;

    /// <summary>The maximum number of rows of a page; null for all. A list within one study has no limit.</summary>
    public static int? FindLimit(SearchQuery query, int maxResults) => query.Limit ?? (query.IsWithinStudy ? null : maxResults);

    /// <summary>The end of the page in the merged list; unlimited for a list within one study without a limit.</summary>
    public static long GetEnd(SearchQuery query, int maxResults) =>
        FindLimit(query, maxResults) is { } limit ? (long)query.Offset + limit : long.MaxValue;
}
