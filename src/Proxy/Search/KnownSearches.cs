using System.Collections.Concurrent;
using Proxy.Backends.Queries;
using Proxy.Dicom;
using Proxy.Operations;

namespace Proxy.Search;

/// <summary>The searches that clients repeat, by the text of their query: viewers send a few again and again.</summary>
internal static class KnownSearches
{
    /// <summary>The number of remembered searches; then all are forgotten.</summary>
    private const int MaxKnown = 256;

    private static readonly ConcurrentDictionary<Key, SearchQuery> Known = new();

    private readonly record struct Key(SearchLevel Level, Uid? Study, Uid? Series, string Text);

    /// <summary>Reads a search, or finds it among the remembered ones.</summary>
    /// <inheritdoc cref="SearchParameters.TryRead"/>
    public static bool TryRead(
        SearchLevel level, Uid? study, Uid? series, HttpRequest request, out SearchQuery query, out ParameterError? error)
    {
        error = null;
        var key = new Key(level, study, series, request.QueryString.Value ?? "");
        if (Known.TryGetValue(key, out query!)) return true;
        if (!SearchParameters.TryRead(level, study, series, request.Query, out query, out error)) return false;
        if (key.Text.Length > RequestQuery.MaxKnownLength) return true;
        if (Known.Count >= MaxKnown) Known.Clear();
        // Clients that send it at the same time get one query, from which everything is derived once.
        query = Known.GetOrAdd(key, query);
        return true;
    }
}
