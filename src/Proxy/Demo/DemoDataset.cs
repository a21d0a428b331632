using System.Collections;
using System.Collections.Immutable;
using System.Text.Json;

namespace Proxy.Demo;

/// <summary>One attribute.</summary>
/// <param name="Tag">The tag.</param>
/// <param name="Values">The values: text, an <see cref="int"/>, a <see cref="double"/>, an item or bulk data.</param>
public sealed record DemoAttribute(DemoTag Tag, ImmutableArray<object> Values);

/// <summary>Attributes in ascending order of their tags, as DICOM JSON writes them (PS3.18 annex F).</summary>
public sealed class DemoDataset : IEnumerable<DemoAttribute>
{
    private readonly SortedList<uint, DemoAttribute> _attributes = [];

    /// <summary>A dataset with the attributes of all <paramref name="parts"/>; a later attribute replaces one with the same tag.</summary>
    public static DemoDataset Union(params IEnumerable<DemoAttribute>[] parts)
    {
        var union = new DemoDataset();
        foreach (var attribute in parts.SelectMany(part => part))
            union._attributes[attribute.Tag.Number] = attribute;
        return union;
    }

    /// <summary>The attribute of a tag, or null.</summary>
    public DemoAttribute? Find(DemoTag tag) => _attributes.GetValueOrDefault(tag.Number);

    /// <inheritdoc/>
    public IEnumerator<DemoAttribute> GetEnumerator() => _attributes.Values.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>Adds an attribute. Only for construction: datasets of studies do not change.</summary>
    internal void Add(string keyword, params ReadOnlySpan<object> values)
    {
        var tag = DemoTag.Get(keyword);
        _attributes.Add(tag.Number, new DemoAttribute(tag, [.. values]));
    }

    /// <summary>Writes a JSON object; bulk data becomes a URI below <paramref name="url"/>, the URL of the instance.</summary>
    internal void Write(Utf8JsonWriter json, string url)
    {
        json.WriteStartObject();
        foreach (var (tag, values) in _attributes.Values)
        {
            json.WriteStartObject(tag.Name);
            if (values is [DemoBulk bulk])
            {
                json.WriteString("vr", bulk.Vr);
                json.WriteString("BulkDataURI", $"{url}/bulkdata/{tag.Name}");
            }
            else
            {
                json.WriteString("vr", tag.Vr);
                WriteValues(json, tag, values, url);
            }
            json.WriteEndObject();
        }
        json.WriteEndObject();
    }

    // An attribute without values has only its VR (PS3.18 F.2.5).
    private static void WriteValues(Utf8JsonWriter json, DemoTag tag, ImmutableArray<object> values, string url)
    {
        if (values.IsEmpty) return;
        json.WriteStartArray("Value");
        foreach (var value in values)
        {
            switch (value)
            {
                case DemoDataset item: item.Write(json, url); break;
                case int number: json.WriteNumberValue(number); break;
                case double number: json.WriteNumberValue(number); break;
                case string name when tag.Vr == "PN": WriteName(json, name); break;
                case string text: json.WriteStringValue(text); break;
                default: throw new InvalidOperationException($"{tag.Keyword} cannot hold {value.GetType()}.");
            }
        }
        json.WriteEndArray();
    }

    // "Yamada^Tarou=山田^太郎=やまだ^たろう" has three groups; empty groups are omitted (PS3.18 F.2.2).
    private static void WriteName(Utf8JsonWriter json, string name)
    {
        ReadOnlySpan<string> groups = ["Alphabetic", "Ideographic", "Phonetic"];
        var parts = name.Split('=');
        json.WriteStartObject();
        for (var i = 0; i < parts.Length; i++)
            if (parts[i].Length > 0) json.WriteString(groups[i], parts[i]);
        json.WriteEndObject();
    }
}
