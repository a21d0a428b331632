using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json.Nodes;
using Proxy.Wire;
using Proxy.Wire.Part10;
using Xunit;
using static Proxy.Tests.Wire.Part10File;

namespace Proxy.Tests.Wire;

public sealed class Part10DatasetReaderTests
{
    private const string Deflated = "1.2.840.10008.1.2.1.99";
    private const uint PatientName = 0x00100010;
    private const uint PrivateSequence = 0x00E11001;
    private const uint IconImageSequence = 0x00880200;
    private const uint PixelData = 0x7FE00010;

    [Fact]
    public void WritesDicomJson()
    {
        string[] expected =
        [
            """{"00080018":{"vr":"UI","Value":["2.25.7"]}""",
            """ "00080060":{"vr":"CS","Value":["CT",null,"MR"]}""",
            """ "00083002":{"vr":"UI","Value":["1.2.840.10008.1.2.1"]}""",
            """ "00100010":{"vr":"PN","Value":[{"Alphabetic":"Doe^J","Phonetic":"D"},null]}""",
            """ "00101030":{"vr":"DS","Value":[1.50]}""",
            """ "00200013":{"vr":"IS","Value":["007"]}""",
            """ "00200032":{"vr":"DS","Value":["+1",-0.5e-3,null,"1."]}""",
            """ "00209165":{"vr":"AT","Value":["7FE00010"]}""",
            """ "00280010":{"vr":"US","Value":[512]}""",
            """ "0040A160":{"vr":"UT"}""",
            """ "00720065":{"vr":"OB","InlineBinary":"AQID"}}""",
        ];
        var file = new Part10File().Set(0x00080000, "UL", UInt(4)).Set(0x00080060, "CS", "CT\\\\ MR ").Set(PatientName, "PN", "Doe^J==D\\")
            .Set(0x00101030, "DS", " 1.50 ").Set(0x00200013, "IS", "007").Set(0x00200032, "DS", "+1\\-0.5e-3\\\\1.")
            .Set(0x00209165, "AT", [0xE0, 0x7F, 0x10, 0]).Set(0x00280010, "US", 512).Set(0x0040A160, "UT", "  ")
            .Set(0x00720065, "OB", [1, 2, 3]);
        Assert.Equal(string.Join(',', expected.Select(line => line.Trim())), ReadText(file));
    }

    [Fact]
    public void WritesNumbersThatReadBackAsTheSameBits()
    {
        double[] doubles = [0, -0.0, 1, -2000, 1.5, 4194303, 4194304, -4194305, 1e15, 1e300, double.Epsilon, 1 / 3.0];
        float[] singles = [0, -0f, 1, -2000, 1.5f, 4194303, 4194304, 9999999, 1e7f, float.MaxValue, float.Epsilon, 1 / 3f];
        var json = ReadJson(new Part10File().Set(0x00189073, "FD", MemoryMarshal.AsBytes(doubles.AsSpan()).ToArray())
            .Set(0x00189074, "FL", MemoryMarshal.AsBytes(singles.AsSpan()).ToArray()));
        Assert.Equal(
            doubles.Select(BitConverter.DoubleToInt64Bits),
            json["00189073"]!["Value"]!.AsArray().Select(n => BitConverter.DoubleToInt64Bits(n!.GetValue<double>())));
        Assert.Equal(
            singles.Select(BitConverter.SingleToInt32Bits),
            json["00189074"]!["Value"]!.AsArray().Select(n => BitConverter.SingleToInt32Bits(n!.GetValue<float>())));
    }

    [Theory]
    [InlineData("1\\-2.5\\3e5\\0\\-0.1E-7", "[1,-2.5,3e5,0,-0.1E-7]")]
    [InlineData("1\\02\\3", "[1,\"02\",3]")]
    [InlineData("1\\\\3\\", "[1,null,3,null]")]
    [InlineData("1.\\.5\\1e\\-\\+1\\1 2", "[\"1.\",\".5\",\"1e\",\"-\",\"+1\",\"1 2\"]")]
    [InlineData("-", "[\"-\"]")]
    public void KeepsTheTextOfDecimalNumbers(string text, string expected) => Assert.Equal(
        expected, ReadJson(new Part10File().Set(0x00200032, "DS", text))["00200032"]!["Value"]!.ToJsonString(
            new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }));

    [Fact]
    public void AnswersTheSame_InEveryTransferSyntax()
    {
        var file = Fill(new()).ToArray();
        var expected = Text(file).Replace($"\"{Explicit}\"", "\"\"", StringComparison.Ordinal);
        Assert.Equal(expected, Text(Fill(new(Implicit)).ToArray()).Replace($"\"{Implicit}\"", "\"\"", StringComparison.Ordinal));
        Assert.Equal(expected, Text(Deflate(Fill(new(Deflated)))).Replace($"\"{Deflated}\"", "\"\"", StringComparison.Ordinal));
        for (var piece = 1; piece < 20; piece++)
            Assert.Equal(Text(file), Encoding.UTF8.GetString(Part10DatasetReading.Read(file, piece).Json.Span));

        static Part10File Fill(Part10File file) => file.Set(PatientName, "PN", "Doe^J").Set(0x00280103, "US", 1)
            .Set(0x00280106, "SS", [0xFF, 0xFF]).Set(0x00282110, "CS", "00")
            .SetRaw(
                0x00081140,
                Open(0x00081140, "SQ", file.IsImplicit, OpenItem(Element(0x00081150, "UI", [49, 0], file.IsImplicit)), Item([])))
            .SetRaw(
                0x00081115, Element(0x00081115, "SQ", Item(Element(0x00081150, "UI", [50, 0], file.IsImplicit)), file.IsImplicit));
    }

    [Fact]
    public void ReadsAUnOfUndefinedLengthAsASequenceWithoutVrs()
    {
        var items = OpenItem(
            Element(0x00080060, "CS", "CT"u8.ToArray(), isImplicit: true), Element(0x00111001, "UN", [1], isImplicit: true));
        var read = ReadJson(new Part10File().SetRaw(PrivateSequence, Open(PrivateSequence, "UN", false, items)));
        Assert.Equal(
            """{"vr":"SQ","Value":[{"00080060":{"vr":"CS","Value":["CT"]},"00111001":{"vr":"UN","InlineBinary":"AQ=="}}]}""",
            read["00E11001"]!.ToJsonString());
    }

    [Fact]
    public void ReadsAStandardElementThatWasWrittenAsUn()
    {
        var read = ReadJson(
            new Part10File().Set(0x00280010, "UN", UShort(512)).Set(0x00280011, "UN", [1, 2, 3, 4, 5, 6]).Set(0x00280034, "UN", "1\\2"));
        Assert.Equal("""{"vr":"US","Value":[512]}""", read["00280010"]!.ToJsonString());
        Assert.Equal("""{"vr":"US","Value":[513,1027,1541]}""", read["00280011"]!.ToJsonString());
        Assert.Equal("""{"vr":"IS","Value":[1,2]}""", read["00280034"]!.ToJsonString());
    }

    [Theory]
    [InlineData("US", 3)]
    [InlineData("AT", 2)]
    [InlineData("FD", 4)]
    public void RefusesPartsOfANumber(string vr, int length) =>
        Assert.Throws<MalformedAnswerException>(() => ReadJson(new Part10File().Set(0x00111001, vr, new byte[length])));

    [Fact]
    public void NamesUtf8_WhenTheFileNamesNoCharacterSet()
    {
        var file = new Part10File().Set(PatientName, "PN", [0xC4, 0x6E]);
        Assert.Equal("Än", ReadJson(file)["00100010"]!["Value"]![0]!["Alphabetic"]!.GetValue<string>());
        Assert.StartsWith("""{"00080005":{"vr":"CS","Value":["ISO_IR 192"]},"00080018":{""", ReadText(file), StringComparison.Ordinal);
        Assert.Contains(
            """[{"Alphabetic":"Ä"}]""", ReadText(new Part10File().Set(PatientName, "PN", "Ä"u8.ToArray())), StringComparison.Ordinal);
        Assert.StartsWith("""{"00080005":""", ReadText(file.Remove(0x00080018)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "\\", "\\")]
    [InlineData("ISO_IR 13", "\\", "¥")]
    [InlineData("ISO_IR 13", "~", "‾")]
    [InlineData("ISO_IR 192", "\uFFFF", "\uFFFD")]
    [InlineData("ISO_IR 999", "a", "a")]
    public void DecodesText(string term, string text, string expected) => Assert.Equal(
        expected,
        ReadJson(
            new Part10File().Set(0x00080005, "CS", term).Set(0x00324000, "LT", Encoding.UTF8.GetBytes(text)))["00324000"]!["Value"]![0]!
            .GetValue<string>());

    /// <summary>The second byte of a character can be the code of a delimiter.</summary>
    [Theory]
    [InlineData("GBK", new byte[] { 0x81, 0x5C, (byte)'\\', 0x81, 0x5E }, new[] { "乗", "乛" })]
    [InlineData("\\ISO 2022 IR 87", new byte[] { 0x1B, 0x24, 0x42, 0x30, 0x5C, 0x1B, 0x28, 0x42, (byte)'\\', 0x41 }, new[] { "戎", "A" })]
    public void SplitsValuesOutsideOfCharacters(string term, byte[] text, string[] expected)
    {
        Encoding.RegisterProvider(CodePagesEncodingProvider.Instance);
        var read = ReadJson(new Part10File().Set(0x00080005, "CS", term).Set(0x00081030, "LO", text));
        var values = read["00081030"]!["Value"]!.AsArray().Select(v => v!.GetValue<string>()).ToArray();
        Assert.Equal(expected.Length, values.Length);
        Assert.Equal(expected[1][0] == 'A' ? "A" : Encoding.GetEncoding(936).GetString(text.AsSpan(^2)), values[1]);
    }

    [Fact]
    public void RefersToPixelDataAndLongBinaryValues()
    {
        var icon = Element(IconImageSequence, "SQ", [.. Item([]), .. Item(Element(PixelData, "OB", new byte[1026]))]);
        var file = new Part10File().Set(0x00291010, "OB", new byte[1024]).Set(0x00291011, "OB", new byte[1026])
            .SetRaw(IconImageSequence, icon).SetRaw(PixelData, Fragments(PixelData, [], [1, 2], [3, 4]));
        var bytes = file.ToArray();
        var dataset = Part10DatasetReading.Read(bytes);
        var json = JsonNode.Parse(dataset.Json.Span)!;
        Assert.NotNull(json["00291010"]!["InlineBinary"]);
        Assert.Equal(Part10DatasetReading.Links + "00291011", json["00291011"]!["BulkDataURI"]!.GetValue<string>());
        Assert.Equal(
            Part10DatasetReading.Links + "00880200.2.7FE00010",
            json["00880200"]!["Value"]![1]!["7FE00010"]!["BulkDataURI"]!.GetValue<string>());
        Assert.Equal(["00291011", "00880200.2.7FE00010", "7FE00010"], dataset.Bulk.Select(b => b.Path));
        Assert.Equal(
            "01020304",
            string.Concat(dataset.Bulk[2].Ranges.Select(r => Convert.ToHexString(bytes.AsSpan((int)r.Offset, (int)r.Length)))));
        Assert.True(bytes.AsSpan((int)dataset.Bulk[0].Ranges[0].Offset - 4, 4).SequenceEqual(UInt(1026)));
    }

    [Fact]
    public void ReadsTheIdentity()
    {
        var dataset = Part10DatasetReading.Read(
            new Part10File().Set(0x0020000D, "UI", "2.25.1").Set(0x0020000E, "UI", "2.25.2").ToArray());
        Assert.Equal("studies/2.25.1/series/2.25.2/instances/2.25.7", dataset.Path.ToString());
        Assert.Null(Part10DatasetReading.Read(new Part10File().ToArray()).Path);
    }

    [Fact]
    public void AcceptsPaddingBehindTheDataset()
    {
        foreach (var padding in new byte[][] { [0, 0, 0, 0, 0, 0, 0, 0, 1], [0, 0, 0], "\r\n"u8.ToArray() })
            Assert.Equal(ReadText(new()), ReadText(new() { Trailer = padding }));
        Assert.Throws<MalformedAnswerException>(() => ReadText(new() { Trailer = [1] }));
    }

    [Fact]
    public void NestsToALimit()
    {
        Assert.NotNull(ReadJson(new Part10File().SetRaw(0x00081140, Nest(64)))["00081140"]);
        Assert.Throws<MalformedAnswerException>(() => ReadJson(new Part10File().SetRaw(0x00081140, Nest(65))));

        static byte[] Nest(int depth) => Open(0x00081140, "SQ", false, depth == 1 ? [] : [OpenItem(Nest(depth - 1))]);
    }

    [Fact]
    public void RefusesAnElementThatLeavesItsItem() => Assert.Throws<MalformedAnswerException>(() => ReadJson(
        new Part10File().SetRaw(0x00081140, Element(0x00081140, "SQ", Item(Element(0x00081150, "UI", [49, 0], length: 20))))
            .Set(PatientName, "PN", "Doe^Jane^Alexandra")));

    [Fact]
    public void RefusesAPrivateTransferSyntax() =>
        Assert.Throws<MalformedAnswerException>(() => ReadJson(new("1.2.840.113619.5.2")));

    [Fact]
    public void InflatesToALimit()
    {
        using var packed = new MemoryStream();
        using (var deflate = new DeflateStream(packed, CompressionLevel.Fastest, leaveOpen: true)) deflate.Write(new byte[1_000_000]);
        var bytes = packed.ToArray();
        using var inflated = new InflatedDataset(bytes.Length, (at, room) =>
        {
            var count = (int)Math.Min(room.Length, bytes.Length - at);
            bytes.AsSpan((int)at, count).CopyTo(room);
            return count;
        }, 0, maxBytes: 500_000);
        Assert.Equal(10, inflated.ReadAt(400_000, new byte[10]));
        Assert.Throws<MalformedAnswerException>(() => inflated.ReadAt(600_000, new byte[10]));
    }

    private static byte[] Deflate(Part10File file)
    {
        var bytes = file.ToArray();
        var start = bytes.AsSpan().IndexOf((ReadOnlySpan<byte>)[8, 0, 0x18, 0]);
        using var packed = new MemoryStream();
        using (var deflate = new DeflateStream(packed, CompressionLevel.Optimal, leaveOpen: true)) deflate.Write(bytes.AsSpan(start));
        return [.. bytes[..start], .. packed.ToArray()];
    }

    private static string ReadText(Part10File file) => Text(file.ToArray());

    private static string Text(byte[] file) => Encoding.UTF8.GetString(Part10DatasetReading.Read(file).Json.Span);

    private static JsonNode ReadJson(Part10File file) =>
        JsonNode.Parse(ReadText(file), documentOptions: new() { MaxDepth = 256 })!;
}
