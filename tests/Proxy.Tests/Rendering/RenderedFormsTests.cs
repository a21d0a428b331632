using Proxy.Dicom;
using Proxy.Rendering.Requests;
using Xunit;

namespace Proxy.Tests.Rendering;

public sealed class RenderedFormsTests
{
    private static readonly string[] Images = ["image/jpeg", "image/png", "image/gif"];

    [Theory]
    [InlineData(null, "image/jpeg")]
    [InlineData("", "image/jpeg")]
    [InlineData("*/*", "image/jpeg")]
    [InlineData("image/*", "image/jpeg")]
    [InlineData("image/png", "image/png")]
    [InlineData("IMAGE/PNG", "image/png")]
    [InlineData("image/gif, image/png;q=0.5", "image/gif")]
    [InlineData("image/jpeg;q=0.2, image/png;q=0.7", "image/png")]
    [InlineData("image/jpeg;q=0.2, image/*", "image/png")]
    [InlineData("image/jpeg;q=0, */*", "image/png")]
    [InlineData("image/avif,image/webp,image/apng,image/*,*/*;q=0.8", "image/jpeg")]
    [InlineData("image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5", "image/png")]
    [InlineData("application/dicom, image/png", "image/png")]
    [InlineData("text/html, application/xhtml+xml, */*;q=0.8", "image/jpeg")]
    [InlineData("application/dicom", null)]
    [InlineData("image/svg+xml", null)]
    [InlineData("image/webp", null)]
    [InlineData("video/mp4, application/pdf", null)]
    [InlineData("multipart/related; type=\"application/octet-stream\"", null)]
    public void ChoosesOnePicture(string? accept, string? type)
    {
        var chosen = RenderedForms.Read(Accept.Parse(accept)).ChooseOne(Images);

        Assert.Equal(type, chosen?.MediaType);
        Assert.NotEqual(true, chosen?.IsMultipart);
    }

    [Theory]
    [InlineData(null, "image/jpeg")]
    [InlineData("*/*", "image/jpeg")]
    [InlineData("multipart/related", "image/jpeg")]
    [InlineData("multipart/related; type=\"image/png\"", "image/png")]
    [InlineData("multipart/related; type=image/jpeg", "image/jpeg")]
    [InlineData("multipart/related; type=\"image/*\"", "image/jpeg")]
    [InlineData("image/jpeg, multipart/related; type=\"image/gif\";q=0.1", "image/gif")]
    [InlineData("image/jpeg", null)]
    [InlineData("image/*", null)]
    [InlineData("multipart/related; type=\"application/dicom\"", null)]
    public void ChoosesSeveralPictures(string? accept, string? type) =>
        Assert.Equal(type, RenderedForms.Read(Accept.Parse(accept)).ChooseMany(Images)?.MediaType);

    [Fact]
    public void SendsOnePictureAsAPart_WhenOnlyThatIsAccepted()
    {
        var forms = RenderedForms.Read(Accept.Parse("multipart/related; type=\"image/png\""));

        Assert.Equal(new("image/png", IsMultipart: true), forms.ChooseOne(Images));
    }

    /// <summary>OHIF 3.13 puts the type of a thumbnail into the query and accepts octets in the header.</summary>
    [Fact]
    public void PrefersTheQueryToTheHeader()
    {
        var forms = RenderedForms.Read(Accept.Parse("image/jpeg", "multipart/related; type=\"application/octet-stream\", image/png"));

        Assert.Equal("image/jpeg", forms.ChooseOne(Images)?.MediaType);
    }
}
