using FsCheck;
using FsCheck.Xunit;
using Proxy.Backends.DicomWeb;
using Proxy.Dicom;
using Proxy.Retrieve;
using Xunit;

namespace Proxy.Tests.Retrieve;

public sealed class NegotiationTests
{
    private const string ExplicitLittleEndian = BodyFormat.ExplicitLittleEndian;
    private const string JpegLs = "1.2.840.10008.1.2.4.80";
    private const string Jpeg2000 = "1.2.840.10008.1.2.4.90";

    private static readonly string[] Syntaxes = [ExplicitLittleEndian, JpegLs, Jpeg2000, "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.70"];

    [Theory]
    [InlineData("", "application/octet-stream 1.2.840.10008.1.2.1 multipart, application/octet-stream * multipart")]
    [InlineData("*/*", "application/octet-stream 1.2.840.10008.1.2.1 multipart, application/octet-stream * multipart")]
    [InlineData("multipart/related", "application/octet-stream 1.2.840.10008.1.2.1 multipart, application/octet-stream * multipart")]
    [InlineData("multipart/related; type=\"application/octet-stream\"", "application/octet-stream 1.2.840.10008.1.2.1 multipart")]
    [InlineData("application/octet-stream; transfer-syntax=*", "application/octet-stream * single")]
    [InlineData(
        "*/*;q=0.1, image/jls",
        "image/jls 1.2.840.10008.1.2.4.80 single, application/octet-stream 1.2.840.10008.1.2.1 multipart, "
            + "application/octet-stream * multipart")]
    [InlineData("multipart/related; type=application/dicom, image/jls", "image/jls 1.2.840.10008.1.2.4.80 single")]
    [InlineData(
        "application/octet-stream;q=0, */*",
        "image/jpeg * multipart, image/jls * multipart, image/jp2 * multipart, image/jpx * multipart, image/jphc * multipart, "
        + "image/dicom-rle * multipart, video/mp4 * multipart, video/mpeg * multipart, image/jpeg 1.2.840.10008.1.2.4.70 multipart")]
    [InlineData(
        "image/*",
        "image/jpeg * single, image/jls * single, image/jp2 * single, image/jpx * single, image/jphc * single, "
        + "image/dicom-rle * single, image/jpeg 1.2.840.10008.1.2.4.70 single")]
    [InlineData(
        "multipart/related; type=\"video/*\"",
        "video/mp4 * multipart, video/mpeg * multipart, video/mp4 1.2.840.10008.1.2.4.102 multipart")]
    [InlineData("video/*; transfer-syntax=*", "video/mp4 * single, video/mpeg * single")]
    [InlineData("text/html", "")]
    [InlineData("image/jls;q=0", "")]
    public void ReadsTheFormsOfFrames(string accept, string forms) =>
        Assert.Equal(forms, Text(Negotiation.ForFrames(Accept.Parse(accept))));

    [Theory]
    [InlineData("", "application/dicom 1.2.840.10008.1.2.1 multipart, application/dicom * multipart")]
    [InlineData(
        "multipart/related; type=\"application/dicom\"", "application/dicom 1.2.840.10008.1.2.1 multipart, application/dicom * multipart")]
    [InlineData("application/dicom", "application/dicom 1.2.840.10008.1.2.1 single, application/dicom * single")]
    [InlineData("application/dicom; transfer-syntax=*", "application/dicom * single, application/dicom 1.2.840.10008.1.2.1 single")]
    [InlineData("application/dicom; transfer-syntax=1.2.840.10008.1.2.4.80", "application/dicom 1.2.840.10008.1.2.4.80 single")]
    [InlineData("application/dicom; transfer-syntax=1.2.840.10008.1.2", "")]
    [InlineData("application/octet-stream", "")]
    public void ReadsTheFormsOfInstances(string accept, string forms) =>
        Assert.Equal(forms, Text(Negotiation.ForInstances(Accept.Parse(accept))));

    [Fact]
    public void OffersEveryFormWithWeights_BestFirstAndLast()
    {
        var negotiation = Negotiation.ForFrames(Accept.Parse("multipart/related; type=image/jp2, image/jls;q=0.5"));

        Assert.Equal(
            $"multipart/related; type=\"image/jp2\"; transfer-syntax={Jpeg2000}, "
            + $"multipart/related; type=\"image/jls\"; transfer-syntax={JpegLs};q=0.9, "
            + $"multipart/related; type=\"image/jp2\"; transfer-syntax={Jpeg2000}",
            AcceptHeader.Write(negotiation.OfferTogether(stored: null)));
    }

    [Fact]
    public void OffersTheStoredFormFirst_AmongEquals()
    {
        var negotiation = Negotiation.ForFrames(Accept.Parse("image/jp2, image/jls, application/octet-stream;q=0.5"));

        Assert.StartsWith("multipart/related; type=\"image/jls\"", AcceptHeader.Write(negotiation.OfferTogether(JpegLs)));
        Assert.StartsWith("multipart/related; type=\"image/jp2\"", AcceptHeader.Write(negotiation.OfferTogether(ExplicitLittleEndian)));
    }

    [Fact]
    public void ChoosesMultipartOrNot_ByTheAlternativeThatTheBodySatisfies()
    {
        var negotiation = Negotiation.ForFrames(Accept.Parse("application/octet-stream, multipart/related; type=image/jls;q=0.5"));

        Assert.False(negotiation.Choose("application/octet-stream", ExplicitLittleEndian)!.IsMultipart);
        Assert.True(negotiation.Choose("image/jls", JpegLs)!.IsMultipart);
        Assert.Null(negotiation.Choose("image/jp2", Jpeg2000));
    }

    [Fact]
    public void DoesNotChooseARefusedType_EvenIfAWildcardAcceptsIt()
    {
        var negotiation = Negotiation.ForFrames(
            Accept.Parse("application/octet-stream; transfer-syntax=*, multipart/related; type=image/jls;q=0"));

        Assert.NotNull(negotiation.Choose("image/jp2", Jpeg2000));
        Assert.Null(negotiation.Choose("image/jls", JpegLs));
    }

    [Fact]
    public void ReadsAtMostSixteenAlternatives()
    {
        var accept = string.Join(", ", Enumerable.Range(1, 1250).Select(i => $"application/octet-stream; transfer-syntax=1.2.{i}"));

        Assert.Equal(Negotiation.MaxAlternatives, Negotiation.ForFrames(Accept.Parse(accept)).Forms.Length);
    }

    [Fact]
    public void CountsOnlyTypesOfPixelData_AsAlternatives()
    {
        var accept = string.Concat(Enumerable.Repeat("text/html, ", 100)) + "image/jls";

        Assert.Equal($"image/jls {JpegLs} single", Text(Negotiation.ForFrames(Accept.Parse(accept))));
    }

    /// <summary>The chosen form is accepted and the best that the body satisfies, and every accepted form is offered.</summary>
    [Property(MaxTest = 300)]
    public void ChoosesTheBestFormThatABodySatisfies(DoNotSize<int> any)
    {
        var random = new Random(any.Item);
        var wanted = Enumerable.Range(0, random.Next(1, 8))
            .Select(_ => (Syntax: Syntaxes[random.Next(Syntaxes.Length)], Weight: random.Next(0, 5))).ToList();
        var negotiation = Negotiation.ForFrames(
            Accept.Parse(string.Join(", ", wanted.Select(w => $"application/octet-stream; transfer-syntax={w.Syntax};q=0.{w.Weight}"))));
        var accepted = wanted.Where(w => w.Weight > 0).GroupBy(w => w.Syntax).ToDictionary(g => g.Key, g => g.Max(w => w.Weight));
        foreach (var refused in wanted.Where(w => w.Weight == 0)) accepted.Remove(refused.Syntax);

        foreach (var syntax in Syntaxes)
        {
            var type = TransferSyntax.FindFrameType(Uid.Parse(syntax))!;
            Assert.Equal(accepted.ContainsKey(syntax) ? syntax : null, negotiation.Choose(type, syntax)?.Format.TransferSyntax);
            if (accepted.ContainsKey(syntax)) Assert.Contains(syntax, AcceptHeader.Write(negotiation.OfferTogether(syntax)));
        }
        Assert.Equal(
            accepted.OrderByDescending(a => a.Value).Select(a => a.Value),
            negotiation.Forms.Select(f => accepted[f.Format.TransferSyntax]));
    }

    private static string Text(Negotiation negotiation) =>
        string.Join(
            ", ",
            negotiation.Forms.Select(f => $"{f.Format.MediaType} {f.Format.TransferSyntax} {(f.IsMultipart ? "multipart" : "single")}"));
}
