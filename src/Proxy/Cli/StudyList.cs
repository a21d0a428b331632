using System.Globalization;
using System.Text.Json.Nodes;

namespace Proxy.Cli;

/// <summary>The merged list of the running proxy for a search, without duplicates.</summary>
/// <param name="Rows">The rows in DICOM JSON (PS3.18 §F).</param>
/// <param name="Warnings">What the proxy warns of, such as a backend that does not answer.</param>
internal sealed record StudyList(IReadOnlyList<JsonObject> Rows, IReadOnlyList<string> Warnings)
{
    /// <summary>Asks the proxy.</summary>
    /// <param name="proxy">The proxy.</param>
    /// <param name="words">The search, as <see cref="StudyQuery"/> reads it.</param>
    /// <param name="limit">The most rows.</param>
    /// <param name="cancellation">Cancels the search.</param>
    public static async Task<StudyList> AskAsync(ProxyClient proxy, IEnumerable<string> words, int limit, CancellationToken cancellation)
    {
        var today = DateOnly.FromDateTime(TimeProvider.System.GetLocalNow().DateTime);
        var (rows, warnings) = (new List<JsonObject>(), new List<string>());
        foreach (var query in StudyQuery.Read(words, today))
        {
            var path = string.Create(CultureInfo.InvariantCulture, $"/dicomweb/studies{query}{(query.Length > 1 ? "&" : "")}limit={limit}");
            var (json, said) = await proxy.AskAsync(HttpMethod.Get, path + "&includefield=00081030", null, cancellation);
            warnings.AddRange(said);
            rows.AddRange((json as JsonArray ?? []).OfType<JsonObject>());
        }
        return new([.. rows.DistinctBy(row => Read(row, "0020000D")).Take(limit)], [.. warnings.Distinct()]);
    }

    /// <summary>The first values of an attribute as text; empty for none.</summary>
    public static string Read(JsonObject row, string tag)
    {
        if (row[tag]?["Value"] is not JsonArray values) return "";
        return string.Join(", ", values.Take(8).Select(value => value is JsonObject name
            ? (string?)name["Alphabetic"] ?? (string?)name["Ideographic"] ?? ""
            : value?.ToString() ?? ""));
    }
}
