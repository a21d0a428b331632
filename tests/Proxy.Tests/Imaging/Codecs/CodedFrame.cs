using System.Globalization;
using Proxy.Imaging;
using Proxy.Tests.Rules;

namespace Proxy.Tests.Imaging.Codecs;

/// <summary>A frame of the folder Frames, with what it must decode to.</summary>
public sealed record CodedFrame(string Name, string TransferSyntax, PixelLayout Layout, byte[] Codestream)
{
    private const string Folder = "tests/Proxy.Tests/Imaging/Codecs/Frames";

    private static readonly Lazy<Dictionary<string, CodedFrame>> Table = new(ReadTable);

    public required string Photometric { get; init; }

    public required bool IsPlanar { get; init; }

    public required byte[] Oracle { get; init; }

    public required int Tolerance { get; init; }

    public static IEnumerable<string> Names => Table.Value.Keys;

    public static CodedFrame Get(string name) => Table.Value[name];

    public static byte[] ReadRaw(string name) => File.ReadAllBytes(SourceTree.GetPath($"{Folder}/{name}.raw"));

    private static Dictionary<string, CodedFrame> ReadTable() =>
        File.ReadLines(SourceTree.GetPath($"{Folder}/README.md"))
            .Where(l => l.StartsWith("| ", StringComparison.Ordinal) && !l.StartsWith("| frame ", StringComparison.Ordinal))
            .Select(l => Read([.. l.Split('|').Skip(1).Select(c => c.Trim())]))
            .ToDictionary(f => f.Name);

    private static CodedFrame Read(string[] row)
    {
        var layout = new PixelLayout
        {
            Rows = Number(row[2]),
            Columns = Number(row[3]),
            SamplesPerPixel = Number(row[4]),
            PhotometricInterpretation = row[5],
            BitsAllocated = Number(row[6]),
            BitsStored = Number(row[7]),
            HighBit = Number(row[7]) - 1,
            IsSigned = row[8] == "1",
            IsPlanar = row[9] == "1",
        };
        return new(row[0], "1.2.840.10008.1.2." + row[1], layout, File.ReadAllBytes(SourceTree.GetPath($"{Folder}/{row[0]}.frame")))
        {
            Photometric = row[10],
            IsPlanar = row[11] == "1",
            Oracle = ReadRaw(row[12]),
            Tolerance = Number(row[13]),
        };
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
