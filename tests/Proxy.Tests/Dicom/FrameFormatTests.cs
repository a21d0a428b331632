using Proxy.Dicom;
using Xunit;

namespace Proxy.Tests.Dicom;

public class FrameFormatTests
{
    private const string Jpeg2000 = "1.2.840.10008.1.2.4.90";

    [Theory]
    [InlineData("multipart/related; type=application/octet-stream; transfer-syntax=*", "application/octet-stream", "*")]
    [InlineData("multipart/related; type=\"application/octet-stream\"; transfer-syntax=*", "application/octet-stream", "*")]
    [InlineData("multipart/related; type=\"Application/Octet-Stream\"", "application/octet-stream", FrameFormat.ExplicitLittleEndian)]
    [InlineData("multipart/related", "application/octet-stream", FrameFormat.ExplicitLittleEndian)]
    [InlineData("*/*", "application/octet-stream", FrameFormat.ExplicitLittleEndian)]
    [InlineData("*/*; transfer-syntax=*", "application/octet-stream", "*")]
    [InlineData("application/octet-stream;transfer-syntax=1.2.840.10008.1.2.4.90", "application/octet-stream", Jpeg2000)]
    [InlineData("image/jp2", "image/jp2", Jpeg2000)]
    [InlineData("multipart/related; type=image/jls", "image/jls", "1.2.840.10008.1.2.4.80")]
    [InlineData("image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50", "image/jpeg", "1.2.840.10008.1.2.4.50")]
    [InlineData("image/jphc; transfer-syntax=*", "image/jphc", "*")]
    public void TakesTheFormFromWhatIsAccepted(string accept, string mediaType, string transferSyntax) =>
        Assert.Equal(new FrameFormat(mediaType, transferSyntax), FrameFormat.Of(MediaType.Parse(accept)!));

    [Theory]
    [InlineData("application/dicom+json")]
    [InlineData("text/html")]
    [InlineData("multipart/related; type=application/dicom")]
    [InlineData("application/octet-stream; transfer-syntax=../x")]
    [InlineData("application/octet-stream; transfer-syntax=")]
    public void OtherTypesAreNoForm(string accept) => Assert.Null(FrameFormat.Of(MediaType.Parse(accept)!));

    [Fact]
    public void AsStored_IsMetByAnyTransferSyntax()
    {
        Assert.True(FrameFormat.AsStored.IsMetBy("application/octet-stream", Jpeg2000));
        Assert.True(FrameFormat.AsStored.IsMetBy("image/jp2", Jpeg2000));
        Assert.True(FrameFormat.AsStored.IsMetBy("application/octet-stream", null));
    }

    [Fact]
    public void ANamedTransferSyntax_IsMetByItselfAlone()
    {
        var asked = new FrameFormat("application/octet-stream", Jpeg2000);
        Assert.True(asked.IsMetBy("image/jp2", Jpeg2000));
        Assert.False(asked.IsMetBy("application/octet-stream", FrameFormat.ExplicitLittleEndian));
        Assert.False(asked.IsMetBy("application/octet-stream", null));
    }

    [Fact]
    public void AnImageTypeAsStored_IsMetByThatTypeAlone()
    {
        var asked = new FrameFormat("image/jp2", FrameFormat.Any);
        Assert.True(asked.IsMetBy("image/jp2", Jpeg2000));
        Assert.False(asked.IsMetBy("image/jls", "1.2.840.10008.1.2.4.80"));
    }
}
