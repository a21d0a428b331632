using System.Text;
using System.Text.Json.Nodes;
using Proxy.Imaging;
using Xunit;

namespace Proxy.Tests.Imaging;

/// <summary>The Image Pixel module is read within its bounds (PS3.3 §C.7.6.3).</summary>
public class PixelLayoutTests
{
    [Fact]
    public void ReadsTheAttributesOfAnImage()
    {
        var layout = Read(
            ("00280002", 1), ("00280004", "MONOCHROME2"), ("00280010", 3), ("00280011", 5), ("00280100", 16), ("00280101", 12),
            ("00280102", 11), ("00280103", 1));
        Assert.Equal(
            new PixelLayout
            {
                Rows = 3,
                Columns = 5,
                SamplesPerPixel = 1,
                PhotometricInterpretation = "MONOCHROME2",
                BitsAllocated = 16,
                BitsStored = 12,
                HighBit = 11,
                IsSigned = true,
            }, layout);
        Assert.Equal(30, layout!.FrameLength);
    }

    [Theory]
    [InlineData("RGB", 8, 27)]
    [InlineData("YBR_FULL_422", 8, 18)]
    [InlineData("YBR_FULL", 16, 54)]
    public void AFrameOfColours_HasThreeSamples_UnlessPixelsShareTheirChrominance(string photometric, int bits, long length) =>
        Assert.Equal(
            length,
            Read(("00280002", 3), ("00280004", photometric), ("00280010", 3), ("00280011", 3), ("00280100", bits))!.FrameLength);

    [Fact]
    public void AFrameOfSingleBits_IsRoundedUp() =>
        Assert.Equal(2, Read(("00280004", "MONOCHROME2"), ("00280010", 3), ("00280011", 3), ("00280100", 1))!.FrameLength);

    [Theory]
    [InlineData("00280010", 0)]
    [InlineData("00280010", 65_536)]
    [InlineData("00280011", -1)]
    [InlineData("00280002", 4)]
    [InlineData("00280100", 12)]
    [InlineData("00280101", 17)]
    [InlineData("00280102", 10)]
    [InlineData("00280102", 16)]
    public void AValueOutOfItsBounds_IsNoLayout(string tag, int value)
    {
        (string, object)[] valid = [
            ("00280004", "MONOCHROME2"), ("00280010", 3), ("00280011", 5), ("00280100", 16), ("00280101", 12), ("00280102", 11)];
        Assert.NotNull(Read(valid));
        Assert.Null(Read([.. valid.Where(a => a.Item1 != tag), (tag, value)]));
    }

    [Fact]
    public void AMissingAttribute_IsNoLayout() => Assert.Null(Read(("00280010", 3), ("00280011", 5), ("00280100", 16)));

    private static PixelLayout? Read(params (string Tag, object Value)[] attributes)
    {
        var dataset = new JsonObject(attributes.Select(a => KeyValuePair.Create<string, JsonNode?>(
            a.Tag,
            a.Value is int number
                ? new JsonObject { ["vr"] = "US", ["Value"] = new JsonArray(number) }
                : new JsonObject { ["vr"] = "CS", ["Value"] = new JsonArray((string)a.Value) })));
        return PixelLayout.Read(Encoding.UTF8.GetBytes(dataset.ToJsonString()));
    }
}
