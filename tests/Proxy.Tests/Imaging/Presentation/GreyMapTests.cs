using Proxy.Imaging;
using Proxy.Imaging.Presentation;
using Xunit;

namespace Proxy.Tests.Imaging.Presentation;

/// <summary>The grey pipeline: modality, VOI, presentation (PS3.4 §N.2.1).</summary>
public class GreyMapTests
{
    [Fact]
    public void RescalesBeforeTheWindow() => Assert.Equal(
        [0, 0, 102, 128, 255],
        Frames.Draw(
            Frames.Words(0, 864, 1024, 1064, 4095),
            "{'00281052':'DS -1024','00281053':'DS 1','00281050':'DS 40\\\\-600','00281051':'DS 400\\\\1500'}"));

    [Fact]
    public void ReadsNumbersThatAreStrings() => Assert.Equal(
        [0, 128, 255],
        Frames.Draw(
            Frames.Words(0, 1064, 4095),
            "{'00281052':{'vr':'DS','Value':['-1024 ']},'00281050':{'vr':'DS','Value':['40']},'00281051':{'vr':'DS','Value':[' 4e2']}}"));

    [Theory]
    [InlineData("LINEAR_EXACT", 108)]
    [InlineData("SIGMOID", 109)]
    [InlineData("LINEAR", 109)]
    [InlineData("CUBIC", 109)]
    public void UsesTheFunctionOfTheDataset(string function, int grey) => Assert.Equal(
        [grey],
        Frames.Draw(Frames.Words(10), $"{{'00281050':'DS 40','00281051':'DS 400','00281056':'CS {function}'}}").Select(g => (int)g));

    [Fact]
    public void AWindowThatIsAskedForReplacesThatOfTheDataset() => Assert.Equal(
        [128],
        Frames.Draw(Frames.Words(10), "{'00281050':'DS 40','00281051':'DS 400'}", new VoiWindow(10, 100, VoiFunction.LinearExact)));

    /// <summary>12 bits in 16, high bit 11 and 15; the other bits have overlays in old files.</summary>
    [Theory]
    [InlineData(11, 0xF800, 0xF7FF, 0xF000)]
    [InlineData(15, 0x8000, 0x7FFF, 0x000F)]
    public void ExtendsTheSign(int highBit, int smallest, int largest, int zero)
    {
        var layout = Frames.Layout(3, 16, 12) with { IsSigned = true, HighBit = highBit };

        Assert.Equal([0, 255, 128], Frames.Draw(new(layout, Frames.Bytes(smallest, largest, zero))));
    }

    [Theory]
    [InlineData("MONOCHROME1", "{}", new byte[] { 255, 0 })]
    [InlineData("MONOCHROME2", "{}", new byte[] { 0, 255 })]
    [InlineData("MONOCHROME1", "{'20500020':'CS INVERSE'}", new byte[] { 255, 0 })]
    [InlineData("MONOCHROME2", "{'20500020':'CS INVERSE'}", new byte[] { 255, 0 })]
    [InlineData("MONOCHROME2", "{'20500020':'CS IDENTITY'}", new byte[] { 0, 255 })]
    public void InvertsOnce(string photometric, string json, byte[] greys) =>
        Assert.Equal(greys, Frames.Draw(new(Frames.Layout(2, 16, photometric: photometric), Frames.Bytes(7, 900)), json));

    [Fact]
    public void WithoutAWindow_TheValuesOfTheFrameAreTheRange() =>
        Assert.Equal([0, 128, 255], Frames.Draw(Frames.Words(100, 150, 200), "{'00281053':'DS 2','00281052':'DS -9'}"));

    [Fact]
    public void ANegativeSlopeTurnsTheRangeAround() =>
        Assert.Equal([255, 128, 0], Frames.Draw(Frames.Words(100, 150, 200), "{'00281053':'DS -1'}"));

    [Theory]
    [InlineData("{'00280120':'SS -2000'}")]
    [InlineData("{'00280120':'US 63536'}")]
    [InlineData("{'00280120':'SS -2000','00280121':'SS -1990'}")]
    public void PaddingIsBlackAndNotPartOfTheRange(string json) =>
        Assert.Equal([0, 0, 128, 255], Frames.Draw(Frames.Signed(-2000, 100, 150, 200), json));

    [Fact]
    public void APaddingRangeMayBeGivenInEitherOrder() => Assert.Equal(
        [0, 0, 0, 255], Frames.Draw(Frames.Words(9, 5, 20, 30), "{'00280120':'US 9','00280121':'US 5'}"));

    [Fact]
    public void PaddingIsBlackInMonochrome1() => Assert.Equal(
        [0, 255, 0], Frames.Draw(new(Frames.Layout(3, 16, photometric: "MONOCHROME1"), Frames.Bytes(0, 1, 9)), "{'00280120':'US 0'}"));

    [Fact]
    public void AFrameOfOneValueIsBlack() => Assert.Equal([0, 0], Frames.Draw(Frames.Words(7, 7)));

    [Fact]
    public void SingleBitsAreBlackAndWhite_FirstBitFirst()
    {
        var frame = new NativeFrame(Frames.Layout(10, 1), new byte[] { 0b1000_0110, 0b01 });

        Assert.Equal([0, 255, 255, 0, 0, 0, 0, 255, 255, 0], Frames.Draw(frame));
    }

    [Fact]
    public void AMaskOfOneValueKeepsItsColor() =>
        Assert.Equal([255, 255], Frames.Draw(new NativeFrame(Frames.Layout(2, 1), new byte[] { 0b11 })));

    [Fact]
    public void Reads32Bits()
    {
        byte[] bytes = [.. new[] { -5, 0, 100_000, 199_995 }.SelectMany(BitConverter.GetBytes)];
        var layout = Frames.Layout(4, 32) with { IsSigned = true };

        Assert.Equal([0, 0, 128, 255], Frames.Draw(new(layout, bytes)));
        Assert.Equal([0, 0, 255, 255], Frames.Draw(new(layout, bytes), window: new(50_000, 10, VoiFunction.Linear)));
    }

    [Fact]
    public void ReadsFloatsAndDoubles()
    {
        byte[] floats = [.. new[] { -0.5f, float.NaN, 0.5f, 0 }.SelectMany(BitConverter.GetBytes)];
        byte[] doubles = [.. new[] { -0.5, double.NaN, 0.5, double.PositiveInfinity }.SelectMany(BitConverter.GetBytes)];

        Assert.Equal([0, 0, 255, 128], Frames.Draw(new(Frames.Layout(4, 32), floats), "{'7FE00008':{'vr':'OF','BulkDataURI':'x'}}"));
        Assert.Equal([0, 0, 255, 255], Frames.Draw(new(Frames.Layout(4, 64), doubles), "{'7FE00009':{'vr':'OD','BulkDataURI':'x'}}"));
    }

    /// <summary>Values that a hostile or broken dataset has: the pixels are drawn as if they were absent.</summary>
    [Theory]
    [InlineData("{'00281053':'DS 0'}")]
    [InlineData("{'00281053':'DS 1e308','00281052':'DS 1e308'}")]
    [InlineData("{'00281053':{'vr':'DS','Value':['NaN']}}")]
    [InlineData("{'00281053':{'vr':'DS','Value':['Infinity']}}")]
    [InlineData("{'00281053':{'vr':'DS','Value':[null]}}")]
    [InlineData("{'00281053':{'vr':'DS'}}")]
    [InlineData("{'00281050':'DS 40','00281051':'DS 0'}")]
    [InlineData("{'00281050':'DS 40','00281051':'DS -400'}")]
    [InlineData("{'00281050':'DS 40','00281051':'DS 0.5'}")]
    [InlineData("{'00281050':'DS 1e308','00281051':'DS 1e308'}")]
    [InlineData("{'00281050':'DS 40'}")]
    [InlineData("{'00281051':'DS 40'}")]
    [InlineData("{'00280120':{'vr':'OW','Value':[[[]]]}}")]
    [InlineData("{'00280120':'US 99999999999999999999'}")]
    [InlineData("{'00283000':{'vr':'SQ','Value':[]},'00283010':{'vr':'SQ','Value':[{}]}}")]
    public void ValuesOutOfBoundsAreIgnored(string json) => Assert.Equal([0, 128, 255], Frames.Draw(Frames.Words(0, 50, 100), json));
}
