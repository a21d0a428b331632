using FsCheck.Xunit;
using Proxy.Imaging;
using Proxy.Imaging.Pictures;
using Proxy.Imaging.Presentation;
using Xunit;

namespace Proxy.Tests.Imaging.Pictures;

/// <summary>The parameter viewport: size, region, flips (PS3.18 §8.3.5.1.4).</summary>
public class PictureGeometryTests
{
    [Theory]
    [InlineData(512, 512, "256,256", 256, 256)]
    [InlineData(512, 256, "256,256", 256, 128)]
    [InlineData(256, 512, "256,256", 128, 256)]
    [InlineData(512, 512, "128,999", 128, 128)]
    [InlineData(100, 100, "300,300", 300, 300)]
    [InlineData(512, 512, "1,1", 1, 1)]
    [InlineData(1000, 10, "5,5", 5, 1)]
    [InlineData(512, 512, "65535,65535", 4096, 4096)]
    [InlineData(6000, 3000, "65535,65535", 6000, 3000)]
    [InlineData(512, 512, "256,256,0,0,256,128", 256, 128)]
    [InlineData(512, 512, "256,256,500,0,100,100", 31, 256)]
    [InlineData(512, 512, "256,256,,,-512,", 256, 256)]
    public void KeepsTheAspectRatioWithinTheViewport(int columns, int rows, string text, int width, int height)
    {
        var geometry = Find(columns, rows, text)!.Value;

        Assert.Equal((width, height), (geometry.Width, geometry.Height));
    }

    [Theory]
    [InlineData("256,256", 128, 256)]
    [InlineData("100,100", 50, 100)]
    public void PixelsBecomeSquare(string text, int width, int height)
    {
        Assert.True(PictureViewport.TryParse(text, out var viewport, out _));

        var geometry = PictureGeometry.Find(Layout(512, 512), Frames.Read("{'00280030':'DS 1.0\\\\0.5'}").PixelAspect, viewport)!.Value;

        Assert.Equal((width, height), (geometry.Width, geometry.Height));
    }

    [Fact]
    public void TheAspectRatioPrecedesTheSpacing()
    {
        Assert.Equal(0.5, Frames.Read("{'00280030':'DS 3\\\\1','00280034':'IS 1\\\\2'}").PixelAspect);
        Assert.Equal(0.5, Frames.Read("{'00280034':'IS 1\\\\2','00280030':'DS 3\\\\1'}").PixelAspect);
        Assert.Equal(1, Frames.Read("{'00280034':'IS 1\\\\0','00280030':'DS 1e30\\\\1'}").PixelAspect);
    }

    [Theory]
    [InlineData("")]
    [InlineData("256")]
    [InlineData("256,")]
    [InlineData("0,256")]
    [InlineData("-1,256")]
    [InlineData("65536,1")]
    [InlineData("1.5,1")]
    [InlineData("1,1,0")]
    [InlineData("1,1,0,0,10")]
    [InlineData("1,1,-1,0,10,10")]
    [InlineData("1,1,NaN,0,10,10")]
    [InlineData("1,1,0,0,1e10,10")]
    [InlineData("a,b")]
    public void RefusesTheParameter(string text)
    {
        Assert.False(PictureViewport.TryParse(text, out var viewport, out var rule));
        Assert.Null(viewport);
        Assert.StartsWith("must", rule, StringComparison.Ordinal);
    }

    [Fact]
    public void ARegionOutsideTheFrameIsRefused() => Assert.Contains(
        "outside",
        FramePictures.Render(Frames.Words(1, 2), ImagePresentation.None, new() { Viewport = new(10, 10) { X = 2 } }).Reason,
        StringComparison.Ordinal);

    [Fact]
    public void ARegionIsCutOut() => Assert.Equal([20, 30], Draw(new(2, 2) { X = 1, RegionWidth = 2 }));

    [Fact]
    public void ANegativeRegionIsFlipped()
    {
        Assert.Equal([40, 30, 20, 10], Draw(new(4, 1) { RegionWidth = -4 }));
        Assert.Equal([3, 4, 1, 2], Draw(new(2, 2) { RegionHeight = -2 }, [1, 2, 3, 4]));
        Assert.Equal([4, 3, 2, 1], Draw(new(2, 2) { RegionHeight = -2, RegionWidth = -2 }, [1, 2, 3, 4]));
    }

    [Fact]
    public void AFlipKeepsColors() => Assert.Equal(
        [4, 5, 6, 1, 2, 3],
        Frames.Draw(
            new NativeFrame(Frames.Layout(2, 8, photometric: "RGB", samples: 3), new byte[] { 1, 2, 3, 4, 5, 6 }), ImagePresentation.None,
            new() { Viewport = new(2, 1) { RegionWidth = -2 } }));

    /// <summary>The weights of a triangle of radius 64, cut at the borders, calculated with numpy.</summary>
    [Fact]
    public void MeansPixels_WhenThePictureIsSmaller()
    {
        byte[] halves = [.. Enumerable.Repeat((byte)40, 64), .. Enumerable.Repeat((byte)200, 64)];

        Assert.Equal([63, 177], Draw(new(2, 1), halves));
        Assert.Equal([120], Draw(new(1, 1), halves));
    }

    [Fact]
    public void Interpolates_WhenThePictureIsLarger() => Assert.Equal([0, 25, 75, 100], Draw(new(4, 9), [0, 100])[..4]);

    [Property(MaxTest = 60)]
    public bool AFlatFrameStaysFlat(byte grey, byte columns, byte rows, byte width, byte height)
    {
        var layout = Layout(columns + 1, rows + 1);
        var bytes = new byte[layout.FrameLength];
        bytes.AsSpan().Fill(grey);
        var pixels = Frames.Draw(new(layout, bytes), Identity, new() { Viewport = new(width + 1, height + 1) });
        return pixels.All(p => p == grey);
    }

    private static readonly ImagePresentation Identity = ImagePresentation.None with { Window = new(128, 256, VoiFunction.Linear) };

    private static PictureGeometry? Find(int columns, int rows, string text)
    {
        Assert.True(PictureViewport.TryParse(text, out var viewport, out _));
        return PictureGeometry.Find(Layout(columns, rows), 1, viewport);
    }

    private static PixelLayout Layout(int columns, int rows) => Frames.Layout(columns, 8) with { Rows = rows };

    /// <summary>Draws one row of four pixels, or a square of the values.</summary>
    private static byte[] Draw(PictureViewport viewport, byte[]? values = null)
    {
        var layout = values is { Length: 4 } ? Layout(2, 2) : Frames.Layout(values?.Length ?? 4, 8);
        return Frames.Draw(new NativeFrame(layout, values ?? [10, 20, 30, 40]), Identity, new() { Viewport = viewport });
    }
}
