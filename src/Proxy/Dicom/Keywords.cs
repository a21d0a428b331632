using System.Collections.Frozen;
using System.Globalization;

namespace Proxy.Dicom;

/// <summary>
/// The keywords of the data dictionary (PS3.6 §6) for the groups that describe patients, studies, series and instances:
/// 0008, 0010, 0018, 0020, 0028, 0032, 0038, 0040 and 0054.
/// </summary>
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
        while (reader.ReadLine() is { } line) tags.Add(line[9..], new(uint.Parse(line.AsSpan(0, 8), NumberStyles.HexNumber, CultureInfo.InvariantCulture)));
        return tags.ToFrozenDictionary(StringComparer.Ordinal);
    }
}
