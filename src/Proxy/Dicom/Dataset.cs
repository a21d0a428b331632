using System.Collections.Immutable;
using System.Text.Json;

namespace Proxy.Dicom;

/// <summary>One DICOM JSON object (PS3.18 Annex F) in the bytes that it came in, with an index of its attributes.</summary>
/// <remarks>
/// Nothing is decoded before it is asked for and nothing is written anew: numbers keep their text, strings their escapes.
/// <code>
/// {"00080005":{"vr":"CS","Value":["ISO_IR 192"]},"00080018":{"vr":"UI",…},…}
///             ^ Start                          ^ End
/// </code>
/// </remarks>
public sealed class Dataset(ReadOnlyMemory<byte> json, ImmutableArray<Dataset.Attribute> attributes, ImmutableArray<Dataset.Link> links)
{
    /// <summary>Where the value object of an attribute stands in <see cref="Json"/>.</summary>
    public readonly record struct Attribute(Tag Tag, int Start, int End);

    /// <summary>Where the text of a URL stands in <see cref="Json"/>, at whatever depth, without its quotes.</summary>
    /// <param name="IsBulkData">A BulkDataURI (PS3.18 F.2.6); else a Retrieve URL (0008,1190).</param>
    public readonly record struct Link(int Start, int End, bool IsBulkData);

    /// <summary>
    /// How deep the values of a dataset may nest for whoever reads them: no reader here is stricter than the one that let it in.
    /// </summary>
    internal static readonly JsonReaderOptions ReaderOptions = new() { MaxDepth = 512 };

    /// <summary>The whole object, from <c>{</c> to <c>}</c>.</summary>
    public ReadOnlyMemory<byte> Json { get; } = json;

    /// <summary>The attributes of the dataset itself, not of items inside sequences, in the order of the text.</summary>
    public ImmutableArray<Attribute> Attributes { get; } = attributes;

    /// <summary>Every URL that the backend wrote into the dataset.</summary>
    public ImmutableArray<Link> Links { get; } = links;

    /// <summary>Attributes that the backend sent and that are not in the dataset, because they were not DICOM JSON.</summary>
    public int LeftOut { get; init; }

    /// <summary>The value object of an attribute, such as <c>{"vr":"CS","Value":["CT"]}</c>; empty when it is not there.</summary>
    public ReadOnlySpan<byte> FindAttribute(Tag tag)
    {
        foreach (var attribute in Attributes)
        {
            if (attribute.Tag == tag) return Json.Span[attribute.Start..attribute.End];
        }
        return default;
    }

    public bool Has(Tag tag) => Attributes.Any(a => a.Tag == tag);

    /// <summary>The first value as text; a number as it is written, a person name by its alphabetic part; null when empty.</summary>
    public string? FindString(Tag tag) => ReadFirst(FindAttribute(tag));

    public Uid? FindUid(Tag tag)
    {
        var attribute = FindAttribute(tag);
        if (attribute.IsEmpty) return null;
        var reader = new Utf8JsonReader(attribute, ReaderOptions);
        if (!TryEnterValues(ref reader)) return null;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            // As nearly every UID stands: no text but the UID's own is made of it.
            if (reader.TokenType == JsonTokenType.String && !reader.ValueIsEscaped)
                return Uid.TryParse(reader.ValueSpan, out var plain) ? plain : null;
            if (ReadValue(ref reader) is { } text) return Uid.TryParse(text, out var uid) ? uid : null;
        }
        return null;
    }

    public int? FindInt(Tag tag) =>
        int.TryParse(
            FindString(tag), System.Globalization.NumberStyles.Integer, System.Globalization.CultureInfo.InvariantCulture,
            out var value) ? value : null;

    /// <summary>
    /// The first value's text as UTF-8, as much of it as there is room for; no text is made of it. Gives the number of bytes.
    /// </summary>
    public int CopyFirst(Tag tag, Span<byte> room)
    {
        var attribute = FindAttribute(tag);
        if (attribute.IsEmpty) return 0;
        var reader = new Utf8JsonReader(attribute, ReaderOptions);
        if (!TryEnterValues(ref reader) || !reader.Read()) return 0;
        if (reader.TokenType == JsonTokenType.String && !reader.ValueIsEscaped)
        {
            var length = Math.Min(room.Length, reader.ValueSpan.Length);
            reader.ValueSpan[..length].CopyTo(room);
            return length;
        }
        System.Text.Unicode.Utf8.FromUtf16(FindString(tag), room, out _, out var written);
        return written;
    }

    /// <summary>All values as text; null for an empty one (PS3.18 F.2.5).</summary>
    public ImmutableArray<string?> FindStrings(Tag tag) => ReadStrings(FindAttribute(tag));

    /// <summary>The values of a value object such as <see cref="FindAttribute"/> gives.</summary>
    internal static ImmutableArray<string?> ReadStrings(ReadOnlySpan<byte> attribute)
    {
        if (attribute.IsEmpty) return [];
        var reader = new Utf8JsonReader(attribute, ReaderOptions);
        return TryEnterValues(ref reader) ? ReadValues(ref reader) : [];
    }

    /// <summary>The first of <see cref="ReadStrings"/> that is not null.</summary>
    internal static string? ReadFirst(ReadOnlySpan<byte> attribute)
    {
        if (attribute.IsEmpty) return null;
        var reader = new Utf8JsonReader(attribute, ReaderOptions);
        if (!TryEnterValues(ref reader)) return null;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (ReadValue(ref reader) is { } value) return value;
        }
        return null;
    }

    /// <summary>Goes behind the <c>[</c> of <c>"Value":[</c>; false when there is none.</summary>
    private static bool TryEnterValues(ref Utf8JsonReader reader)
    {
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isValue = reader.ValueTextEquals("Value"u8);
            reader.Read();
            if (isValue && reader.TokenType == JsonTokenType.StartArray) return true;
            reader.Skip();
        }
        return false;
    }

    private static ImmutableArray<string?> ReadValues(ref Utf8JsonReader reader)
    {
        var values = ImmutableArray.CreateBuilder<string?>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray) values.Add(ReadValue(ref reader));
        return values.ToImmutable();
    }

    private static string? ReadValue(ref Utf8JsonReader reader)
    {
        switch (reader.TokenType)
        {
            case JsonTokenType.String:
                return reader.GetString();
            case JsonTokenType.Number:
                return System.Text.Encoding.ASCII.GetString(reader.ValueSpan);
            case JsonTokenType.StartObject:
                string? name = null;
                while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
                {
                    var isAlphabetic = reader.ValueTextEquals("Alphabetic"u8);
                    reader.Read();
                    if (isAlphabetic && reader.TokenType == JsonTokenType.String) name = reader.GetString();
                    else reader.Skip();
                }
                return name;
            default:
                reader.Skip();
                return null;
        }
    }
}
