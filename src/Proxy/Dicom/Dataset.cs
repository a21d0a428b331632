using System.Collections.Immutable;
using System.Text.Json;

namespace Proxy.Dicom;

/// <summary>One DICOM JSON object (PS3.18 Annex F) as received, with an index of its attributes.</summary>
/// <remarks>
/// Values are decoded on demand and nothing is re-encoded: numbers keep their text, strings their escapes.
/// <code>
/// {"00080005":{"vr":"CS","Value":["ISO_IR 192"]},"00080018":{"vr":"UI",…},…}
///             ^ Start                          ^ End
/// </code>
/// </remarks>
/// <param name="json">The whole object, from <c>{</c> to <c>}</c>.</param>
/// <param name="attributes">The positions of its attributes.</param>
/// <param name="links">The positions of its URLs.</param>
public sealed class Dataset(ReadOnlyMemory<byte> json, ImmutableArray<Dataset.Attribute> attributes, ImmutableArray<Dataset.Link> links)
{
    /// <summary>The position of an attribute's value object in <see cref="Json"/>.</summary>
    /// <param name="Tag">The name of the attribute.</param>
    /// <param name="Start">The offset of <c>{</c>.</param>
    /// <param name="End">The offset behind <c>}</c>.</param>
    public readonly record struct Attribute(Tag Tag, int Start, int End);

    /// <summary>The position of a URL's text in <see cref="Json"/>, without its quotes, at any depth.</summary>
    /// <param name="Start">The offset of the first character.</param>
    /// <param name="End">The offset behind the last character.</param>
    /// <param name="IsBulkData">True for a BulkDataURI (PS3.18 F.2.6); false for a Retrieve URL (0008,1190).</param>
    public readonly record struct Link(int Start, int End, bool IsBulkData);

    /// <summary>The nesting limit for all code that reads a dataset: above that of the reader that accepted it.</summary>
    internal static readonly JsonReaderOptions ReaderOptions = new() { MaxDepth = 512 };

    /// <summary>The whole object, from <c>{</c> to <c>}</c>.</summary>
    public ReadOnlyMemory<byte> Json { get; } = json;

    /// <summary>The attributes of the dataset itself, not of sequence items, in the order of the text.</summary>
    public ImmutableArray<Attribute> Attributes { get; } = attributes;

    /// <summary>Every URL that the backend wrote into the dataset.</summary>
    public ImmutableArray<Link> Links { get; } = links;

    /// <summary>The number of attributes that the backend sent and the reader removed, because they were not valid DICOM JSON.</summary>
    public int LeftOut { get; init; }

    /// <summary>The value object of an attribute, such as <c>{"vr":"CS","Value":["CT"]}</c>; empty when the attribute is absent.</summary>
    public ReadOnlySpan<byte> FindAttribute(Tag tag)
    {
        foreach (var attribute in Attributes)
        {
            if (attribute.Tag == tag) return Json.Span[attribute.Start..attribute.End];
        }
        return default;
    }

    /// <summary>True when the dataset has the attribute, even with an empty value.</summary>
    public bool Has(Tag tag) => Attributes.Any(a => a.Tag == tag);

    /// <summary>
    /// The first value as text: a number as written, a person name by its alphabetic part; null when the attribute has no value.
    /// </summary>
    public string? FindString(Tag tag) => ReadFirst(FindAttribute(tag));

    /// <summary>The first value as a UID; null when the attribute has no value or the value is not a UID.</summary>
    public Uid? FindUid(Tag tag)
    {
        var attribute = FindAttribute(tag);
        if (attribute.IsEmpty) return null;
        var reader = new Utf8JsonReader(attribute, ReaderOptions);
        if (!TryEnterValues(ref reader)) return null;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            // The usual case: parse the bytes, so that the UID's own string is the only allocation.
            if (reader.TokenType == JsonTokenType.String && !reader.ValueIsEscaped)
                return Uid.TryParse(reader.ValueSpan, out var plain) ? plain : null;
            // A UID is a JSON string (PS3.18 §F.2.3): a number has lost its trailing zeros, at least.
            if (reader.TokenType == JsonTokenType.Number) return null;
            if (ReadValue(ref reader) is { } text) return Uid.TryParse(text, out var uid) ? uid : null;
        }
        return null;
    }

    /// <summary>The first value as an integer; null when the attribute has no value or the value is not an integer.</summary>
    public int? FindInt(Tag tag) =>
        int.TryParse(
            FindString(tag), System.Globalization.NumberStyles.Integer, System.Globalization.CultureInfo.InvariantCulture,
            out var value) ? value : null;

    /// <summary>Copies the first value's text as UTF-8, truncated to <paramref name="room"/>, without allocating a string.</summary>
    /// <param name="tag">The attribute.</param>
    /// <param name="room">Receives the text.</param>
    /// <returns>The number of bytes written.</returns>
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

    /// <summary>All values as text; null for an empty value (PS3.18 F.2.5).</summary>
    public ImmutableArray<string?> FindStrings(Tag tag) => ReadStrings(FindAttribute(tag));

    /// <summary>The values of a value object that <see cref="FindAttribute"/> returned.</summary>
    internal static ImmutableArray<string?> ReadStrings(ReadOnlySpan<byte> attribute)
    {
        if (attribute.IsEmpty) return [];
        var reader = new Utf8JsonReader(attribute, ReaderOptions);
        return TryEnterValues(ref reader) ? ReadValues(ref reader) : [];
    }

    /// <summary>The first value of <see cref="ReadStrings"/> that is not null.</summary>
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

    /// <summary>Moves the reader past the <c>[</c> of <c>"Value":[</c>; false if it is missing.</summary>
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
