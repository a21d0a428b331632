using System.Text.Json.Nodes;
using Proxy.Tests.Pacs;

namespace Proxy.Tests.Audit;

/// <summary>The FHIR records that a proxy has written to a folder.</summary>
internal static class AuditFiles
{
    /// <summary>Reads all records so far, in the order of the files.</summary>
    public static IReadOnlyList<JsonNode> Read(string folder) =>
    [
        .. Directory.Exists(folder)
            ? Directory.EnumerateFiles(folder, "*.ndjson").Order(StringComparer.Ordinal).SelectMany(ReadLines)
                .Select(line => JsonNode.Parse(line)!)
            : [],
    ];

    /// <summary>Waits for a record, and returns it.</summary>
    public static async Task<JsonNode> WaitAsync(string folder, Func<JsonNode, bool> isWanted)
    {
        JsonNode? found = null;
        await Until.TrueAsync(() => (found = Read(folder).FirstOrDefault(isWanted)) is not null);
        return found!;
    }

    /// <summary>The code of the event.</summary>
    public static string GetEvent(this JsonNode record) => (string)record["type"]!["code"]!;

    /// <summary>The study; null for none.</summary>
    public static string? FindStudy(this JsonNode record) => GetEntities(record)
        .Select(e => (string?)e!["what"]?["identifier"]?["value"])
        .FirstOrDefault(value => value?.StartsWith("urn:oid:", StringComparison.Ordinal) == true)?["urn:oid:".Length..];

    /// <summary>A detail of the study or the query; null for none.</summary>
    public static string? FindDetail(this JsonNode record, string type) => GetEntities(record)
        .SelectMany(e => e!["detail"]?.AsArray() ?? []).Where(d => (string)d!["type"]! == type)
        .Select(d => (string?)d!["valueString"]).FirstOrDefault();

    private static IEnumerable<JsonNode?> GetEntities(JsonNode record) => record["entity"]?.AsArray() ?? [];

    /// <summary>The complete lines: the last one may still be written.</summary>
    private static IEnumerable<string> ReadLines(string file)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var reader = new StreamReader(stream);
        var text = reader.ReadToEnd();
        return text[..(text.LastIndexOf('\n') + 1)].Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
