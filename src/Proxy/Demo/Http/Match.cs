using System.Globalization;
using System.IO.Enumeration;

namespace Proxy.Demo.Http;

/// <summary>Matching of attributes against the keys of a query (PS3.4 C.2.2.2).</summary>
internal static class Match
{
    /// <summary>Whether an attribute matches a key.</summary>
    public static bool Is(DemoTag tag, DemoAttribute? attribute, string wanted)
    {
        // Universal matching: an empty key matches everything.
        if (wanted.Length == 0) return true;
        return attribute is not null && attribute.Values.SelectMany(value => Texts(tag, value)).Any(text => Is(tag, text, wanted));
    }

    private static bool Is(DemoTag tag, string text, string wanted) => tag switch
    {
        { Vr: "UI" } => wanted.Split(',', '\\').Contains(text, StringComparer.Ordinal),
        { Vr: "DA" or "TM" } => InRange(text, wanted),
        // Several modalities match if any of them does, as in most PACS and viewers.
        { Keyword: "ModalitiesInStudy" } => wanted.Split(',', '\\').Any(m => FileSystemName.MatchesSimpleExpression(m, text, false)),
        // Text is case-insensitive; codes are case-sensitive.
        _ => FileSystemName.MatchesSimpleExpression(wanted, text, tag.Vr is not "CS"),
    };

    // Forms: "a-b", "-b", "a-" and "a". Dates and times of the same length compare as text.
    private static bool InRange(string text, string wanted)
    {
        if (wanted.IndexOf('-', StringComparison.Ordinal) is var dash && dash < 0) return text == wanted;
        var (from, to) = (wanted[..dash], wanted[(dash + 1)..]);
        return (from.Length == 0 || string.CompareOrdinal(text, from) >= 0) && (to.Length == 0 || string.CompareOrdinal(text, to) <= 0);
    }

    private static string[] Texts(DemoTag tag, object value) => value switch
    {
        string name when tag.Vr == "PN" => name.Split('='),
        string text => [text],
        IFormattable number => [number.ToString(null, CultureInfo.InvariantCulture)],
        _ => [],
    };
}
