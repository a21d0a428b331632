using System.Collections.Concurrent;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Primitives;

namespace Proxy.Operations;

/// <summary>The query parameters of a request, parsed once for all requests that repeat the same query.</summary>
internal static class RequestQuery
{
    /// <summary>The longest query that is remembered, in characters.</summary>
    public const int MaxKnownLength = 1024;

    /// <summary>The number of remembered queries; then all are forgotten.</summary>
    private const int MaxKnown = 256;

    private static readonly ConcurrentDictionary<string, Dictionary<string, StringValues>> Known = new(StringComparer.Ordinal);

    /// <summary>The values of a parameter, without regard to the case of its name; null if the query does not contain it.</summary>
    public static StringValues? FindParameter(this HttpRequest request, string name) =>
        request.QueryString.HasValue && Read(request.QueryString.Value!).TryGetValue(name, out var values)
            ? values
            : default(StringValues?);

    private static Dictionary<string, StringValues> Read(string query)
    {
        if (Known.TryGetValue(query, out var known)) return known;
        var parsed = QueryHelpers.ParseQuery(query);
        if (query.Length > MaxKnownLength) return parsed;
        if (Known.Count >= MaxKnown) Known.Clear();
        Known.TryAdd(query, parsed);
        return parsed;
    }
}
