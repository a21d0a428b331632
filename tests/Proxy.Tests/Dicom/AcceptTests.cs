using Proxy.Dicom;
using Xunit;

namespace Proxy.Tests.Dicom;

public class AcceptTests
{
    [Fact]
    public void BestComesFirst_ByWeight_ThenAsWritten() =>
        Assert.Equal(
            ["image/jp2", "image/jls", "application/octet-stream", "*/*"],
            Accept.Parse("*/*;q=0.1, application/octet-stream; q=0.5, image/jp2, image/jls").Select(t => t.Type));

    [Fact]
    public void WhatHasNoWeightIsNotAccepted() => Assert.Equal(["c/d"], Accept.Parse("a/b;q=0, c/d;q=0.001, e/f;q=0.0").Select(t => t.Type));

    [Fact]
    public void AWeightThatIsNoNumberIsNoWeight() => Assert.Single(Accept.Parse("a/b;q=high"));

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
    [InlineData("text/html", false)]
    public void TakesDicomJson_WhenItIsOffered(string? header, bool isTaken) => Assert.Equal(isTaken, Accept.TakesDicomJson(Accept.Parse(header)));
}
