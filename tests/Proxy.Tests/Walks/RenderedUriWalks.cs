using Proxy.Tests.Pacs;
using SkiaSharp;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>WADO-URI of a rendered instance (PS3.18 §9.5).</summary>
public sealed class RenderedUriWalks(RenderedUriWalks.OneProxy fixture) : IClassFixture<RenderedUriWalks.OneProxy>
{
    private const string Uri = "/dicomweb?requestType=WADO&studyUID=1.2.1&seriesUID=1.2.1.1&objectUID=1.2.1.1.1";

    private readonly ProxyHost _proxy = fixture.Proxy;

    public sealed class OneProxy : IAsyncDisposable
    {
        public OneProxy() => Proxy = new(("east", East.Address));

        public WireMockPacs East { get; } =
            new WireMockPacs(new HeldStudy("1.2.1").With(new HeldSeries("1.2.1.1", "CT", 2) { Frames = 3 })).WithGreyImages();

        public ProxyHost Proxy { get; }

        public async ValueTask DisposeAsync()
        {
            await Proxy.DisposeAsync();
            East.Dispose();
        }
    }

    [Theory]
    [InlineData("&contentType=image/jpeg", "", "image/jpeg", 64, 64)]
    [InlineData("&contentType=image/png", "", "image/png", 64, 64)]
    [InlineData("&contentType=image/webp,image/png;q=0.5", "", "image/png", 64, 64)]
    [InlineData("&contentType=image/jpeg,application/dicom", "", "image/jpeg", 64, 64)]
    [InlineData("", "image/avif,image/webp,image/apng,image/*,*/*;q=0.8", "image/jpeg", 64, 64)]
    [InlineData("&contentType=image/jpeg&rows=32", "", "image/jpeg", 32, 32)]
    [InlineData("&contentType=image/jpeg&rows=32&columns=16", "", "image/jpeg", 16, 16)]
    [InlineData("&contentType=image/jpeg&region=0,0,0.5,0.25", "", "image/jpeg", 32, 16)]
    [InlineData("&contentType=image/jpeg&region=0.5,0,1,0.5&rows=100", "", "image/jpeg", 100, 100)]
    [InlineData("&contentType=image/jpeg&frameNumber=3&imageQuality=10", "", "image/jpeg", 64, 64)]
    public async Task Renders(string query, string accept, string type, int width, int height)
    {
        var reply = await _proxy.GetAsync(Uri + query, ("Accept", accept));

        Assert.True((int)reply.Status == 200, reply.Text);
        Assert.Equal(type, reply["Content-Type"]);
        using var picture = SKBitmap.Decode(reply.Body);
        Assert.Equal((width, height), (picture.Width, picture.Height));
    }

    [Fact]
    public async Task ChangesTheWindow()
    {
        using var plain = SKBitmap.Decode((await _proxy.GetAsync(Uri + "&contentType=image/png")).Body);
        using var wide = SKBitmap.Decode(
            (await _proxy.GetAsync(Uri + "&contentType=image/png&windowCenter=512&windowWidth=4096")).Body);

        Assert.True(wide.GetPixel(5, 5).Red > plain.GetPixel(5, 5).Red + 50);
    }

    [Theory]
    [InlineData("&annotation=patient", "annotation")]
    [InlineData("&imageAnnotation=patient", "imageAnnotation")]
    [InlineData("&presentationUID=1.2", "presentationUID")]
    [InlineData("&presentationSeriesUID=1.2", "presentationSeriesUID")]
    [InlineData("&rows=0", "rows")]
    [InlineData("&rows=99999", "rows")]
    [InlineData("&columns=-1", "columns")]
    [InlineData("&frameNumber=0", "frameNumber")]
    [InlineData("&imageQuality=0", "imageQuality")]
    [InlineData("&imageQuality=101", "imageQuality")]
    [InlineData("&region=0,0,2,1", "region")]
    [InlineData("&region=0.5,0,0.5,1", "region")]
    [InlineData("&region=0,0,1", "region")]
    [InlineData("&region=a,0,1,1", "region")]
    [InlineData("&windowCenter=40", "windowWidth")]
    [InlineData("&windowWidth=40", "windowCenter")]
    [InlineData("&windowCenter=40&windowWidth=0", "windowWidth")]
    [InlineData("&windowCenter=x&windowWidth=1", "windowCenter")]
    [InlineData("&rows=1&rows=1", "rows")]
    [InlineData("&studyUID=1", "studyUID")]
    public async Task RefusesAParameterByName(string query, string parameter)
    {
        var reply = await _proxy.GetAsync(Uri + "&contentType=image/jpeg" + query);

        reply.IsProblem(400, names: parameter);
        Assert.Equal(parameter, (string)reply.Json["parameter"]!);
    }

    [Fact]
    public async Task IsMissing_ForAnAbsentFrameOrInstance()
    {
        (await _proxy.GetAsync(Uri + "&contentType=image/jpeg&frameNumber=4")).IsProblem(404);
        (await _proxy.GetAsync(Uri.Replace("1.2.1.1.1", "1.2.1.1.9", StringComparison.Ordinal) + "&contentType=image/jpeg")).IsProblem(404);
    }

    [Theory]
    [InlineData("&contentType=application/dicom")]
    [InlineData("&contentType=application/dicom,image/jpeg;q=0.5")]
    [InlineData("")]
    public async Task ServesTheFile_WhenItIsPreferred(string query)
    {
        var reply = await _proxy.GetAsync(Uri + query + "&transferSyntax=*");

        Assert.StartsWith("application/dicom", reply["Content-Type"]);
    }
}
