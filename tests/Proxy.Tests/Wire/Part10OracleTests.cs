using System.Globalization;
using System.Text.Json.Nodes;
using Proxy.Wire.Part10;
using Xunit;

namespace Proxy.Tests.Wire;

/// <summary>
/// Reads the files in <c>Part10Files</c> as pydicom and dcm2json (dcmtk) read them. <c>generate.py</c> there wrote the files and what
/// the two read.
/// </summary>
public sealed class Part10OracleTests
{
    private static readonly string Folder = Path.Combine(AppContext.BaseDirectory, "Wire", "Part10Files");

    /// <summary>Elements that an oracle reads otherwise, with the reason.</summary>
    private static readonly Dictionary<string, string> Differences = new()
    {
        ["pydicom */00080005"] = "pydicom keeps the name of the character set; the JSON is UTF-8 (PS3.18 §F.2)",
        ["pydicom text-chinese/00100010"] = "pydicom 2.3.1 does not decode ISO 2022 IR 58",
        ["pydicom vrs-bigendian/*OW"] = "pydicom keeps the byte order of the file; JSON is little endian (PS3.18 §F.2.7)",
        ["pydicom vrs-bigendian/*OF"] = "as OW",
        ["pydicom vrs-bigendian/*OD"] = "as OW",
        ["pydicom vrs-bigendian/*OL"] = "as OW",
        ["pydicom vrs-bigendian/*OV"] = "as OW",
        ["pydicom image-bigendian/*OW"] = "as OW",
        ["pydicom image-explicit/00283000.1.00283002"] = "pydicom reads the first number of a LUT descriptor without its sign",
        ["pydicom image-bigendian/00283000.1.00283002"] = "pydicom reads the first number of a LUT descriptor without its sign",
        ["dcm2json image-implicit/00283000.1.00283002"] = "dcm2json does not look at the Pixel Representation outside of the item",
        ["dcm2json known-as-un/00400254"] = "dcm2json keeps a standard element as UN",
        ["dcm2json known-as-un/00400280"] = "dcm2json keeps a standard element as UN",
        ["dcm2json */00189309"] = "dcm2json rounds -1e300",
    };

    public static TheoryData<string> Names =>
        [.. Directory.EnumerateFiles(Folder, "*.dcm").Select(file => Path.GetFileNameWithoutExtension(file))];

    [Theory]
    [MemberData(nameof(Names))]
    public void ReadsWhatTheOraclesRead(string name)
    {
        var read = Flatten(Read(name)).ToDictionary();
        Assert.Equal("UI", read["00083002"][..2]);
        read.Remove("00083002");
        var oracles = JsonNode.Parse(File.ReadAllText(Path.Combine(Folder, name + ".json")))!.AsObject();
        foreach (var (oracle, expected) in oracles)
        {
            if (expected is null) continue;
            var elements = expected.AsObject().ToDictionary(e => e.Key, e => e.Value!.GetValue<string>());
            Assert.Equal(elements.Keys.Order(StringComparer.Ordinal), read.Keys.Order(StringComparer.Ordinal));
            foreach (var (path, text) in elements)
            {
                if (!IsKnownDifference(oracle, name, path, text[..2]))
                    Assert.Equal((path, Normalize(text)), (path, Normalize(read[path])));
            }
        }
    }

    [Fact]
    public void EveryFileWasReadByAnOracle()
    {
        Assert.True(Names.Count >= 35);
        Assert.All(Names, name => Assert.Contains(
            JsonNode.Parse(File.ReadAllText(Path.Combine(Folder, name.Data + ".json")))!.AsObject(), oracle => oracle.Value is not null));
    }

    private static bool IsKnownDifference(string oracle, string name, string path, string vr) =>
        Differences.ContainsKey($"{oracle} {name}/{path}") || Differences.ContainsKey($"{oracle} */{path}")
        || Differences.ContainsKey($"{oracle} {name}/*{vr}");

    private static JsonObject Read(string name)
    {
        var file = File.ReadAllBytes(Path.Combine(Folder, name + ".dcm"));
        return JsonNode.Parse(Part10DatasetReading.Read(file).Json.Span)!.AsObject();
    }

    private static IEnumerable<KeyValuePair<string, string>> Flatten(JsonObject dataset, string prefix = "")
    {
        foreach (var (tag, attribute) in dataset)
        {
            var vr = attribute!["vr"]!.GetValue<string>();
            var values = attribute["Value"]?.AsArray();
            var text = attribute["InlineBinary"] is { } inline
                ? Convert.ToHexStringLower(Convert.FromBase64String(inline.GetValue<string>()))
                : vr == "SQ" ? "" : string.Join('|', values?.Select(GetText) ?? []);
            yield return new(prefix + tag, $"{vr} {text}");
            for (var i = 0; vr == "SQ" && i < values?.Count; i++)
            {
                foreach (var nested in Flatten(values[i]!.AsObject(), $"{prefix}{tag}.{i + 1}.")) yield return nested;
            }
        }
    }

    private static string GetText(JsonNode? value) => value switch
    {
        null => "",
        JsonObject name => $"{name["Alphabetic"]}={name["Ideographic"]}={name["Phonetic"]}".TrimEnd('='),
        _ => value.ToString(),
    };

    /// <summary>Programs write the same number differently; a float has fewer digits than a double.</summary>
    private static string Normalize(string text) => text[..2] switch
    {
        "DS" or "FD" or "SV" or "UV" => NormalizeNumbers(text, static number => number),
        "FL" => NormalizeNumbers(text, static number => (float)number),
        "PN" => string.Join('|', text.Split('|').Select(name => name.TrimEnd('='))),
        _ => text,
    };

    private static string NormalizeNumbers(string text, Func<double, double> round) => string.Join(
        '|',
        text[3..].Split('|').Select(number => double.TryParse(number, NumberStyles.Float, CultureInfo.InvariantCulture, out var value)
            ? round(value).ToString(CultureInfo.InvariantCulture)
            : number));
}

/// <summary>Reads a Part 10 file in memory.</summary>
internal static class Part10DatasetReading
{
    public const string Links = "\uFFFF/studies/2.25.1/series/2.25.2/instances/2.25.7/bulkdata/east/#";

    /// <summary>The dataset of a file, read in pieces of at most <paramref name="piece"/> bytes.</summary>
    public static Part10Dataset Read(ReadOnlyMemory<byte> file, int piece = int.MaxValue) =>
        Part10DatasetReader.Read(file.Length, (at, room) => ReadAt(file.Span, at, room[..Math.Min(room.Length, piece)]), Links);

    private static int ReadAt(ReadOnlySpan<byte> file, long at, Span<byte> room)
    {
        var count = (int)Math.Min(room.Length, file.Length - at);
        file.Slice((int)at, count).CopyTo(room);
        return count;
    }
}
