using Proxy.Imaging.Presentation;
using Xunit;

namespace Proxy.Tests.Imaging.Presentation;

/// <summary>Values of functional groups (PS3.3 §C.7.6.16), and other values of a dataset.</summary>
public class ImagePresentationTests
{
    /// <summary>Frame 1 has a window, frame 2 a slope, frame 3 nothing of its own.</summary>
    private const string Enhanced =
        """
        {"00281050":{"vr":"DS","Value":[1]},"00281051":{"vr":"DS","Value":[10]},"00281052":{"vr":"DS","Value":[-5]},"52009229":{"vr":"SQ","Value":[{"00289145":{"vr":"SQ","Value":[{"00281052":{"vr":"DS","Value":[-7]},"00281053":{"vr":"DS","Value":[2]}}]},"00289110":{"vr":"SQ","Value":[{"00280030":{"vr":"DS","Value":[2,1]}}]},"00289132":{"vr":"SQ","Value":[{"00281050":{"vr":"DS","Value":[50]},"00281051":{"vr":"DS","Value":[100]}},{"00281050":{"vr":"DS","Value":[9]}}]}}]},"52009230":{"vr":"SQ","Value":[{"00289132":{"vr":"SQ","Value":[{"00281050":{"vr":"DS","Value":[40]},"00281051":{"vr":"DS","Value":[400]},"00281056":{"vr":"CS","Value":["SIGMOID"]}}]}},{"00289145":{"vr":"SQ","Value":[{"00281052":{"vr":"DS","Value":[3]},"00281053":{"vr":"DS","Value":[4]}}]}},{"00189004":{"vr":"SQ","Value":[{"00281053":{"vr":"DS","Value":[99]}}]}}]}}
        """;

    [Theory]
    [InlineData(1, 2, -7, 40, 400, VoiFunction.Sigmoid)]
    [InlineData(2, 4, 3, 50, 100, VoiFunction.Linear)]
    [InlineData(3, 2, -7, 50, 100, VoiFunction.Linear)]
    [InlineData(4, 2, -7, 50, 100, VoiFunction.Linear)]
    public void TheItemOfTheFramePrecedesTheSharedItem(
        int frame, double slope, double intercept, double center, double width, VoiFunction function)
    {
        var presentation = Frames.Read(Enhanced, frame);

        Assert.Equal((slope, intercept, 2.0), (presentation.RescaleSlope, presentation.RescaleIntercept, presentation.PixelAspect));
        Assert.Equal(new VoiWindow(center, width, function), presentation.Window);
        Assert.Equal(presentation, ImagePresentation.ReadFrames(Frames.Json(Enhanced), 1, 4)[frame - 1]);
    }

    [Theory]
    [InlineData("{'00181063':'DS 40'}", 40)]
    [InlineData("{'00180040':'IS 50'}", 20)]
    [InlineData("{'00082144':'IS 25'}", 40)]
    [InlineData("{'00181063':'DS 0'}", 100)]
    [InlineData("{'00180040':'IS 0'}", 100)]
    [InlineData("{'00180040':'IS -5'}", 100)]
    [InlineData("{'00181063':'DS 1e9'}", 100)]
    public void TheDatasetTellsHowLongAFrameIsShown(string json, double milliseconds) =>
        Assert.Equal(milliseconds, Frames.Read(json).FrameTime.TotalMilliseconds);

    [Fact]
    public void UrisOfTablesAndProfileAreFound() => Assert.Equal(
        ["p", "m", "i"],
        ImagePresentation.FindUris(Frames.Json(
            """
            {"00281201":{"vr":"OW","BulkDataURI":"p"},"00282000":{"vr":"OB","BulkDataURI":"i"},"00283000":{"vr":"SQ","Value":[{"00283006":{"vr":"OW","BulkDataURI":"m"}}]},"7FE00010":{"vr":"OW","BulkDataURI":"x"}}
            """)).OrderBy(uri => "pmi".IndexOf(uri[0], StringComparison.Ordinal)));
}
