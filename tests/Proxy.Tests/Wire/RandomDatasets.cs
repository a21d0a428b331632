using System.Globalization;
using System.Text;

namespace Proxy.Tests.Wire;

/// <summary>Random answers of every shape that DICOM JSON allows, repeatable by seed.</summary>
internal static class RandomDatasets
{
    private static readonly string[] Strings =
        ["ISO_IR 192", "Müller^Jörg", "山田^太郎", "a\\\"b\\\\c\\/d", "\\u00e9\\ud83d\\ude00", "", "1.2.840.10008.1.2.1",
        "{\\\"vr\\\":\\\"UI\\\"}", "[]},{", "😀"];

    private static readonly string[] Numbers = ["0", "-1", "1.50", "1e400", "123456789012345678901234567890", "0.0000001"];

    /// <summary>An array of <paramref name="count"/> datasets, written with more or less white space.</summary>
    public static byte[] Answer(int seed, int count) => Encoding.UTF8.GetBytes(Answer(new Random(seed), count));

    /// <summary>The texts of the datasets of <see cref="Answer(int, int)"/>.</summary>
    public static List<string> Texts(int seed, int count)
    {
        var texts = new List<string>();
        Answer(new Random(seed), count, texts);
        return texts;
    }

    private static string Answer(Random random, int count, List<string>? texts = null)
    {
        var answer = new StringBuilder(Space(random)).Append('[').Append(Space(random));
        for (var i = 0; i < count; i++)
        {
            if (i > 0) answer.Append(',').Append(Space(random));
            var text = Dataset(random, 0);
            texts?.Add(text);
            answer.Append(text).Append(Space(random));
        }
        return answer.Append(']').ToString();
    }

    private static string Dataset(Random random, int depth)
    {
        var members = new List<string>();
        var tag = 0x00080000u;
        for (var i = random.Next(depth == 0 ? 25 : 4); i > 0; i--)
        {
            tag += (uint)random.Next(1, 0x8000);
            if (tag == 0x00081190) tag++; // a Retrieve URL would be rewritten
            var name = tag.ToString(random.Next(2) == 0 ? "X8" : "x8", CultureInfo.InvariantCulture);
            members.Add($"\"{name}\"{Space(random)}:{Space(random)}{Attribute(random, depth)}");
        }
        return "{" + Space(random) + string.Join("," + Space(random), members) + "}";
    }

    private static string Attribute(Random random, int depth) => random.Next(depth < 3 ? 9 : 8) switch
    {
        0 => """{"vr":"CS"}""",
        1 => $$"""{"vr":"OW","InlineBinary":"{{Convert.ToBase64String(new byte[random.Next(600)])}}"}""",
        2 => $$"""{"vr":"OW", "BulkDataURI" : "{{Url(random)}}"}""",
        3 => $$"""{"vr":"DS","Value":[{{Numbers[random.Next(Numbers.Length)]}},null]}""",
        4 => $$"""{"Value":[{"Alphabetic":"{{Strings[random.Next(Strings.Length)]}}"},null],"vr":"PN"}""",
        8 => $$"""{"vr":"SQ","Value":[{{Dataset(random, depth + 1)}},{}]}""",
        _ => $$"""{"vr":"UT","Value":["{{Strings[random.Next(Strings.Length)]}}","{{new string('x', random.Next(1, 100))}}"]}""",
    };

    private static string Url(Random random) => random.Next(3) switch
    {
        0 => "http:\\/\\/pacs:8042\\/dicom-web\\/studies\\/1.2\\/bulk\\/1",
        1 => "../bulk/" + random.Next(100).ToString(CultureInfo.InvariantCulture),
        _ => "http://pacs:8042/dicom-web/studies/1.2/series/1.3/instances/1.4/bulk/7fe00010",
    };

    private static string Space(Random random) => random.Next(4) switch { 0 => "\n\t", 1 => " ", _ => "" };
}
