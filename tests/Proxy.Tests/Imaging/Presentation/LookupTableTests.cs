using Proxy.Imaging.Presentation;
using Xunit;

namespace Proxy.Tests.Imaging.Presentation;

/// <summary>Modality and VOI LUTs (PS3.3 §C.11.1, §C.11.2).</summary>
public class LookupTableTests
{
    private const string Values = "'00283006':{'vr':'US','Value':[0,1000,3000,4095]}";

    [Fact]
    public void MapsStoredValuesByTheModalityLut_BeforeTheWindow() => Assert.Equal(
        [0, 0, 62, 187, 255, 255],
        Frames.Draw(
            Frames.Words(0, 10, 11, 12, 13, 99),
            $"{{'00283000':{Sequence("'00283002':{'vr':'US','Value':[4,10,16]}," + Values)},'00281050':'DS 2048','00281051':'DS 4096'}}"));

    [Fact]
    public void MapsByTheVoiLut_WithoutAWindow() => Assert.Equal(
        [0, 0, 62, 187, 255, 255],
        Frames.Draw(
            Frames.Words(0, 10, 11, 12, 13, 99), $"{{'00283010':{Sequence("'00283002':{'vr':'US','Value':[4,10,12]}," + Values)}}}"));

    [Fact]
    public void TheWindowPrecedesTheVoiLut() => Assert.Equal(
        [0, 255],
        Frames.Draw(
            Frames.Words(11, 12),
            $"{{'00281050':'DS 12','00281051':'DS 1','00283010':{Sequence("'00283002':{'vr':'US','Value':[4,10,12]}," + Values)}}}"));

    /// <summary>The first input of a signed image written as US, and as SS.</summary>
    [Theory]
    [InlineData("{'vr':'US','Value':[4,65535,12]}")]
    [InlineData("{'vr':'SS','Value':[4,-1,12]}")]
    [InlineData("{'vr':'OW','Value':['4','-1','12']}")]
    public void TheFirstInputMayBeNegative(string descriptor) => Assert.Equal(
        [0, 0, 62, 187, 255, 255],
        Frames.Draw(Frames.Signed(-900, -1, 0, 1, 2, 900), $"{{'00283010':{Sequence($"'00283002':{descriptor},{Values}")}}}"));

    /// <summary>The data of 8 bits packed, of 8 bits in words, in base64 and by URI.</summary>
    [Theory]
    [InlineData(8, "'InlineBinary':'AECA/w=='")]
    [InlineData(8, "'InlineBinary':'AABAAIAA/wA='")]
    [InlineData(8, "'Value':[0,64,128,255]")]
    [InlineData(16, "'InlineBinary':'AAAAQACA//8='")]
    [InlineData(16, "'BulkDataURI':'a/b'")]
    public void DataHasManyForms(int bits, string data)
    {
        var item = $"'00283002':{{'vr':'US','Value':[4,0,{bits}]}},'00283006':{{'vr':'OW',{data}}}";
        var json = Frames.Json($"{{'00283010':{Sequence(item)}}}");
        var bulk = new Dictionary<string, ReadOnlyMemory<byte>> { ["a/b"] = Frames.Bytes(0, 0x4000, 0x8000, 0xFFFF) };

        Assert.Equal(data.Contains("a/b", StringComparison.Ordinal) ? ["a/b"] : [], ImagePresentation.FindUris(json));
        Assert.Equal([0, 64, 128, 255], Frames.Draw(Frames.Words(0, 1, 2, 3), ImagePresentation.Read(json, 1, bulk)));
    }

    /// <summary>Entries that exceed the bits of the descriptor, and a descriptor without bits.</summary>
    [Theory]
    [InlineData(8)]
    [InlineData(0)]
    [InlineData(64)]
    public void TheEntriesDecide_WhenTheDescriptorHasTooFewBits(int bits) => Assert.Equal(
        [0, 62, 187, 255],
        Frames.Draw(
            Frames.Words(0, 1, 2, 3), $"{{'00283010':{Sequence($"'00283002':{{'vr':'US','Value':[4,0,{bits}]}},{Values}")}}}"));

    [Theory]
    [InlineData("[0,0,12]")]
    [InlineData("[65535,0,12]")]
    [InlineData("[-1,0,12]")]
    public void ATableThatIsShorterThanItsDescriptorEndsWithItsData(string descriptor) => Assert.Equal(
        [0, 187, 255, 255],
        Frames.Draw(
            Frames.Words(0, 2, 3, 9), $"{{'00283010':{Sequence($"'00283002':{{'vr':'US','Value':{descriptor}}},{Values}")}}}"));

    /// <summary>The window is for the output of a table that is not there: it is not used.</summary>
    [Fact]
    public void WithoutTheDataOfTheModalityLut_TheValuesOfTheFrameAreTheRange() => Assert.Equal(
        [0, 128, 255],
        Frames.Draw(
            Frames.Words(0, 50, 100),
            $"{{'00283000':{Sequence("'00283002':'x','00283006':{'vr':'OW','BulkDataURI':'gone'}")
                .Replace("'x'", "{'vr':'US','Value':[4,10,16]}", StringComparison.Ordinal)},'00281050':'DS 2048','00281051':'DS 4096'}}"));

    [Fact]
    public void OnlyTheFirstItemIsRead() => Assert.Equal(
        [0, 62, 187, 255],
        Frames.Draw(
            Frames.Words(0, 1, 2, 3),
            "{'00283010':" + Sequence("'00283002':{'vr':'US','Value':[4,0,12]}," + Values + "},{'00283002':{'vr':'US','Value':[1,0,8]}")
                + "}"));

    private static string Sequence(string item) => $"{{'vr':'SQ','Value':[{{{item}}}]}}";
}
