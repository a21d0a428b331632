using Proxy.Dicom;
using Xunit;

namespace Proxy.Tests.Dicom;

public class AcceptTests
{
    [Fact]
    public void OrdersTypesByWeight_ThenAsWritten() =>
        Assert.Equal(
            ["image/jp2", "image/jls", "application/octet-stream", "*/*"],
            Accept.Parse("*/*;q=0.1, application/octet-stream; q=0.5, image/jp2, image/jls").Types.Select(t => t.Type.Type));

    [Fact]
    public void RefusesATypeOfWeightZero() =>
        Assert.Equal(["c/d"], Accept.Parse("a/b;q=0, c/d;q=0.001, e/f;q=0.0").Types.Select(t => t.Type.Type));

    [Fact]
    public void IgnoresAWeight_WhenItIsNotANumber() => Assert.Single(Accept.Parse("a/b;q=high").Types);

    [Theory]
    [InlineData(null, true)]
    [InlineData("", true)]
    [InlineData("*/*", true)]
    [InlineData("application/*", true)]
    [InlineData("application/json", true)]
    [InlineData("APPLICATION/DICOM+JSON", true)]
    [InlineData("application/dicom+json, multipart/related; type=application/octet-stream; transfer-syntax=*", true)]
    [InlineData("multipart/related; type=\"application/dicom+xml\"", false)]
    [InlineData("application/dicom+json;q=0, text/html", false)]
    [InlineData("application/dicom+json;q=0", false)]
    [InlineData("application/dicom+json;q=0.0, */*", false)]
    [InlineData("application/dicom+json;q=0, application/json", false)]
    [InlineData("text/html;q=0", false)]
    [InlineData("text/html;q=0, */*", true)]
    [InlineData("no media type", true)]
    [InlineData("text/html", false)]
    public void TakesDicomJson_WhenItIsOffered(string? header, bool isTaken) =>
        Assert.Equal(isTaken, Accept.Parse(header).AcceptsDicomJson);

    [Theory]
    [InlineData("multipart/related; type=\"application/dicom+xml\"", true)]
    [InlineData("multipart/related; type=application/dicom+xml", true)]
    [InlineData("Multipart/Related; Type=\"Application/DICOM+XML\"", true)]
    [InlineData("application/dicom+xml", true)]
    [InlineData("multipart/related", true)]
    [InlineData("multipart/*", true)]
    [InlineData("multipart/related; type=\"application/dicom+xml\", */*;q=0.1", true)]
    [InlineData("application/dicom+json;q=0.5, multipart/related; type=\"application/dicom+xml\";q=0.6", true)]
    [InlineData("multipart/related; type=\"application/dicom+xml\", application/dicom+json", false)]
    [InlineData("multipart/related; type=\"application/dicom+xml\", */*", false)]
    [InlineData("multipart/related; type=\"application/dicom+xml\";q=0", false)]
    [InlineData("application/dicom+xml;q=0, multipart/*", false)]
    [InlineData("multipart/related; type=\"application/octet-stream\"", false)]
    [InlineData("*/*", false)]
    [InlineData("application/xml", false)]
    [InlineData(null, false)]
    public void PrefersDicomXml_WhenJsonIsNotAsAcceptable(string? header, bool isPreferred) =>
        Assert.Equal(isPreferred, Accept.Parse(header).PrefersDicomXml);

    [Fact]
    public void ReadsAnUnescapedPlusSign_InTheTypeOfParts() =>
        Assert.True(Accept.Parse("multipart/related;type=\"application/dicom xml\"", "application/dicom+json").PrefersDicomXml);

    [Fact]
    public void GivesEqualRank_WhenWeightsAreEqual() =>
        Assert.Equal(
            [("a/b", 0), ("e/f", 0), ("c/d", 1)], Accept.Parse("a/b, c/d;q=0.5, e/f;q=1.0").Types.Select(t => (t.Type.Type, t.Rank)));

    [Fact]
    public void RanksTheQueryParameterBeforeTheHeader() =>
        Assert.Equal(
            [("image/jls", 0), ("image/jp2", 1), ("a/b", 2), ("c/d", 3)],
            Accept.Parse("image/jp2;q=0.1,image/jls;q=0.2", "c/d;q=0.9, a/b").Types.Select(t => (t.Type.Type, t.Rank)));

    [Fact]
    public void ReadsAnUnescapedPlusSignInTheQuery() =>
        Assert.True(Accept.Parse("application/dicom json", "text/html").AcceptsDicomJson);

    [Fact]
    public void DistinguishesARefusalOfEverythingFromNoHeader()
    {
        Assert.True(Accept.Parse(null).IsAbsent);
        Assert.False(Accept.Parse("a/b;q=0").IsAbsent);
        Assert.Empty(Accept.Parse("a/b;q=0").Types);
    }
}
