using Proxy.Dicom;
using Xunit;

namespace Proxy.Tests.Dicom;

public class BodyFormatTests
{
    private const string Jpeg2000 = "1.2.840.10008.1.2.4.90";

    [Theory]
    [InlineData("multipart/related; type=application/octet-stream; transfer-syntax=*", "application/octet-stream", "*")]
    [InlineData("multipart/related; type=\"application/octet-stream\"; transfer-syntax=*", "application/octet-stream", "*")]
    [InlineData("multipart/related; type=\"Application/Octet-Stream\"", "application/octet-stream", BodyFormat.ExplicitLittleEndian)]
    [InlineData("multipart/related", "application/octet-stream", BodyFormat.ExplicitLittleEndian)]
    [InlineData("*/*", "application/octet-stream", BodyFormat.ExplicitLittleEndian)]
    [InlineData("*/*; transfer-syntax=*", "application/octet-stream", "*")]
    [InlineData("application/octet-stream;transfer-syntax=1.2.840.10008.1.2.4.90", "application/octet-stream", Jpeg2000)]
    [InlineData("image/jp2", "image/jp2", Jpeg2000)]
    [InlineData("multipart/related; type=image/jls", "image/jls", "1.2.840.10008.1.2.4.80")]
    [InlineData("image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50", "image/jpeg", "1.2.840.10008.1.2.4.50")]
    [InlineData("image/jphc; transfer-syntax=*", "image/jphc", "*")]
    [InlineData("multipart/related; type=application/dicom", "application/dicom", BodyFormat.Unnamed)]
    public void TakesTheFormFromWhatIsAccepted(string accept, string mediaType, string transferSyntax) =>
        Assert.Equal(new BodyFormat(mediaType, transferSyntax), BodyFormat.Of(MediaType.Parse(accept)!));

    [Theory]
    [InlineData("application/dicom+json")]
    [InlineData("text/html")]
    [InlineData("application/octet-stream; transfer-syntax=../x")]
    [InlineData("application/octet-stream; transfer-syntax=")]
    public void OtherTypesAreNoForm(string accept) => Assert.Null(BodyFormat.Of(MediaType.Parse(accept)!));

    [Fact]
    public void AsStored_IsMetByAnyTransferSyntax()
    {
        Assert.True(BodyFormat.AsStored.IsMetBy("application/octet-stream", Jpeg2000));
        Assert.True(BodyFormat.AsStored.IsMetBy("image/jp2", Jpeg2000));
        Assert.True(BodyFormat.AsStored.IsMetBy("application/octet-stream", null));
    }

    [Fact]
    public void ANamedTransferSyntax_IsMetByItselfAlone()
    {
        var asked = new BodyFormat("application/octet-stream", Jpeg2000);
        Assert.True(asked.IsMetBy("image/jp2", Jpeg2000));
        Assert.False(asked.IsMetBy("application/octet-stream", BodyFormat.ExplicitLittleEndian));
        Assert.False(asked.IsMetBy("application/octet-stream", null));
    }

    [Fact]
    public void AnImageTypeAsStored_IsMetByThatTypeAlone()
    {
        var asked = new BodyFormat("image/jp2", BodyFormat.Any);
        Assert.True(asked.IsMetBy("image/jp2", Jpeg2000));
        Assert.False(asked.IsMetBy("image/jls", "1.2.840.10008.1.2.4.80"));
    }
}
