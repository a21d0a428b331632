namespace Proxy.Backends.DicomWeb;

/// <summary>A backend's behaviour in searches of one level, learned from its answers because few backends declare it reliably.</summary>
internal sealed record ObservedSearchLimits
{
    public static readonly ObservedSearchLimits Unknown = new();

    /// <summary>The largest <c>limit</c> that it accepts; null while no limit was refused.</summary>
    public int? MaxPerPage { get; init; }

    /// <summary>The maximum number of rows per answer, independent of the requested limit; null while none was seen.</summary>
    public int? PageCap { get; init; }

    /// <summary>The largest number of rows in an answer that proved to be complete.</summary>
    public int WholePage { get; init; }

    /// <summary>The search with that answer.</summary>
    public string WholeSearch { get; init; } = "";

    /// <summary>The time of that answer.</summary>
    public DateTimeOffset WholePageSeen { get; init; }

    /// <summary>It refuses a list of modalities (PS3.18 §8.3.4.1 allows one value).</summary>
    public bool SplitsModalities { get; init; }

    /// <summary>It refuses or ignores a search for the series of several studies at once.</summary>
    public bool SplitsStudies { get; init; }

    /// <summary>True when it finds names by a raw <c>^</c> and not by <c>%5E</c>; null while neither found any.</summary>
    public bool? AcceptsRawCarets { get; init; }

    /// <summary>
    /// True when it answers every search with the same list, as a web server does that serves files; null while that is unknown.
    /// </summary>
    public bool? IgnoresMatches { get; init; }

    /// <summary>
    /// False when it takes <c>%20</c> for three characters instead of a space (RFC 3986 §2.1); null while that is unknown.
    /// </summary>
    public bool? Decodes { get; init; }

    /// <summary>True when it takes the offset from UTC of a request for a key, and finds nothing.</summary>
    public bool MatchesOffset { get; init; }

    /// <summary>No known archive caps its answers below this without announcing more results, so a shorter page is the last.</summary>
    private const int MinCap = 10;

    /// <summary>A list exactly as long as the cap looks complete, so only the same search trusts that length, for this time.</summary>
    private static readonly TimeSpan TrustTime = TimeSpan.FromMinutes(10);

    /// <summary>True when a page below its limit, without a warning of more results, is the last one.</summary>
    public bool IsLast(int count, string search, DateTimeOffset now)
    {
        if (count < MinCap) return true;
        if (PageCap is { } cap) return count < cap;
        return count < WholePage
            || count == WholePage && search == WholeSearch && Metadata.Freshness.IsWithin(WholePageSeen, TrustTime, now);
    }

    public ObservedSearchLimits WithoutWholePage() => this with { WholePage = 0, WholeSearch = "", WholePageSeen = default };

    public ObservedSearchLimits WithWholePage(int count, string search, DateTimeOffset now) =>
        count >= WholePage ? this with { WholePage = count, WholeSearch = search, WholePageSeen = now } : this;
}
