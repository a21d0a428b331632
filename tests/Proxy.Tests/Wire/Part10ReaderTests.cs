using Proxy.Wire.Part10;
using Xunit;
using static Proxy.Tests.Wire.Part10File;

namespace Proxy.Tests.Wire;

public class Part10ReaderTests
{
    private const uint PrivateSequence = 0x00091010;
    private const uint IconImageSequence = 0x00880200;
    private const uint PixelData = 0x7FE00010;

    private static readonly byte[] A = [1, 2], B = [3, 4, 5, 6], C = [7, 8];

    [Theory]
    [InlineData(Explicit)]
    [InlineData(Implicit)]
    public void CutsNativeFrames(string transferSyntax)
    {
        var file = Part10File.Native(2, 3, frames: 3, bits: 16, transferSyntax: transferSyntax).ToArray();
        var frames = Find(file);
        Assert.Equal(
            (transferSyntax, SopInstanceUid, "application/octet-stream"),
            (frames.TransferSyntaxUid.ToString(), frames.SopInstanceUid.ToString(), frames.MediaType));
        Assert.Equal(Counting(36).Chunk(12).Select(Convert.ToHexString), Part10File.Cut(file, frames));
    }

    [Fact]
    public void CountsFramesFromOne()
    {
        var frames = Find(Part10File.Native(2, 2, frames: 2).ToArray());
        Assert.Equal([false, true, true, false], Enumerable.Range(0, 4).Select(n => frames.FindFrame(n) is not null));
        Assert.Null(frames.FindFrame(int.MinValue));
        Assert.Equal(4, frames.FindFrame(1)!.Value.Length);
    }

    [Theory]
    [InlineData(3, 8, "RGB", 2 * 4 * 3)]
    [InlineData(3, 16, "YBR_FULL", 2 * 4 * 6)]
    [InlineData(1, 32, "MONOCHROME2", 2 * 4 * 4)]
    [InlineData(1, 64, "MONOCHROME2", 2 * 4 * 8)]
    [InlineData(4, 8, "CMYK", 2 * 4 * 4)]
    [InlineData(1, 1, "MONOCHROME2", 1)]
    [InlineData(3, 8, "YBR_FULL_422", 2 * 4 * 2)]
    [InlineData(3, 16, "YBR_FULL_422", 2 * 4 * 4)]
    public void ComputesTheSizeOfANativeFrame(int samples, int bits, string photometric, int bytes)
    {
        var file = Part10File.Native(2, 4, 2, (ushort)samples, (ushort)bits, photometric, bytes: 2 * bytes).ToArray();
        Assert.Equal(Counting(2 * bytes).Chunk(bytes).Select(Convert.ToHexString), Cut(file));
        Assert.Equal(
            FrameRefusal.PixelLength,
            Refusal(Part10File.Native(2, 4, 2, (ushort)samples, (ushort)bits, photometric, bytes: 2 * bytes + 2)));
        Assert.Equal(
            FrameRefusal.PixelLength,
            Refusal(Part10File.Native(2, 4, 2, (ushort)samples, (ushort)bits, photometric, bytes: 2 * bytes - 2)));
    }

    [Fact]
    public void AcceptsOnePaddingByteAfterTheLastFrame()
    {
        Assert.Equal(["010203", "040506", "070809"], Cut(Part10File.Native(1, 3, frames: 3).ToArray()));
        Assert.Equal(["010203"], Cut(Part10File.Native(1, 3).Set(PixelData, "OB", Counting(3)).ToArray()));
        Assert.Equal(FrameRefusal.PixelLength, Refusal(Part10File.Native(1, 3).Set(PixelData, "OB", Counting(5))));
        Assert.Equal(FrameRefusal.PixelLength, Refusal(Part10File.Native(1, 4).Set(PixelData, "OB", Counting(5))));
        Assert.Equal(FrameRefusal.PixelLength, Refusal(Part10File.Native(1, 1, frames: 3).Set(PixelData, "OB", Counting(6))));
    }

    [Fact]
    public void RefusesPixelsThatDoNotFillWholeBytes()
    {
        Func<Part10File, Part10File>[] changes =
        [
            f => f.Set(0x00280100, "US", 1),
            f => f.Set(0x00280100, "US", 12),
            f => f.Set(0x00280100, "US", 72),
            f => f.Set(0x00280100, "US", 0),
            f => f.Set(0x00280010, "US", 0),
            f => f.Set(0x00280011, "US", 0),
            f => f.Set(0x00280002, "US", 0),
            f => f.Remove(0x00280100),
            f => f.Remove(0x00280010),
            f => f.Remove(0x00280011),
            f => f.Remove(0x00280002),
            f => f.Set(0x00280004, "CS", "YBR_FULL_422"),
            f => f.Set(0x00280004, "CS", "YBR_FULL_422").Set(0x00280002, "US", 3).Set(0x00280011, "US", 3),
            f => f.Set(0x7FE00008, "OF", new byte[16]),
            f => f.Set(0x7FE00009, "OD", new byte[32]).Remove(PixelData),
        ];
        Assert.All(changes, change => Assert.Equal(FrameRefusal.PixelFormat, Refusal(change(Part10File.Native(2, 2)))));
    }

    [Theory]
    [InlineData("1.2.840.10008.1.2.1.99")]
    [InlineData("1.2.840.10008.1.2.2")]
    [InlineData("1.2.3")]
    public void RefusesAnUnknownTransferSyntax(string transferSyntax) =>
        Assert.Equal(FrameRefusal.TransferSyntax, Refusal(Part10File.Native(2, 2, transferSyntax: transferSyntax)));

    [Theory]
    [InlineData("1.2.840.10008.1.2.4.100", "video/mpeg")]
    [InlineData("1.2.840.10008.1.2.4.102", "video/mp4")]
    [InlineData("1.2.840.10008.1.2.4.107.1", "video/mp4")]
    public void FindsAVideoAsOneFrame(string transferSyntax, string type)
    {
        var file = Part10File.Encapsulated(30, [], Counting(20), Counting(6))
            .Set(0x00020010, "UI", Part10File.Even(transferSyntax, '\0'));

        var frames = Part10File.FindFrames([file.ToArray()], out var refusal)!;

        Assert.Equal((FrameRefusal.None, type, 1), (refusal, frames.MediaType, frames.Count));
        Assert.Equal(26, frames.FindFrame(1)!.Value.Length);
    }

    [Fact]
    public void FindsNoFrames_InAReport() =>
        Assert.Equal(FrameRefusal.NoPixelData, Refusal(new Part10File().Set(0x00420011, "OB", Counting(20))));

    [Fact]
    public void RefusesAFileWithoutPreamble()
    {
        var file = Part10File.Native(2, 2).ToArray();
        Assert.Equal(FrameRefusal.NotPart10, Refusal(file[132..]));
        Assert.Equal(FrameRefusal.NotPart10, Refusal(file[128..]));
        Assert.Equal(FrameRefusal.NotPart10, Refusal([]));
        Assert.Equal(FrameRefusal.NotPart10, Refusal(file[..131]));
        Assert.Equal(FrameRefusal.Malformed, Refusal(file[..132]));
        Part10Reader.FindFrames(-1, (_, _) => 0, out var refusal);
        Assert.Equal(FrameRefusal.NotPart10, refusal);
    }

    [Fact]
    public void RefusesAFileWithoutTransferSyntaxOrInstance()
    {
        Assert.Equal(FrameRefusal.Malformed, Refusal(Part10File.Native(2, 2).Remove(0x00020010)));
        Assert.Equal(FrameRefusal.Malformed, Refusal(Part10File.Native(2, 2).Remove(0x00080018)));
        Assert.Equal(FrameRefusal.Malformed, Refusal(Part10File.Native(2, 2).Set(0x00080018, "UI", "1..2")));
        Assert.Equal(FrameRefusal.Malformed, Refusal(Part10File.Native(2, 2).Set(0x00080018, "UI", new string('1', 400))));
    }

    [Theory]
    [InlineData("3", 3)]
    [InlineData(" 3  ", 3)]
    [InlineData("+3", 3)]
    [InlineData("++3", 0)]
    [InlineData("03", 3)]
    [InlineData("3\0", 3)]
    [InlineData("", 0)]
    [InlineData("0", 0)]
    [InlineData("-3", 0)]
    [InlineData("3\\3", 0)]
    [InlineData("3.0", 0)]
    [InlineData("x", 0)]
    [InlineData("99999999999", 0)]
    public void ReadsTheNumberOfFrames(string text, int count)
    {
        var file = Part10File.Native(2, 2, frames: 3).Set(0x00280008, "IS", text);
        if (count == 0) Assert.Equal(FrameRefusal.Malformed, Refusal(file));
        else Assert.Equal(count, Find(file.ToArray()).Count);
    }

    [Fact]
    public void TreatsEachFragmentAsAFrame_WhenTheCountsAreEqual()
    {
        var file = Part10File.Encapsulated(3, [], A, B, C).ToArray();
        var frames = Find(file);
        Assert.Equal("image/jpeg", frames.MediaType);
        Assert.Equal(["0102", "03040506", "0708"], Part10File.Cut(file, frames));
        Assert.All(Enumerable.Range(1, 3), n => Assert.Equal(1, frames.FindFrame(n)!.Value.Ranges.Length));
    }

    [Fact]
    public void JoinsAllFragments_WhenThereIsOneFrame()
    {
        var file = Part10File.Encapsulated(1, [], A, B, C).ToArray();
        var frame = Find(file).FindFrame(1)!.Value;
        Assert.Equal((3, 8L), (frame.Ranges.Length, frame.Length));
        Assert.Equal(["0102030405060708"], Cut(file));
        Assert.Equal(["0102030405060708"], Cut(Part10File.Encapsulated(1, Offsets32(0), A, B, C).ToArray()));
    }

    [Fact]
    public void KeepsThePaddingOfFragments() =>
        Assert.Equal(["FFD9", "FFD900FF"], Cut(Part10File.Encapsulated(2, [], [0xFF, 0xD9], [0xFF, 0xD9, 0, 0xFF]).ToArray()));

    [Theory]
    [InlineData(0u, 10u, "0102", "030405060708")]
    [InlineData(0u, 22u, "010203040506", "0708")]
    public void CutsByTheBasicOffsetTable(uint first, uint second, params string[] frames) =>
        Assert.Equal(frames, Cut(Part10File.Encapsulated(2, Offsets32(first, second), A, B, C).ToArray()));

    [Theory]
    [InlineData(0u, 10u, 2ul, 6ul, "0102", "030405060708")]
    [InlineData(0u, 22u, 5ul, 1ul, "010203040506", "0708")]
    public void CutsByTheExtendedOffsetTable_WhenTheBasicOneIsEmpty(
        uint first, uint second, ulong firstLength, ulong secondLength, params string[] frames) =>
        Assert.Equal(frames, Cut(Extended(2, Offsets64(first, second), Offsets64(firstLength, secondLength), A, B, C)));

    public static TheoryData<byte[]> WrongOffsets =>
        [Offsets32(0, 11), Offsets32(0, 0), Offsets32(10, 0), Offsets32(10, 22), Offsets32(0, 32), Offsets32(0, uint.MaxValue),
        Offsets32(8, 18), Offsets32(0, 9)];

    [Theory]
    [MemberData(nameof(WrongOffsets))]
    public void IgnoresAWrongOffsetTable_AndCutsNothingWithoutCertainty(byte[] table)
    {
        Assert.Equal(FrameRefusal.FrameBorders, Refusal(Part10File.Encapsulated(2, table, A, B, C)));
        Assert.Equal(["0102", "03040506"], Cut(Part10File.Encapsulated(2, table, A, B).ToArray()));
    }

    [Fact]
    public void IgnoresAWrongExtendedOffsetTable()
    {
        // Some writers count without the padding bytes.
        Assert.Equal(["0102", "03040506"], Cut(Extended(2, Offsets64(0, 9), Offsets64(1, 4), A, B)));
        Assert.Equal(["0102", "03040506"], Cut(Extended(2, Offsets64(0, 10), Offsets64(2, 9), A, B)));
        Assert.Equal(FrameRefusal.FrameBorders, Refusal(Extended(2, Offsets64(0, 9), Offsets64(1, 4), A, B, C)));
        Assert.Equal(FrameRefusal.FrameBorders, Refusal(Extended(2, Offsets64(0, 10), Offsets64(2, 4), A, B, C)));
        Assert.Equal(FrameRefusal.FrameBorders, Refusal(Extended(2, Offsets64(0, ulong.MaxValue), Offsets64(2, 4), A, B, C)));
    }

    [Fact]
    public void RefusesATableWithAnotherNumberOfFrames()
    {
        Assert.Equal(FrameRefusal.FrameBorders, Refusal(Part10File.Encapsulated(2, Offsets32(0), A, B)));
        Assert.Equal(FrameRefusal.FrameBorders, Refusal(Part10File.Encapsulated(1, Offsets32(0, 10), A, B)));
        Assert.Equal(FrameRefusal.FrameBorders, Refusal(Part10File.Encapsulated(2, [0, 0, 0, 0, 10, 0], A, B)));
        Assert.Equal(FrameRefusal.FrameBorders, Refusal(Extended(2, Offsets64(0), Offsets64(2), A, B)));
        Assert.Equal(FrameRefusal.FrameBorders, Refusal(Extended(2, Offsets64(0, 10), Offsets64(2), A, B)));
        Assert.Equal(FrameRefusal.FrameBorders, Refusal(Extended(2, Offsets64(0, 10), null, A, B)));
        Assert.Equal(FrameRefusal.FrameBorders, Refusal(Extended(2, null, Offsets64(2, 4), A, B)));
    }

    [Fact]
    public void RefusesFragmentsWithoutCertainBorders()
    {
        Assert.Equal(FrameRefusal.FrameBorders, Refusal(Part10File.Encapsulated(2, [], A, B, C)));
        Assert.Equal(FrameRefusal.FrameBorders, Refusal(Part10File.Encapsulated(3, [], A, B)));
        Assert.Equal(FrameRefusal.FrameBorders, Refusal(Part10File.Encapsulated(1, [])));
        Assert.Equal(FrameRefusal.FrameBorders, Refusal(Part10File.Encapsulated(1, [], [], [])));
        Assert.Equal(FrameRefusal.FrameBorders, Refusal(Part10File.Encapsulated(2, [], A, [])));
        Assert.Equal(FrameRefusal.FrameBorders, Refusal(Part10File.Encapsulated(2, Offsets32(0, 10), A, [], [])));
    }

    [Fact]
    public void RefusesPixelDataInAnotherForm()
    {
        Assert.Equal(FrameRefusal.Malformed, Refusal(Part10File.Encapsulated(1, [], A).Set(PixelData, "OB", Counting(64))));
        Assert.Equal(FrameRefusal.Malformed, Refusal(Part10File.Native(2, 2).SetRaw(PixelData, Fragments(PixelData, [], A))));
        Assert.Equal(
            FrameRefusal.Malformed,
            Refusal(Part10File.Native(2, 2, transferSyntax: Implicit).SetRaw(PixelData, Open(PixelData, "OB", true, Item([]), Item(A)))));
        Assert.Equal(
            FrameRefusal.Malformed, Refusal(Part10File.Native(2, 2).SetRaw(PixelData, Open(PixelData, "UN", false, Item([]), Item(A)))));
        Assert.Equal(FrameRefusal.Malformed, Refusal(Part10File.Native(2, 2).Set(PixelData, "UT", Counting(4))));
        Assert.Equal(FrameRefusal.Malformed, Refusal(Part10File.Encapsulated(1, [], A).SetRaw(PixelData, Open(PixelData, "OB", false))));
        Assert.Equal(
            FrameRefusal.Malformed,
            Refusal(Part10File.Encapsulated(1, [], A).SetRaw(PixelData, Open(PixelData, "OB", false, Item([]), OpenItem()))));
        Assert.Equal(
            FrameRefusal.Malformed,
            Refusal(
                Part10File.Encapsulated(1, [], A).SetRaw(PixelData, Open(PixelData, "OB", false, Item([]), Element(0x00080060, "CS", A)))));
    }

    public static TheoryData<uint, Func<bool, byte[]>> Sequences => new()
    {
        { 0x00081140, i => Element(0x00081140, "SQ", Item(Inner(i)), i) },
        { 0x00081140, i => Element(0x00081140, "SQ", [], i) },
        { 0x00081140, i => Element(0x00081140, "SQ", OpenItem(Inner(i)), i) },
        { 0x00081140, i => Open(0x00081140, "SQ", i) },
        { 0x00081140, i => Open(0x00081140, "SQ", i, Item(Inner(i)), OpenItem(Inner(i)), Item([]), OpenItem()) },
        { 0x00081140,
        i => Open(0x00081140, "SQ", i, OpenItem(Inner(i), Open(0x00081150, "SQ", i, OpenItem(Inner(i)), Item(Inner(i)))), OpenItem()) },
        // Nested attributes do not describe these pixels, and an icon's pixels are not the instance's (PS3.3 §F.7).
        { IconImageSequence,
        i => Open(
            IconImageSequence, "SQ", i,
            OpenItem(
                Element(0x00280008, "IS", "9 "u8.ToArray(), i), Element(0x00280010, "US", UShort(1), i),
                Element(PixelData, "OB", [1, 2], i))) },
        // UN of undefined length contains implicit VR, even in an explicit dataset (PS3.5 §6.2.2).
        { PrivateSequence,
        i => Open(PrivateSequence, "UN", i, Item(Inner(true)), OpenItem(Inner(true), Open(0x00091020, "", true, OpenItem(Inner(true))))) },
        { PrivateSequence, i => Element(PrivateSequence, "UN", Item(Inner(true)), i) },
        { PrivateSequence, i => Open(PrivateSequence, "SQ", i, OpenItem(Open(0x00091020, "UN", i, OpenItem(Inner(true))), Inner(i))) },
    };

    [Theory]
    [MemberData(nameof(Sequences))]
    public void SkipsSequences_OfDefinedAndUndefinedLength(uint tag, Func<bool, byte[]> sequence)
    {
        foreach (var (transferSyntax, isImplicit) in new[] { (Explicit, false), (Implicit, true) })
            Assert.Equal(
                ["01020304", "05060708"],
                Cut(Part10File.Native(2, 2, frames: 2, transferSyntax: transferSyntax).SetRaw(tag, sequence(isImplicit)).ToArray()));
    }

    [Fact]
    public void SkipsAnEncapsulatedIcon()
    {
        var icon = Open(IconImageSequence, "SQ", false, OpenItem(Element(0x00280010, "US", UShort(1)), Fragments(PixelData, [], A, B)));
        Assert.Equal(["0102", "03040506"], Cut(Part10File.Encapsulated(2, [], A, B).SetRaw(IconImageSequence, icon).ToArray()));
    }

    [Fact]
    public void RefusesInvalidAttributes()
    {
        byte[][] broken =
        [
            Element(0x00081140, "SQ", [], length: Undefined),
            Open(0x00081140, "SQ", false, Element(0x00080060, "CS", A)),
            Open(0x00081140, "SQ", false, [0xFE, 0xFF, 0x0D, 0xE0, 0, 0, 0, 0]),
            Open(0x00081140, "SQ", false, [0xFE, 0xFF, 0x00, 0xE0, 0xFF, 0xFF, 0xFF, 0xFF]),
            Open(0x00081140, "SQ", false, [0xFE, 0xFF, 0xDD, 0xE0, 2, 0, 0, 0]),
            Open(0x00081140, "SQ", false, [0xFE, 0xFF, 0x00, 0xE0, 0xFE, 0xFF, 0xFF, 0xFF]),
            Open(0x00081140, "SQ", false, OpenItem(Item(A))),
            Open(0x00081140, "UT", false),
            Element(0x00081140, "SQ", [], length: 0xFFFFFFFE),
            Element(0x00081140, "??", A),
            Element(0x00081140, "cs", A),
            [0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0],
            Item(A),
        ];
        Assert.All(broken, bytes => Assert.Equal(FrameRefusal.Malformed, Refusal(Part10File.Native(2, 2).SetRaw(0x00081140, bytes))));
    }

    [Theory]
    [InlineData(
        "AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "PN", "SH", "SL", "SS", "ST", "TM", "UI", "UL", "US")]
    [InlineData("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV")]
    public void KnowsEveryVr(params string[] vrs)
    {
        var file = Part10File.Native(2, 2);
        for (var i = 0; i < vrs.Length; i++) file.Set(PrivateSequence + (uint)i, vrs[i], Counting(12));
        Assert.Equal(["01020304"], Cut(file.ToArray()));
    }

    [Fact]
    public void SkipsGroupLengthsAndPrivateAttributes()
    {
        var file = Part10File.Native(2, 2)
            .Set(0x00020000, "UL", [255, 255, 255, 255]).Set(0x00080000, "UL", [1, 0, 0, 0]).Set(0x00090010, "LO", "OURS")
                .Set(0x7FE00000, "UL", [9, 0, 0, 0])
            .Set(0x7FE10010, "LO", "OURS").Set(0xFFFCFFFC, "OB", new byte[30]);
        Assert.Equal(["01020304"], Cut(file.ToArray()));
    }

    [Fact]
    public void RefusesAttributesOutOfOrder()
    {
        Assert.Equal(FrameRefusal.Malformed, Refusal(Part10File.Native(2, 2).SetRaw(0xFFFFFFFF, Element(0x00280010, "US", UShort(2)))));
        Assert.Equal(FrameRefusal.Malformed, Refusal(Part10File.Native(2, 2).SetRaw(0x00280012, Element(0x00280011, "US", UShort(1)))));
        Assert.Equal(FrameRefusal.Malformed, Refusal(Part10File.Native(2, 2).SetRaw(0x00020011, Element(0x00020010, "UI", UShort(1)))));
    }

    [Fact]
    public void RefusesBytesBehindTheLastAttribute()
    {
        Assert.Equal(FrameRefusal.Malformed, Refusal(new Part10File { Trailer = [0] }));
        var file = Part10File.Native(2, 2);
        file.Trailer = new byte[100];
        Assert.Equal(FrameRefusal.Malformed, Refusal(file));
        file.Trailer = Item([]);
        Assert.Equal(FrameRefusal.Malformed, Refusal(file));
    }

    [Fact]
    public void RefusesAFileInTheOtherVrEncoding()
    {
        var swapped = Part10File.Native(2, 2, transferSyntax: Implicit)
            .SetRaw(0x00020010, Element(0x00020010, "UI", "1.2.840.10008.1.2.1\0"u8.ToArray()));
        Assert.Equal(FrameRefusal.Malformed, Refusal(swapped));
        swapped = Part10File.Native(2, 2).SetRaw(0x00020010, Element(0x00020010, "UI", "1.2.840.10008.1.2\0"u8.ToArray()));
        Assert.Equal(FrameRefusal.Malformed, Refusal(swapped));
    }

    private static byte[] Inner(bool isImplicit) =>
        [.. Element(0x00081150, "UI", "1.2\0"u8.ToArray(), isImplicit), .. Element(0x00091001, "OB", Counting(300), isImplicit)];

    private static byte[] Extended(int frames, byte[]? offsets, byte[]? lengths, params byte[][] fragments)
    {
        var file = Part10File.Encapsulated(frames, [], fragments);
        if (offsets is not null) file.Set(0x7FE00001, "OV", offsets);
        if (lengths is not null) file.Set(0x7FE00002, "OV", lengths);
        return file.ToArray();
    }

    private static FrameRefusal Refusal(Part10File file) => Refusal(file.ToArray());

    private static FrameRefusal Refusal(byte[] file)
    {
        Assert.Null(Part10File.FindFrames([file], out var refusal));
        Assert.NotEqual(FrameRefusal.None, refusal);
        return refusal;
    }

    private static Part10Frames Find(byte[] file)
    {
        var frames = Part10File.FindFrames([file], out var refusal);
        Assert.Equal(FrameRefusal.None, refusal);
        return frames!;
    }

    private static List<string> Cut(byte[] file) => Part10File.Cut(file, Find(file));
}
