using System.Text.Json.Nodes;

namespace Proxy.Tests.Pacs;

/// <summary>Builds DICOM JSON (PS3.18 Annex F) as an archive writes it.</summary>
public static class DicomJson
{
    /// <summary>A dataset, its attributes in the order of their tags.</summary>
    public static JsonObject Dataset(params IEnumerable<(string Tag, string Vr, object? Value)> attributes)
    {
        var dataset = new JsonObject();
        foreach (var (tag, vr, value) in attributes.OrderBy(a => a.Tag, StringComparer.Ordinal)) dataset[tag] = Attribute(vr, value);
        return dataset;
    }

    private static JsonObject Attribute(string vr, object? value)
    {
        var attribute = new JsonObject { ["vr"] = vr };
        if (value is Uri uri) attribute["BulkDataURI"] = uri.ToString();
        else if (value is string[] many) attribute["Value"] = new JsonArray([.. many.Select(v => JsonValue.Create(v))]);
        else if (value is int number) attribute["Value"] = new JsonArray(number);
        else if (value is string text && vr == "PN") attribute["Value"] = new JsonArray(new JsonObject { ["Alphabetic"] = text });
        else if (value is string single) attribute["Value"] = new JsonArray(single);
        return attribute;
    }
}
