using System.Text;
using Proxy.Wire;
using Xunit;

namespace Proxy.Tests.Wire;

public sealed class CodestreamTests
{
    [Theory]
    [InlineData("application/octet-stream", "1.2.840.10008.1.2", PixelCoding.Native)]
    [InlineData("application/octet-stream", "1.2.840.10008.1.2.1", PixelCoding.Native)]
    [InlineData("application/octet-stream", "1.2.840.10008.1.2.1.99", PixelCoding.Native)]
    [InlineData("application/octet-stream", "1.2.840.10008.1.2.2", PixelCoding.Native)]
    [InlineData("application/octet-stream", null, PixelCoding.Native)]
    [InlineData("application/octet-stream", "1.2.840.10008.1.2.5", PixelCoding.Rle)]
    [InlineData("application/octet-stream", "1.2.840.10008.1.2.4.50", PixelCoding.Jpeg)]
    [InlineData("application/octet-stream", "1.2.840.10008.1.2.4.81", PixelCoding.Jpeg)]
    [InlineData("application/octet-stream", "1.2.840.10008.1.2.4.90", PixelCoding.Jpeg2000)]
    [InlineData("application/octet-stream", "1.2.840.10008.1.2.4.202", PixelCoding.Jpeg2000)]
    [InlineData("application/octet-stream", "1.2.840.10008.1.2.4.94", PixelCoding.Unknown)]
    [InlineData("application/octet-stream", "1.2.840.10008.1.2.4.102.1", PixelCoding.Video)]
    [InlineData("application/octet-stream", "1.2.840.10008.1.2.4.111", PixelCoding.JpegXl)]
    [InlineData("application/octet-stream", "1.3.46.670589.33.1.4.1", PixelCoding.Unknown)]
    [InlineData("application/octet-stream", "1.2.840.10008.1.20", PixelCoding.Unknown)]
    [InlineData("image/jpeg", null, PixelCoding.Jpeg)]
    [InlineData("image/jls", "1.3.46.670589.33.1.4.1", PixelCoding.Jpeg)]
    [InlineData("image/jphc", null, PixelCoding.Jpeg2000)]
    [InlineData("image/dicom-rle", null, PixelCoding.Rle)]
    [InlineData("video/mp4", null, PixelCoding.Video)]
    [InlineData("image/tiff", null, PixelCoding.Unknown)]
    public void FindsTheCodingByTransferSyntax_ElseByType(string type, string? transferSyntax, PixelCoding coding) =>
        Assert.Equal(coding, Codestream.FindCoding(type, transferSyntax));

    [Theory]
    [InlineData(PixelCoding.Jpeg, "FFD8FFE0", true)]
    [InlineData(PixelCoding.Jpeg, "FFD8FFF7", true)]
    [InlineData(PixelCoding.Jpeg, "FFD8", false)]
    [InlineData(PixelCoding.Jpeg, "FF4FFF51", false)]
    [InlineData(PixelCoding.Jpeg2000, "FF4FFF51", true)]
    [InlineData(PixelCoding.Jpeg2000, "0000000C6A5020200D0A870A", true)]
    [InlineData(PixelCoding.Jpeg2000, "FFD8FFE0", false)]
    [InlineData(PixelCoding.JpegXl, "FF0A", true)]
    [InlineData(PixelCoding.JpegXl, "0000000C4A584C200D0A870A", true)]
    [InlineData(PixelCoding.JpegXl, "FFD8FFE0", false)]
    [InlineData(PixelCoding.Native, "00", true)]
    [InlineData(PixelCoding.Video, "000001B3", true)]
    [InlineData(PixelCoding.Unknown, "12345678", true)]
    public void ChecksTheFirstBytesOfAFrame(PixelCoding coding, string start, bool can) =>
        Assert.Equal(can, Codestream.CanBegin(coding, Convert.FromHexString(start), length: null));

    [Theory]
    [InlineData("<!DOCTYPE html><html>", true)]
    [InlineData("\r\n  <HTML>", true)]
    [InlineData("\u00EF\u00BB\u00BF<?xml version=\"1.0\"?>", true)]
    [InlineData("<Error><Code>AccessDenied</Code></Error>", true)]
    [InlineData("<", false)]
    [InlineData("<<<<<<<<<<<", false)]
    [InlineData("", false)]
    public void RecognizesMarkup(string text, bool isMarkup)
    {
        var start = Encoding.Latin1.GetBytes(text);
        Assert.Equal(isMarkup, Codestream.IsMarkup(start));
        Assert.Equal(!isMarkup, Codestream.CanBegin(PixelCoding.Native, start, length: null));
    }

    [Fact]
    public void ChecksTheSegmentsOfAnRleHeader()
    {
        Assert.True(CanBegin(3, 64, 100, 200));
        Assert.False(CanBegin(0));
        Assert.False(CanBegin(16, 64));
        Assert.False(CanBegin(2, 64, 64));
        Assert.False(CanBegin(2, 60, 100));
        Assert.False(CanBegin(2, 64, 1000));
        Assert.False(Codestream.CanBegin(PixelCoding.Rle, Header(1, 64).AsSpan(0, 63), 63));

        static bool CanBegin(params uint[] numbers) => Codestream.CanBegin(PixelCoding.Rle, Header(numbers), 1000);
        static byte[] Header(params uint[] numbers) => [.. numbers.Concat(new uint[16 - numbers.Length]).SelectMany(BitConverter.GetBytes)];
    }
}
