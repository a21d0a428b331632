using System.Collections.Frozen;
using System.Globalization;

namespace Proxy.Dicom;

/// <summary>The keywords of the data dictionary: all of PS3.6, retired ones included, and the commands of PS3.7 Annex E.</summary>
/// <remarks>
/// <c>keywords.txt</c> was generated from the dictionaries of pydicom 2.3.1 and dcmjs 0.51.1, with one tag and one keyword per line.
/// A repeating group (60xx) is listed under its first tag (6000).
/// </remarks>
public static class Keywords
{
    private static readonly FrozenDictionary<string, Tag> Tags =
        ReadAll().ToFrozenDictionary(k => k.Keyword, k => k.Tag, StringComparer.Ordinal);

    /// <summary>Of two keywords of a tag, the first is that of a retired repeating group: the second has this tag alone.</summary>
    private static readonly Lazy<FrozenDictionary<Tag, string>> Names = new(
        () => ReadAll().GroupBy(k => k.Tag).ToFrozenDictionary(k => k.Key, k => k.Last().Keyword));

    /// <summary>Reads an attribute's name in a query: a keyword or eight hexadecimal digits (PS3.18 §8.3.4.1).</summary>
    public static bool TryParse(string name, out Tag tag) => Tag.TryParse(name, out tag) || Tags.TryGetValue(name, out tag);

    /// <summary>The keyword of an attribute, also in a repeating group; null for a private or unknown attribute.</summary>
    public static string? Find(Tag tag) =>
        Names.Value.TryGetValue(tag, out var name) || IsRepeating(tag) && Names.Value.TryGetValue(new(tag.Value & 0xFF00FFFF), out name)
            ? name
            : null;

    /// <summary>Groups 5000 to 501E and 6000 to 601E (PS3.5 §7.6); odd groups are private.</summary>
    private static bool IsRepeating(Tag tag) => (tag.Value >> 24) is 0x50 or 0x60 && !tag.IsPrivate;

    private static IEnumerable<(Tag Tag, string Keyword)> ReadAll()
    {
        using var resource = typeof(Keywords).Assembly.GetManifestResourceStream("keywords.txt")!;
        using var reader = new StreamReader(resource);
        while (reader.ReadLine() is { } line)
            yield return (new(uint.Parse(line.AsSpan(0, 8), NumberStyles.HexNumber, CultureInfo.InvariantCulture)), line[9..]);
    }
}
