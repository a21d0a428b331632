using Proxy.Dicom;
using Xunit;

namespace Proxy.Tests.Dicom;

public class TransferSyntaxTests
{
    [Theory]
    [InlineData("1.2.840.10008.1.2", "application/octet-stream")]
    [InlineData("1.2.840.10008.1.2.1", "application/octet-stream")]
    [InlineData("1.2.840.10008.1.2.4.50", "image/jpeg")]
    [InlineData("1.2.840.10008.1.2.4.51", "image/jpeg")]
    [InlineData("1.2.840.10008.1.2.4.57", "image/jpeg")]
    [InlineData("1.2.840.10008.1.2.4.70", "image/jpeg")]
    [InlineData("1.2.840.10008.1.2.4.80", "image/jls")]
    [InlineData("1.2.840.10008.1.2.4.81", "image/jls")]
    [InlineData("1.2.840.10008.1.2.4.90", "image/jp2")]
    [InlineData("1.2.840.10008.1.2.4.91", "image/jp2")]
    [InlineData("1.2.840.10008.1.2.4.92", "image/jpx")]
    [InlineData("1.2.840.10008.1.2.4.93", "image/jpx")]
    [InlineData("1.2.840.10008.1.2.4.201", "image/jphc")]
    [InlineData("1.2.840.10008.1.2.4.202", "image/jphc")]
    [InlineData("1.2.840.10008.1.2.4.203", "image/jphc")]
    [InlineData("1.2.840.10008.1.2.5", "image/dicom-rle")]
    public void FindsTheFrameTypeOfATransferSyntax(string transferSyntax, string type) =>
        Assert.Equal(type, TransferSyntax.FindFrameType(Uid.Parse(transferSyntax)));

    [Theory]
    [InlineData("1.2.840.10008.1.2.1.98")]
    [InlineData("1.2.840.10008.1.2.1.99")]
    [InlineData("1.2.840.10008.1.2.2")]
    [InlineData("1.2.840.10008.1.2.4.100")]
    [InlineData("1.2.840.10008.1.2.4.102")]
    [InlineData("1.2.840.10008.1.2.4.108")]
    [InlineData("1.2.840.10008.1.2.4.95")]
    [InlineData("1.2.840.113619.5.2")]
    public void FindsNoFrameType_WhenFramesCannotBeCut(string transferSyntax) =>
        Assert.Null(TransferSyntax.FindFrameType(Uid.Parse(transferSyntax)));
}
