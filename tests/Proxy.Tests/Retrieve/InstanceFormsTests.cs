using Microsoft.AspNetCore.Http;
using Proxy.Retrieve;
using Xunit;

namespace Proxy.Tests.Retrieve;

/// <summary>When whole instances are sent as a ZIP file.</summary>
public sealed class InstanceFormsTests
{
    private const string Zip = "application/zip; transfer-syntax=*";
    private const string Multipart = "multipart/related; type=\"application/dicom\"; transfer-syntax=*";

    [Theory]
    [InlineData(Zip, true)]
    [InlineData("application/zip", true)]
    [InlineData("APPLICATION/ZIP", true)]
    [InlineData("application/*", true)]
    [InlineData($"{Zip}, {Multipart}", false)]
    [InlineData($"{Zip}, */*", false)]
    [InlineData($"{Zip}, */*;q=0.1", true)]
    [InlineData($"{Zip}, {Multipart};q=0.5", true)]
    [InlineData($"{Zip};q=0.5, {Multipart};q=0.6", false)]
    [InlineData($"{Zip};q=0.5, text/html, application/dicom", true)]
    [InlineData($"{Zip};q=0.5, multipart/related; type=\"application/octet-stream\"", true)]
    [InlineData("application/zip;q=0, */*", false)]
    [InlineData("*/*", false)]
    [InlineData("", false)]
    public void SeveralInstancesAreAZipFile_WhenTheClientPrefersIt(string accept, bool isZip)
    {
        var forms = Read(accept, areMany: true);

        Assert.Equal(isZip, forms.IsZip);
        Assert.False(forms.Negotiation.Forms.IsEmpty);
    }

    [Theory]
    [InlineData(Zip, true)]
    [InlineData($"{Zip}, application/dicom;q=0.5", true)]
    [InlineData($"{Zip}, application/dicom", false)]
    [InlineData("application/*", false)]
    public void OneInstanceIsASinglePart_WhenNothingIsPreferred(string accept, bool isZip) =>
        Assert.Equal(isZip, Read(accept, areMany: false).IsZip);

    [Theory]
    [InlineData("application/zip; transfer-syntax=1.2.840.10008.1.2")]
    [InlineData("application/zip; transfer-syntax=1.2.840.10008.1.2.2")]
    [InlineData("application/zip; transfer-syntax=x")]
    [InlineData("application/zip;q=0")]
    [InlineData("application/zip;q=0, application/*")]
    [InlineData("application/x-zip")]
    [InlineData("text/html")]
    public void NothingFits(string accept) => Assert.True(Read(accept, areMany: true).Negotiation.Forms.IsEmpty);

    [Theory]
    [InlineData("application/zip; transfer-syntax=1.2.840.10008.1.2.4.90", true)]
    [InlineData("application/zip; transfer-syntax=*", true)]
    [InlineData("application/zip", true)]
    [InlineData("application/zip; transfer-syntax=1.2.840.10008.1.2.4.50", false)]
    public void TheTransferSyntaxIsThatOfTheEntries(string accept, bool fits) =>
        Assert.Equal(fits, Read(accept, areMany: true).Negotiation.Choose("application/dicom", "1.2.840.10008.1.2.4.90") is not null);

    private static InstanceForms Read(string accept, bool areMany)
    {
        var context = new DefaultHttpContext();
        if (accept.Length > 0) context.Request.Headers.Accept = accept;
        return InstanceForms.Read(context.Request, areMany);
    }
}
