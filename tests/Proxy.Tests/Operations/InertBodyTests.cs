using Proxy.Operations;
using Xunit;

namespace Proxy.Tests.Operations;

public class InertBodyTests
{
    [Theory]
    [InlineData("application/octet-stream")]
    [InlineData("application/dicom")]
    [InlineData("application/pdf")]
    [InlineData("text/plain")]
    [InlineData("image/jpeg")]
    [InlineData("image/jphc")]
    [InlineData("image/x-dicom-rle")]
    [InlineData("image/dicom-rle")]
    [InlineData("video/mp4")]
    [InlineData("video/H265")]
    [InlineData("model/stl")]
    [InlineData("audio/basic")]
    public void KeepsTypesThatBrowsersDoNotRun(string type)
    {
        Assert.Equal(type, InertBody.GetContentType(type));
        Assert.Equal(type, InertBody.GetForwardedContentType(type));
    }

    [Theory]
    [InlineData("text/html")]
    [InlineData("TEXT/HTML")]
    [InlineData("application/xhtml+xml")]
    [InlineData("image/svg+xml")]
    [InlineData("image/SVG")]
    [InlineData("image/svg+xml+gzip")]
    [InlineData("model/x3d+xml")]
    [InlineData("text/xml")]
    [InlineData("application/xml")]
    [InlineData("text/javascript")]
    [InlineData("application/javascript")]
    [InlineData("text/css")]
    [InlineData("message/rfc822")]
    [InlineData("multipart/x-mixed-replace")]
    [InlineData("application/x-vendor")]
    [InlineData("image/")]
    [InlineData("image/a b")]
    [InlineData("image/a\nb")]
    [InlineData("image/\u00e4")]
    [InlineData("")]
    public void ReplacesOtherTypesByOctetStream(string type)
    {
        Assert.Equal("application/octet-stream", InertBody.GetContentType(type));
        Assert.Equal("application/octet-stream", InertBody.GetForwardedContentType(type));
    }

    [Theory]
    [InlineData("application/dicom+json")]
    [InlineData("application/dicom+xml")]
    [InlineData("multipart/related")]
    public void KeepsDicomJsonXmlAndMultipart_OnlyForForwardedAnswers(string type)
    {
        Assert.Equal(type, InertBody.GetForwardedContentType(type));
        Assert.Equal("application/octet-stream", InertBody.GetContentType(type));
    }
}
