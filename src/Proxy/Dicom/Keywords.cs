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
    private static readonly FrozenDictionary<string, Tag> Tags = Read();

    /// <summary>Reads an attribute's name in a query: a keyword or eight hexadecimal digits (PS3.18 §8.3.4.1).</summary>
    public static bool TryParse(string name, out Tag tag) => Tag.TryParse(name, out tag) || Tags.TryGetValue(name, out tag);

    private static FrozenDictionary<string, Tag> Read()
    {
        using var resource = typeof(Keywords).Assembly.GetManifestResourceStream("keywords.txt")!;
        using var reader = new StreamReader(resource);
        var tags = new Dictionary<string, Tag>(StringComparer.Ordinal);
        while (reader.ReadLine() is { } line)
            tags.Add(line[9..], new(uint.Parse(line.AsSpan(0, 8), NumberStyles.HexNumber, CultureInfo.InvariantCulture)));
        return tags.ToFrozenDictionary(StringComparer.Ordinal);
    }
}
