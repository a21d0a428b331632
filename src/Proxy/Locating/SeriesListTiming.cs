using Proxy.Backends.Queries;
using Proxy.Cache;
using Proxy.Metadata;
using Proxy.Operations;

namespace Proxy.Locating;

/// <summary>How long a backend's series list of a study is used, and how long the backend may take to give one.</summary>
public sealed class SeriesListTiming(Reloadable<SearchOptions> search, Reloadable<CacheOptions> cache, TimeProvider time)
{
    /// <summary>
    /// True when the backend need not be asked. The absence of a study is fresh only as long as a search result; null is no list.
    /// </summary>
    public bool IsKnown(SeriesList? list) =>
        list?.IsFresh(list.Series.IsEmpty ? search.Value.Freshness : cache.Value.MetadataFreshness, time.GetUtcNow()) == true;

    /// <summary>True when cached entries of the study may be served without asking the backend whether it still has them.</summary>
    public bool IsConfirmed(SeriesList list) => list.Series.IsEmpty || list.IsFresh(cache.Value.MetadataFreshness, time.GetUtcNow());

    /// <summary>True when the list is as young as a search result: a denied object is no reason to ask for it again.</summary>
    public bool IsRecent(SeriesList list) => list.IsFresh(search.Value.Freshness, time.GetUtcNow());

    /// <summary>Starts the deadline of a request for a list.</summary>
    public CancellationTokenSource StartDeadline() => new(search.Value.Deadline, time);
}
