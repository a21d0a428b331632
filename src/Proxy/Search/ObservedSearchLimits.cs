namespace Proxy.Search;

/// <summary>How a backend answers searches of one level, as it has shown: what it says of itself is little and not always so.</summary>
/// <param name="MostPerPage">The largest <c>limit</c> that it takes; null while it takes any.</param>
/// <param name="PageCap">How many rows it gives at most, whatever is asked for; null while none was seen.</param>
/// <param name="WholePage">The largest number of rows behind which there were shown to be no more.</param>
/// <param name="WholeSearch">By which search that was shown.</param>
/// <param name="WholePageSeen">When that was.</param>
/// <param name="SplitsModalities">It refuses a list of modalities (PS3.18 §8.3.4.1 allows one value).</param>
/// <param name="SplitsStudies">It refuses, or does not understand, a search for the series of several studies at once.</param>
/// <param name="TakesCaretsRaw">Whether it finds names by a raw <c>^</c> and not by <c>%5E</c>; null while neither found any.</param>
internal sealed record ObservedSearchLimits(
    int? MostPerPage, int? PageCap, int WholePage, string WholeSearch, DateTimeOffset WholePageSeen, bool SplitsModalities,
    bool SplitsStudies,
    bool? TakesCaretsRaw)
{
    public static readonly ObservedSearchLimits Unknown = new(null, null, 0, "", default, false, false, null);

    /// <summary>No archive gives fewer rows at once than this without saying so: a shorter page is the last.</summary>
    private const int LeastCap = 10;

    /// <summary>A list that happens to be as long as the cap looks whole; it alone is believed to be, and for so long.</summary>
    private static readonly TimeSpan Trust = TimeSpan.FromMinutes(10);

    /// <summary>Whether a page that is shorter than was asked for, and without a word of more, is the last one.</summary>
    public bool IsLast(int count, string search, DateTimeOffset now)
    {
        if (count < LeastCap) return true;
        if (PageCap is { } cap) return count < cap;
        return count < WholePage || count == WholePage && search == WholeSearch && Metadata.Freshness.IsWithin(WholePageSeen, Trust, now);
    }

    public ObservedSearchLimits WithWholePage(int count, string search, DateTimeOffset now) =>
        count >= WholePage ? this with { WholePage = count, WholeSearch = search, WholePageSeen = now } : this;
}
