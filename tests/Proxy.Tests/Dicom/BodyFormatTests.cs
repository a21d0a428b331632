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
    [InlineData("multipart/related; type=application/dicom", "application/dicom", BodyFormat.ExplicitLittleEndian)]
    [InlineData("multipart/related; type=image/x-jls", "image/jls", "1.2.840.10008.1.2.4.80")]
    [InlineData("image/x-dicom-rle; transfer-syntax=*", "image/dicom-rle", "*")]
    public void ReadsTheFormOfAnAcceptedType(string accept, string mediaType, string transferSyntax) =>
        Assert.Equal(new BodyFormat(mediaType, transferSyntax), BodyFormat.FromMediaType(MediaType.Parse(accept)!));

    [Theory]
    [InlineData("application/dicom+json")]
    [InlineData("text/html")]
    [InlineData("application/octet-stream; transfer-syntax=../x")]
    [InlineData("application/octet-stream; transfer-syntax=")]
    [InlineData("application/dicom; transfer-syntax=1.2.840.10008.1.2")]
    [InlineData("multipart/related; type=\"application/dicom\"; transfer-syntax=1.2.840.10008.1.2.2")]
    public void ReadsNoForm_WhenTheTypeIsNotPixelData(string accept) => Assert.Null(BodyFormat.FromMediaType(MediaType.Parse(accept)!));

    [Fact]
    public void AsStored_IsSatisfiedByAnyTransferSyntax()
    {
        Assert.True(BodyFormat.AsStored.IsSatisfiedBy("application/octet-stream", Jpeg2000));
        Assert.True(BodyFormat.AsStored.IsSatisfiedBy("image/jp2", Jpeg2000));
        Assert.True(BodyFormat.AsStored.IsSatisfiedBy("application/octet-stream", null));
    }

    [Fact]
    public void ANamedTransferSyntax_IsSatisfiedOnlyByItself()
    {
        var asked = new BodyFormat("application/octet-stream", Jpeg2000);
        Assert.True(asked.IsSatisfiedBy("image/jp2", Jpeg2000));
        Assert.False(asked.IsSatisfiedBy("application/octet-stream", BodyFormat.ExplicitLittleEndian));
        Assert.False(asked.IsSatisfiedBy("application/octet-stream", null));
    }

    [Fact]
    public void AnImageTypeAsStored_IsSatisfiedOnlyByThatType()
    {
        var asked = new BodyFormat("image/jp2", BodyFormat.Any);
        Assert.True(asked.IsSatisfiedBy("image/jp2", Jpeg2000));
        Assert.False(asked.IsSatisfiedBy("image/jls", "1.2.840.10008.1.2.4.80"));
    }

    [Fact]
    public void TreatsAFrameOfAnImplicitInstanceAsExplicitLittleEndian()
    {
        Assert.True(new BodyFormat(
            "application/octet-stream", BodyFormat.ExplicitLittleEndian).IsSatisfiedBy("application/octet-stream",
            TransferSyntax.ImplicitLittleEndian));
        Assert.True(BodyFormat.AsStored.IsSatisfiedBy("application/octet-stream", TransferSyntax.ImplicitLittleEndian));
    }

    [Theory]
    [InlineData(TransferSyntax.ImplicitLittleEndian, false)]
    [InlineData(TransferSyntax.ExplicitBigEndian, false)]
    [InlineData(BodyFormat.ExplicitLittleEndian, true)]
    [InlineData(Jpeg2000, true)]
    public void AnInstanceAsStored_IsNotSatisfiedByAForbiddenTransferSyntax(string transferSyntax, bool isMet) =>
        Assert.Equal(isMet, new BodyFormat(BodyFormat.Dicom, BodyFormat.Any).IsSatisfiedBy(BodyFormat.Dicom, transferSyntax));

    [Fact]
    public void UsesOneMediaTypePerTransferSyntax()
    {
        Assert.Equal(new BodyFormat("image/jp2", Jpeg2000), new BodyFormat("application/octet-stream", Jpeg2000).Canonical);
        Assert.Equal(BodyFormat.AsStored, BodyFormat.AsStored.Canonical);
        Assert.Equal(new BodyFormat(BodyFormat.Dicom, Jpeg2000), new BodyFormat(BodyFormat.Dicom, Jpeg2000).Canonical);
    }
}
