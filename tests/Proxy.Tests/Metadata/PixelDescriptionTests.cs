using System.Text;
using Proxy.Metadata;
using Xunit;

namespace Proxy.Tests.Metadata;

public sealed class PixelDescriptionTests
{
    [Fact]
    public void ReadsNumbersAndStrings_FromDicomJson()
    {
        var pixels = Read("""
            {"00083002":{"vr":"UI","Value":["1.2.840.10008.1.2.4.80\u0000"]},"00280002":{"vr":"US","Value":[3]},
             "00280004":{"vr":"CS","Value":["YBR_FULL_422 "]},
             "00280008":{"vr":"IS","Value":["5"]},"00280010":{"vr":"US","Value":[2]},"00280011":{"vr":"US","Value":["4"]},
             "00280100":{"vr":"US","Value":[8]},
             "52009230":{"vr":"SQ","Value":[{"00280010":{"vr":"US","Value":[77]}}]}}
            """);

        Assert.Equal(
            new PixelDescription
            {
                AvailableTransferSyntax = "1.2.840.10008.1.2.4.80",
                SamplesPerPixel = 3,
                IsHalfChroma = true,
                NumberOfFrames = 5,
                Rows = 2,
                Columns = 4,
                BitsAllocated = 8,
                HasPixels = true
            },
            pixels);
    }

    [Theory]
    [InlineData("""{"00080016":{"vr":"UI","Value":["1.2.840.10008.5.1.4.1.1.77.1.4.1"]}}""", true)]
    [InlineData("""{"00083002":{"vr":"UI","Value":["1.2.840.10008.1.2.4.104.1"]}}""", true)]
    [InlineData(
        """{"00080016":{"vr":"UI","Value":["1.2"]},"00083002":{"vr":"UI","Value":["1.2.840.10008.1.2.4.80"]}}""", false)]
    public void IsAVideo_ByItsClassOrItsTransferSyntax(string json, bool isVideo) => Assert.Equal(isVideo, Read(json).IsVideo);

    [Theory]
    [InlineData("""{"00280008":{"vr":"IS","Value":["2"]},"00280010":{"vr":"US","Value":[2]}}""", 2, 3)]
    [InlineData("""{"00280010":{"vr":"US","Value":[2]}}""", 1, 2)]
    [InlineData("""{"00280008":{"vr":"IS"},"7FE00010":{"vr":"OW","BulkDataURI":"x"}}""", 1, 2)]
    [InlineData("""{"00080016":{"vr":"UI","Value":["1.2"]}}""", 0, 1)]
    public void HasOneFrameByDefault_AndNoneWithoutPixels(string json, int has, int hasNot)
    {
        var pixels = Read(json);

        Assert.Equal(has > 0, pixels.HasFrame(1));
        Assert.Equal(has > 1, pixels.HasFrame(2));
        Assert.False(pixels.HasFrame(hasNot));
    }

    [Theory]
    [InlineData(512, 512, 1, 16, 1, 524_288, true)]
    [InlineData(512, 512, 1, 16, 1, 524_287, false)]
    [InlineData(512, 512, 1, 16, 1, 524_289, false)]
    [InlineData(3, 3, 1, 8, 1, 9, true)]
    [InlineData(3, 3, 1, 8, 1, 10, true)]
    [InlineData(3, 3, 1, 8, 1, 11, false)]
    [InlineData(4, 4, 3, 8, 1, 48, true)]
    // Single bits: fifteen need two bytes, and the second frame touches three.
    [InlineData(2, 5, 1, 1, 1, 2, true)]
    [InlineData(2, 5, 1, 1, 2, 2, true)]
    [InlineData(2, 5, 1, 1, 1, 10, false)]
    [InlineData(3, 5, 1, 1, 2, 3, true)]
    [InlineData(3, 5, 1, 1, 1, 3, false)]
    [InlineData(512, 512, 1, 1, 7, 32_768, true)]
    public void ChecksTheLengthOfANativeFrame(int rows, int columns, int samples, int bits, int frame, long length, bool can) =>
        Assert.Equal(
            can,
            new PixelDescription { Rows = rows, Columns = columns, SamplesPerPixel = samples, BitsAllocated = bits }.IsNativeLength(frame,
                length));

    [Theory]
    [InlineData(48)]
    [InlineData(32)]
    public void AcceptsSharedChrominance(long length) =>
        Assert.True(new PixelDescription
        {
            Rows = 4,
            Columns = 4,
            SamplesPerPixel = 3,
            BitsAllocated = 8,
            IsHalfChroma = true
        }.IsNativeLength(1, length));

    [Fact]
    public void ReturnsNull_ForAnIncompleteDescription() =>
        Assert.Null(new PixelDescription { Rows = 4, Columns = 4, BitsAllocated = 8 }.IsNativeLength(1, 3));

    private static PixelDescription Read(string json) => PixelDescription.Read(Encoding.UTF8.GetBytes(json));
}
