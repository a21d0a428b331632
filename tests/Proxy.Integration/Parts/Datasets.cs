using System.Text.Json.Nodes;

namespace Proxy.Integration;

/// <summary>Reads DICOM JSON (PS3.18 F) in tests.</summary>
public static class Datasets
{
    public static string? Text(this JsonNode dataset, uint tag) => dataset[Tags.Json(tag)]?["Value"]?[0]?.ToString();

    public static string[] Texts(this JsonNode dataset, uint tag) =>
        [.. dataset[Tags.Json(tag)]?["Value"]?.AsArray().Select(v => v!.ToString()) ?? []];

    public static string? Name(this JsonNode dataset, uint tag) => dataset[Tags.Json(tag)]?["Value"]?[0]?["Alphabetic"]?.ToString();

    public static string? BulkDataUri(this JsonNode dataset, uint tag) => dataset[Tags.Json(tag)]?["BulkDataURI"]?.ToString();

    public static Dictionary<string, JsonNode> By(this JsonArray datasets, uint uid) => datasets.ToDictionary(d => d!.Text(uid)!, d => d!);

    /// <summary>Every address anywhere in a document: <c>BulkDataURI</c> and the values of RetrieveURL.</summary>
    public static IEnumerable<string> Urls(this JsonNode node) => node switch
    {
        JsonObject attributes => attributes.SelectMany(a => a switch
        {
            { Key: "BulkDataURI" } => [a.Value!.ToString()],
            { Value: null } => [],
            _ => a.Value.Urls(),
        }),
        JsonArray items => items.Where(i => i is not null).SelectMany(i => i!.Urls()),
        _ => node.ToString() is var text && text.StartsWith("http", StringComparison.Ordinal) ? [text] : [],
    };

    /// <summary>The same dataset with every address cut to the part after its root, to compare the answers of two servers.</summary>
    public static JsonNode WithoutRoots(this JsonNode node) => node switch
    {
        JsonObject attributes => new JsonObject(attributes.Select(a => KeyValuePair.Create(a.Key, a.Key switch
        {
            "BulkDataURI" => (JsonNode)"somewhere",
            _ => a.Value?.WithoutRoots(),
        }))),
        JsonArray items => new JsonArray([.. items.Select(i => i?.WithoutRoots())]),
        _ when node.ToString() is var text && text.StartsWith("http", StringComparison.Ordinal) =>
            text[Math.Max(0, text.IndexOf("/studies/", StringComparison.Ordinal))..],
        _ => node.DeepClone(),
    };
}
