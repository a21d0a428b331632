using System.Text.Json.Nodes;
using Proxy.Tests.Rules;
using Xunit;

namespace Proxy.Tests;

/// <summary>The reference and the schema for editors contain every setting that the proxy reads, and no other.</summary>
public sealed class SettingsReferenceTests
{
    private const string Start = "<!-- settings -->\n";
    private const string End = "<!-- end of settings -->";

    private static readonly string Document = File.ReadAllText(SourceTree.GetPath("docs/settings.md"));

    [Fact]
    public void TheTablesAreThoseOfTheCode()
    {
        var tables = SettingsReference.RenderTables(SettingsReference.ReadAll(), SettingsReference.ReadMeanings(Document));
        var start = Document.IndexOf(Start, StringComparison.Ordinal) + Start.Length;
        var end = Document.IndexOf(End, StringComparison.Ordinal);

        AssertCurrent("docs/settings.md", Document[..start] + tables + Document[end..]);
    }

    [Fact]
    public void EverySettingHasAMeaning()
    {
        var meanings = SettingsReference.ReadMeanings(Document);

        Assert.DoesNotContain(SettingsReference.ReadAll(), s => string.IsNullOrWhiteSpace(meanings.GetValueOrDefault(s.Key)));
    }

    [Fact]
    public void TheSchemaIsThatOfTheCode() => AssertCurrent(
        "config/settings.schema.json",
        SettingsReference.RenderSchema(SettingsReference.ReadAll(), SettingsReference.ReadMeanings(Document)));

    [Theory]
    [InlineData("Backends:{name}:Timeout", "string", "00:00:30")]
    [InlineData("Search:MaxResults", "integer", "1000")]
    [InlineData("Prefetch:SeriesReadAhead", "boolean", "true")]
    public void TheSchemaHasTypesAndDefaults(string key, string type, string value)
    {
        JsonNode node = JsonNode.Parse(File.ReadAllText(SourceTree.GetPath("config/settings.schema.json")))!;
        foreach (var part in key.Split(':')) node = part == "{name}" ? node["additionalProperties"]! : node["properties"]![part]!;

        Assert.Equal((type, value), ((string)node["type"]!, node["default"]!.ToString()));
        Assert.NotEmpty((string)node["description"]!);
    }

    private static void AssertCurrent(string file, string expected)
    {
        var path = SourceTree.GetPath(file);
        if (File.Exists(path) && File.ReadAllText(path) == expected) return;
        var current = Path.Combine(AppContext.BaseDirectory, Path.GetFileName(file));
        File.WriteAllText(current, expected);
        Assert.Fail($"{file} is not up to date. Copy {current} over it, and write the meaning of a new setting in docs/settings.md.");
    }
}
