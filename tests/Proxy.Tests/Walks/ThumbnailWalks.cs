using Proxy.Tests.Pacs;
using SkiaSharp;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Thumbnails of studies, series, instances and frames (PS3.18 §10.4.1.1.4).</summary>
public sealed class ThumbnailWalks
{
    private const string Study = "/dicomweb/studies/1.2.1";

    private static readonly HeldStudy Mixed = new HeldStudy("1.2.1")
        .With(new HeldSeries("1.2.1.1", "SR", 1) { HasPixels = false })
        .With(new HeldSeries("1.2.1.2", "CT", 5))
        .With(new HeldSeries("1.2.1.3", "US", 1) { Frames = 7 });

    [Theory]
    [InlineData("", "1.2.1.2.3/frames/1")]
    [InlineData("/series/1.2.1.2", "1.2.1.2.3/frames/1")]
    [InlineData("/series/1.2.1.2/instances/1.2.1.2.5", "1.2.1.2.5/frames/1")]
    [InlineData("/series/1.2.1.3", "1.2.1.3.1/frames/4")]
    [InlineData("/series/1.2.1.3/instances/1.2.1.3.1", "1.2.1.3.1/frames/4")]
    [InlineData("/series/1.2.1.3/instances/1.2.1.3.1/frames/2", "1.2.1.3.1/frames/2")]
    public async Task ShowsTheFrameInTheMiddle(string resource, string frame)
    {
        using var east = new WireMockPacs(Mixed).WithGreyImages();
        await using var proxy = new ProxyHost(("east", east.Address));

        var cold = await proxy.GetAsync($"{Study}{resource}/thumbnail");
        var asked = east.Requests.Count;
        var warm = await proxy.GetAsync($"{Study}{resource}/thumbnail");
        var known = await proxy.GetAsync($"{Study}{resource}/thumbnail", ("If-None-Match", warm["ETag"]));

        Assert.True((int)cold.Status == 200, cold.Text);
        Assert.Equal("image/jpeg", cold["Content-Type"]);
        using var picture = SKBitmap.Decode(cold.Body);
        Assert.Equal((128, 128), (picture.Width, picture.Height));
        Assert.Single(east.Requests, r => r.Path.Contains("/frames/", StringComparison.Ordinal));
        Assert.Equal(1, east.Count(frame));
        Assert.Equal("Proxy; hit", warm.CacheStatus);
        Assert.Equal(cold.Body, warm.Body);
        Assert.Equal(304, (int)known.Status);
        Assert.Equal(asked, east.Requests.Count);
    }

    [Theory]
    [InlineData("?viewport=64,64", "*/*", 64, "image/jpeg")]
    [InlineData("?viewport=32%2C100", "image/png", 32, "image/png")]
    [InlineData("?accept=image%2Fjpeg", "multipart/related; type=\"application/octet-stream\"", 128, "image/jpeg")]
    public async Task HonoursViewportAndType(string query, string accept, int width, string type)
    {
        using var east = new WireMockPacs(Mixed).WithGreyImages();
        await using var proxy = new ProxyHost(("east", east.Address));

        var reply = await proxy.GetAsync($"{Study}/series/1.2.1.2/thumbnail{query}", ("Accept", accept));

        Assert.Equal(type, reply["Content-Type"]);
        using var picture = SKBitmap.Decode(reply.Body);
        Assert.Equal(width, picture.Width);
    }

    /// <summary>One error would break a viewer's list.</summary>
    [Theory]
    [InlineData("/series/1.2.1.1")]
    [InlineData("/series/1.2.1.1/instances/1.2.1.1.1")]
    public async Task IsANeutralPicture_ForAnObjectWithoutPixels(string resource)
    {
        using var east = new WireMockPacs(Mixed).WithGreyImages();
        await using var proxy = new ProxyHost(("east", east.Address));

        var reply = await proxy.GetAsync($"{Study}{resource}/thumbnail?viewport=100,100");

        Assert.True((int)reply.Status == 200, reply.Text);
        using var picture = SKBitmap.Decode(reply.Body);
        Assert.InRange(picture.Width, 1, 100);
        (await proxy.GetAsync($"{Study}/series/1.2.1.1/instances/1.2.1.1.1/frames/1/thumbnail")).IsProblem(404);
    }

    [Fact]
    public async Task IsANeutralPicture_ForAFrameThatCannotBeRendered()
    {
        using var east = new WireMockPacs(Mixed);
        east.On("/metadata", r => GreyImages.AddPixels(east.Archive.Answer(r.Path, r.Query, "application/dicom+json")));
        await using var proxy = new ProxyHost(("east", east.Address));

        var reply = await proxy.GetAsync($"{Study}/series/1.2.1.2/thumbnail");

        Assert.True((int)reply.Status == 200, reply.Text);
        Assert.NotNull(SKBitmap.Decode(reply.Body));
    }

    [Theory]
    [InlineData("/dicomweb/studies/1.2.9/thumbnail")]
    [InlineData("/dicomweb/studies/1.2.1/series/1.2.9/thumbnail")]
    [InlineData("/dicomweb/studies/1.2.1/series/1.2.1.2/instances/1.2.9/thumbnail")]
    [InlineData("/dicomweb/studies/1.2.1/series/1.2.1.3/instances/1.2.1.3.1/frames/8/thumbnail")]
    public async Task IsMissing_ForAnAbsentObject(string path)
    {
        using var east = new WireMockPacs(Mixed).WithGreyImages();
        await using var proxy = new ProxyHost(("east", east.Address));

        (await proxy.GetAsync(path)).IsProblem(404);
    }

    [Theory]
    [InlineData("/studies/1.2.1")]
    [InlineData("/studies/1.2.1/series/1.2.1.2")]
    [InlineData("/studies/1.2.1/series/1.2.1.2/instances/1.2.1.2.1")]
    public async Task IsAnErrorOfThePacs_WhenThePacsIsDown(string path)
    {
        await using var proxy = new ProxyHost(("east", "http://127.0.0.1:1/dicom-web"));

        Assert.InRange((int)(await proxy.GetAsync($"/dicomweb{path}/thumbnail")).Status, 502, 504);
    }
}
