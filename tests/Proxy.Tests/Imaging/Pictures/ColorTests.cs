using Proxy.Imaging;
using Proxy.Imaging.Pictures;
using Proxy.Imaging.Presentation;
using Xunit;

namespace Proxy.Tests.Imaging.Pictures;

/// <summary>RGB, YBR and palette frames (PS3.3 §C.7.6.3.1).</summary>
public class ColorTests
{
    [Fact]
    public void RgbStaysAsItIs()
    {
        Assert.Equal([1, 2, 3, 4, 5, 6], Frames.Draw(Color("RGB", 2, [1, 2, 3, 4, 5, 6])));
        Assert.Equal([1, 2, 3, 4, 5, 6], Frames.Draw(Color("YBR_RCT", 2, [1, 2, 3, 4, 5, 6])));
        Assert.Equal([1, 2, 3, 4, 5, 6], Frames.Draw(Color("YBR_ICT", 2, [1, 2, 3, 4, 5, 6])));
    }

    [Fact]
    public void PlanesAreInterleaved() =>
        Assert.Equal([1, 3, 5, 2, 4, 6], Frames.Draw(Color("RGB", 2, [1, 2, 3, 4, 5, 6], isPlanar: true)));

    [Fact]
    public void TheHighBitsOfLongerSamplesAreUsed()
    {
        var layout = Frames.Layout(1, 16, 12, "RGB", samples: 3);

        Assert.Equal([255, 128, 0], Frames.Draw(new NativeFrame(layout, Frames.Bytes(0xFFF, 0x800, 0x00F))));
        Assert.Equal([255, 128, 0], Frames.Draw(new NativeFrame(layout with { IsPlanar = true }, Frames.Bytes(0xFFF, 0x800, 0x00F))));
    }

    /// <summary>Calculated with a Python script from the matrix of ITU-R BT.601 of full range, in floating point.</summary>
    [Theory]
    [InlineData(128, 128, 128, 128, 128, 128)]
    [InlineData(76, 85, 255, 254, 0, 0)]
    [InlineData(150, 44, 21, 0, 255, 1)]
    [InlineData(29, 255, 107, 0, 0, 254)]
    [InlineData(255, 0, 0, 76, 255, 28)]
    [InlineData(200, 100, 160, 245, 187, 150)]
    public void YbrBecomesRgb(byte y, byte cb, byte cr, int red, int green, int blue) =>
        Assert.Equal([red, green, blue], Frames.Draw(Color("YBR_FULL", 1, [y, cb, cr])).Select(c => (int)c));

    [Fact]
    public void TwoPixelsShareTheirChrominance() => Assert.Equal(
        [254, 0, 0, 255, 60, 60, 10, 10, 10, 20, 20, 20],
        Frames.Draw(Color("YBR_FULL_422", 4, [76, 136, 85, 255, 10, 20, 128, 128])));

    [Theory]
    [InlineData("YBR_PARTIAL_422")]
    [InlineData("YBR_PARTIAL_420")]
    [InlineData("HSV")]
    public void OtherColorsAreRefused(string photometric)
    {
        var frame = Color(photometric, 2, new byte[photometric == "YBR_PARTIAL_422" ? 4 : 6]);

        var rendering = FramePictures.Render(frame, ImagePresentation.None, new());

        Assert.False(rendering.IsRendered);
        Assert.Contains(photometric, rendering.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void AnUnknownNameIsNotRepeated() => Assert.DoesNotContain(
        "Doe", FramePictures.Render(Color("DOE^JANE", 1, [1, 2, 3]), ImagePresentation.None, new()).Reason,
        StringComparison.OrdinalIgnoreCase);

    [Fact]
    public void AFrameOfAnotherLengthIsRefused() =>
        Assert.StartsWith(
            "its length", FramePictures.Render(Color("RGB", 2, [1, 2, 3]), ImagePresentation.None, new()).Reason, StringComparison.Ordinal);

    [Fact]
    public void APaletteGivesTheColors() => Assert.Equal(
        [0x10, 0x40, 0x70, 0x20, 0x50, 0x80, 0x30, 0x60, 0x90, 0x30, 0x60, 0x90],
        Draw(
            [4, 6, 7, 255], "[3,5,16]", Words([0x1000, 0x2000, 0x3000]), Words([0x4000, 0x5000, 0x6000]), Words([0x7000, 0x8000, 0x9000])));

    /// <summary>8 bits packed, 8 bits in words, and values of 8 bits that are declared as 16.</summary>
    [Theory]
    [InlineData("[3,5,8]", false)]
    [InlineData("[3,5,8]", true)]
    [InlineData("[3,5,16]", true)]
    public void APaletteOf8BitsHasSeveralForms(string descriptor, bool areWords) => Assert.Equal(
        [1, 4, 7, 2, 5, 8, 3, 6, 9],
        Draw([5, 6, 7], descriptor, Data([1, 2, 3], areWords), Data([4, 5, 6], areWords), Data([7, 8, 9], areWords)));

    [Fact]
    public void APaletteOf65536EntriesIsDeclaredWithZero()
    {
        var words = Words([.. Enumerable.Range(0, 65_536)]);
        var frame = new NativeFrame(Frames.Layout(2, 16, photometric: "PALETTE COLOR"), Frames.Bytes(0x1234, 0xFFFF));

        Assert.Equal([0x12, 0x12, 0x12, 0xFF, 0xFF, 0xFF], Frames.Draw(frame, Palette("[0,0,16]", 1201, words, words, words)));
    }

    [Theory]
    [InlineData("[3,65534,16]")]
    [InlineData("[3,-2,16]")]
    public void ThePaletteOfASignedImageBeginsBelowZero(string descriptor)
    {
        var words = Words([0x1000, 0x2000, 0x3000]);
        var layout = Frames.Layout(3, 16, photometric: "PALETTE COLOR") with { IsSigned = true };

        Assert.Equal(
            [0x10, 0x10, 0x10, 0x20, 0x20, 0x20, 0x30, 0x30, 0x30],
            Frames.Draw(new NativeFrame(layout, Frames.Bytes(-2, -1, 0)), Palette(descriptor, 1201, words, words, words)));
    }

    /// <summary>Discrete 3, linear 5 to 0xFF00, indirect 2 from byte 6 on, which is the discrete segment of 1 and the linear one.</summary>
    [Fact]
    public void SegmentsAreExpanded()
    {
        var words = Words([0, 2, 0, 0x1000, 0, 1, 0x2000, 1, 4, 0x6000, 2, 2, 8, 0]);
        var frame = Ramp(12);

        Assert.Equal(
            [0, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x20, 0x30, 0x40, 0x50, 0x60],
            Frames.Draw(frame, Palette("[12,0,16]", 1221, words, words, words)).Where((_, at) => at % 3 == 0).Select(c => (int)c));
    }

    [Fact]
    public void SegmentsOf8BitsAreExpanded()
    {
        byte[] bytes = [0, 2, 0, 100, 1, 2, 200, 2, 1, 4, 0, 0, 0];
        var data = Convert.ToBase64String(bytes);
        var frame = Ramp(7);

        Assert.Equal(
            [0, 100, 150, 200, 200, 200, 200],
            Frames.Draw(frame, Palette("[7,0,8]", 1221, data, data, data)).Where((_, at) => at % 3 == 0).Select(c => (int)c));
    }

    /// <summary>A linear segment first, a segment without data, an unknown type, indirect segments to itself and outside.</summary>
    [Theory]
    [InlineData(new[] { 1, 4, 100 })]
    [InlineData(new[] { 0, 9 })]
    [InlineData(new[] { 7, 7, 7 })]
    [InlineData(new[] { 2, 65535, 0, 0 })]
    [InlineData(new[] { 2, 65535, 65535, 65535 })]
    [InlineData(new int[0])]
    public void APaletteWithoutColorsIsRefused(int[] segments)
    {
        var words = Words(segments);
        var frame = new NativeFrame(Frames.Layout(1, 8, photometric: "PALETTE COLOR"), new byte[1]);

        Assert.Contains(
            "palette", FramePictures.Render(frame, Frames.Read(Palette("[4,0,16]", 1221, words, words, words)), new()).Reason,
            StringComparison.Ordinal);
    }

    [Fact]
    public void ColorHasNoWindow() => Assert.Equal(
        [1, 2, 3],
        Frames.Draw(Color("RGB", 1, [1, 2, 3]), "{'00281050':'DS 1','00281051':'DS 1'}", new VoiWindow(1, 1, VoiFunction.Linear)));

    /// <summary>A palette frame of the samples 0, 1, 2, …</summary>
    private static NativeFrame Ramp(int columns) =>
        new(Frames.Layout(columns, 8, photometric: "PALETTE COLOR"), Enumerable.Range(0, columns).Select(i => (byte)i).ToArray());

    private static NativeFrame Color(string photometric, int columns, byte[] bytes, bool isPlanar = false) =>
        new(Frames.Layout(columns, 8, photometric: photometric, samples: 3) with { IsPlanar = isPlanar }, bytes);

    private static byte[] Draw(byte[] samples, string descriptor, string red, string green, string blue) => Frames.Draw(
        new NativeFrame(Frames.Layout(samples.Length, 8, photometric: "PALETTE COLOR"), samples),
        Palette(descriptor, 1201, red, green, blue));

    private static string Palette(string descriptor, int element, params string[] data) => "{" + string.Join(',', data.Select((d, at) =>
        $"'0028{1101 + at}':{{'vr':'US','Value':{descriptor}}},'0028{element + at}':{{'vr':'OW','InlineBinary':'{d}'}}")) + "}";

    private static string Words(int[] words) => Convert.ToBase64String(Frames.Bytes(words));

    private static string Data(int[] values, bool areWords) =>
        areWords ? Words(values) : Convert.ToBase64String([.. values.Select(v => (byte)v)]);
}
