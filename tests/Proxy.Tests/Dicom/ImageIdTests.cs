using FsCheck.Xunit;
using Proxy.Dicom;
using Xunit;

namespace Proxy.Tests.Dicom;

public class ImageIdTests
{
    private const string Path = "studies/1.2/series/1.3/instances/1.4";

    [Theory]
    [InlineData("wadors:https://pacs.example/dicomweb/" + Path + "/frames/7", 7)]
    [InlineData("wadors:/dicomweb/" + Path + "/frames/7", 7)]
    [InlineData("wadors:/backends/east/dicomweb/" + Path + "/frames/7", 7)]
    [InlineData("https://pacs.example/dicomweb/" + Path + "/frames/7", 7)]
    [InlineData("wadors:/dicomweb/" + Path, 1)]
    [InlineData("wadors:/dicomweb/" + Path + "/", 1)]
    [InlineData("wadors:/dicomweb/" + Path + "/frames/7?accept=x", 7)]
    [InlineData("wadors:/a/studies/b/" + Path + "/frames/7", 7)]
    [InlineData("wadors%3Ahttps%3A%2F%2Fpacs.example%2Fdicomweb%2Fstudies%2F1.2%2Fseries%2F1.3%2Finstances%2F1.4%2Fframes%2F7", 7)]
    [InlineData("wadors%3a%2fdicomweb%2fstudies%2f1.2%2fseries%2f1.3%2finstances%2f1.4%2fframes%2f7", 7)]
    public void ReadsFrameAddresses(string text, int frame) => AssertReads(text, frame);

    [Theory]
    [InlineData("wadouri:https://pacs.example/dicomweb?requestType=WADO&studyUID=1.2&seriesUID=1.3&objectUID=1.4", 1)]
    [InlineData(
        "dicomweb:https://pacs.example/dicomweb?requestType=WADO&studyUID=1.2&seriesUID=1.3&objectUID=1.4"
        + "&contentType=application/dicom&transferSyntax=*&frame=12", 12)]
    [InlineData(
        "dicomweb:/dicomweb?frame=12&objectUID=1.4&contentType=application%2Fdicom&seriesUID=1.3&requestType=WADO&studyUID=1.2", 12)]
    [InlineData("dicomweb:/dicomweb?objectUID=1.4&studyUID=1.2&seriesUID=1.3&requestType=WADO", 1)]
    [InlineData("wadouri%3A%2Fdicomweb%3FrequestType%3DWADO%26studyUID%3D1.2%26seriesUID%3D1.3%26objectUID%3D1.4%26frame%3D3", 3)]
    [InlineData("wadouri:/dicomweb?requestType=WADO&studyuid=1.2&seriesuid=1.3&objectuid=1.4", 1)]
    public void ReadsObjectQueries_InAnyOrder(string text, int frame) => AssertReads(text, frame);

    [Theory]
    [InlineData("")]
    [InlineData("wadors:")]
    [InlineData("wadors:/dicomweb/studies/1.2")]
    [InlineData("wadors:/dicomweb/studies/1.2/series/1.3")]
    [InlineData("wadors:/dicomweb/studies/1.2/series/1.3/instances")]
    [InlineData("wadors:/dicomweb/" + Path + "/frames")]
    [InlineData("wadors:/dicomweb/" + Path + "/frames/0")]
    [InlineData("wadors:/dicomweb/" + Path + "/frames/-1")]
    [InlineData("wadors:/dicomweb/" + Path + "/frames/1,2")]
    [InlineData("wadors:/dicomweb/" + Path + "/frames/x")]
    [InlineData("wadors:/dicomweb/" + Path + "/frames/99999999999")]
    [InlineData("wadors:/dicomweb/" + Path + "/frames/1/rendered")]
    [InlineData("wadors:/dicomweb/studies/1.2/series/../instances/1.4")]
    [InlineData("wadors:/dicomweb/studies/1..2/series/1.3/instances/1.4/frames/1")]
    [InlineData("wadors:/dicomweb/studies/1.2/instances/1.4/series/1.3/frames/1")]
    [InlineData("dicomweb:/dicomweb?requestType=WADO&studyUID=1.2&objectUID=1.4")]
    [InlineData("dicomweb:/dicomweb?requestType=WADO&studyUID=1.2&seriesUID=1.3&objectUID=")]
    [InlineData("dicomweb:/dicomweb?studyUID=1.2&seriesUID=1.3&objectUID=1.4&objectUID=1.5")]
    [InlineData("dicomweb:/dicomweb?studyUID=1.2&seriesUID=1.3&objectUID=1.4&frame=0")]
    [InlineData("dicomweb:/dicomweb?studyUID=1.2&seriesUID=1.3&objectUID=1.4&frame=one")]
    [InlineData("wadors%3A%2Fdicomweb%2Fstudies%2F1.2%252F1.3")]
    public void RefusesTextThatNamesNoInstance(string text) => Assert.False(ImageId.TryParse(text, out _));

    [Fact]
    public void RefusesNull() => Assert.False(ImageId.TryParse(null, out _));

    [Property(MaxTest = 1000)]
    public void NeverThrows(string? text) => _ = ImageId.TryParse("wadors:%2F/studies/" + text + "?objectUID=%" + text, out _);

    private static void AssertReads(string text, int frame)
    {
        Assert.True(ImageId.TryParse(text, out var id));
        Assert.Equal(new ImageId(new(Uid.Parse("1.2"), Uid.Parse("1.3"), Uid.Parse("1.4")), frame), id);
    }
}
