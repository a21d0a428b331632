using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Retrieve;
using Xunit;

namespace Proxy.Tests.Retrieve;

public sealed class RequestPlanTests
{
    private const string JpegLs = "1.2.840.10008.1.2.4.80";
    private const string Jpeg2000 = "1.2.840.10008.1.2.4.90";

    private static readonly Negotiation Two = Negotiation.ForFrames(Accept.Parse("image/jp2, image/jls;q=0.5"));

    [Fact]
    public void AsksOnce_ForASingleForm() =>
        Assert.Equal([JpegLs], Ask(new(Negotiation.ForFrames(Accept.Parse("image/jls")), [], null), ErrorStatus.NotAcceptable));

    [Fact]
    public void AsksForSeveralFormsTogether_ThenAlone_BestFirst() =>
        Assert.Equal([$"{Jpeg2000} {JpegLs}", Jpeg2000, JpegLs], Ask(new(Two, [], null), ErrorStatus.NotAcceptable));

    [Fact]
    public void AsksForTheBestFormLast_WhenTheListCausesAServerError() =>
        Assert.Equal([$"{Jpeg2000} {JpegLs}", JpegLs, Jpeg2000], Ask(new(Two, [], null), ErrorStatus.ServerError));

    [Fact]
    public void AsksFirstForTheFormGivenBefore() =>
        Assert.Equal(
            [JpegLs, $"{Jpeg2000} {JpegLs}", Jpeg2000], Ask(new(Two, [new("image/jls", JpegLs)], null), ErrorStatus.NotAcceptable));

    [Fact]
    public void AsksForALastResortAlone() =>
        Assert.Equal(
            ["*", BodyFormat.ExplicitLittleEndian],
            Ask(
                new(Negotiation.ForInstances(Accept.Parse("application/dicom; transfer-syntax=*")), [], null),
                ErrorStatus.NotAcceptable));

    [Theory]
    [InlineData("image/*", null, "octet-stream")]
    [InlineData("image/*", JpegLs, "octet-stream")]
    [InlineData("image/*", BodyFormat.ExplicitLittleEndian, "jpeg jls jp2 jpx jphc dicom-rle")]
    [InlineData("image/jpeg, image/jls", null, "octet-stream")]
    [InlineData("image/jpeg, image/jls", JpegLs, "octet-stream")]
    [InlineData("image/jpeg, image/jls", Jpeg2000, "jpeg jls")]
    [InlineData("image/jpeg, image/jls, image/jp2;q=0.5", Jpeg2000, "jpeg jls jp2")]
    [InlineData("image/jls;q=0.5, image/jp2", JpegLs, "jp2 jls")]
    [InlineData("application/octet-stream, image/jls", JpegLs, "octet-stream")]
    [InlineData("application/octet-stream, image/jls", null, "octet-stream jls")]
    [InlineData("*/*", JpegLs, "octet-stream octet-stream")]
    public void AsksForTheStoredFormFirst_WhenNoOtherIsBetter(string accept, string? stored, string expected)
    {
        var first = new RequestPlan(Negotiation.ForFrames(Accept.Parse(accept)), [], stored).Next(null)!;

        Assert.Equal(expected, string.Join(' ', first.Formats.Select(f => f.MediaType.Split('/')[1])));
        if (expected == "octet-stream") Assert.Equal(BodyFormat.AsStored, first.Only);
    }

    [Fact]
    public void AsksForNoImageInAnyTransferSyntax_WhenTheStoredFormIsNone()
    {
        var plan = new RequestPlan(Negotiation.ForFrames(Accept.Parse("image/*, video/*;q=0.5")), [], null);
        plan.Next(null);
        plan.Known = BodyFormat.ExplicitLittleEndian;

        var failure = new BackendFailure("east", BackendError.BadStatus, "no", ErrorStatus.NotAcceptable);
        Assert.Equal("1.2.840.10008.1.2.4.70", plan.Next(failure)!.Only!.TransferSyntax);
        Assert.Equal("1.2.840.10008.1.2.4.102", plan.Next(failure)!.Only!.TransferSyntax);
        Assert.Null(plan.Next(failure));
    }

    [Theory]
    [InlineData("image/jls; transfer-syntax=*", true, "image/jls *, application/octet-stream *")]
    [InlineData("image/jls; transfer-syntax=*", false, "image/jls *")]
    [InlineData("image/jls; transfer-syntax=*, application/octet-stream; transfer-syntax=*", true, null)]
    [InlineData("image/jls", true, "image/jls 1.2.840.10008.1.2.4.80")]
    public void AsksForTheStoredFormLast_WhenItMayBeOfTheAcceptedType(string accept, bool canBeStored, string? expected)
    {
        var plan = new RequestPlan(Negotiation.ForFrames(Accept.Parse(accept)), [], null) { CanBeStored = canBeStored };
        var asked = new List<BodyFormat>();
        for (BackendFailure? failure = null; plan.Next(failure) is { } forms; failure = new("east", BackendError.NotInThisForm, "no"))
            asked.AddRange(forms.Only is { } only ? [only] : []);

        if (expected is not null) Assert.Equal(expected, string.Join(", ", asked.Select(f => $"{f.MediaType} {f.TransferSyntax}")));
        Assert.Equal(asked.Count, asked.Distinct().Count());
    }

    [Theory]
    [InlineData(BackendError.Unreachable, ErrorStatus.None)]
    [InlineData(BackendError.TimedOut, ErrorStatus.None)]
    [InlineData(BackendError.Busy, ErrorStatus.None)]
    [InlineData(BackendError.Refused, ErrorStatus.Rejected)]
    [InlineData(BackendError.BadStatus, ErrorStatus.Unavailable)]
    [InlineData(BackendError.BadStatus, ErrorStatus.Other)]
    public void Ends_WhenTheFailureDoesNotDependOnTheForm(BackendError error, ErrorStatus status)
    {
        var plan = new RequestPlan(Two, [], null);

        Assert.NotNull(plan.Next(null));
        Assert.Null(plan.Next(new("east", error, "no", status)));
    }

    /// <summary>The transfer syntaxes of each request, when every request fails with this status.</summary>
    private static List<string> Ask(RequestPlan plan, ErrorStatus status)
    {
        var asked = new List<string>();
        for (BackendFailure? failure = null; plan.Next(failure) is { } forms; failure = new("east", BackendError.BadStatus, "no", status))
            asked.Add(string.Join(' ', forms.Formats.Select(f => f.TransferSyntax)));
        return asked;
    }
}
