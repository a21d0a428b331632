using System.Buffers.Binary;
using FsCheck.Xunit;
using Proxy.Imaging;
using Proxy.Imaging.Pictures;
using Proxy.Imaging.Presentation;
using SkiaSharp;
using Xunit;

namespace Proxy.Tests.Imaging.Pictures;

/// <summary>Encoded pictures, read again with Skia.</summary>
public class FramePicturesTests
{
    private static readonly ImagePresentation Identity = ImagePresentation.None with { Window = new(128, 256, VoiFunction.Linear) };

    [Theory]
    [InlineData(PictureFormat.Jpeg, "FFD8FF", "image/jpeg")]
    [InlineData(PictureFormat.Png, "89504E470D0A1A0A", "image/png")]
    [InlineData(PictureFormat.Gif, "474946383961", "image/gif")]
    public void EncodesGrey(PictureFormat format, string start, string type)
    {
        var frame = Grey(64, 48, (x, y) => (byte)(x * 2 + y));

        var picture = FramePictures.Render(frame, Identity, new() { Format = format, Quality = 100 }).Picture!;

        Assert.Equal((64, 48, type), (picture.Width, picture.Height, picture.Format.GetMediaType()));
        Assert.StartsWith(start, Convert.ToHexString(picture.Bytes.Span), StringComparison.Ordinal);
        using var read = SKBitmap.Decode(picture.Bytes.Span);
        Assert.Equal((64, 48), (read.Width, read.Height));
        for (var y = 0; y < 48; y++)
        {
            for (var x = 0; x < 64; x++) Assert.InRange(read.GetPixel(x, y).Green, x * 2 + y - 2, x * 2 + y + 2);
        }
    }

    [Fact]
    public void GreyHasOneComponent()
    {
        var jpeg = FramePictures.Render(Grey(8, 8, (_, _) => 7), Identity, new()).Picture!.Bytes.Span;
        var png = FramePictures.Render(Grey(8, 8, (_, _) => 7), Identity, new() { Format = PictureFormat.Png }).Picture!.Bytes.Span;

        Assert.Equal(1, jpeg[jpeg.IndexOf((ReadOnlySpan<byte>)[0xFF, 0xC0]) + 9]);
        Assert.Equal(0, png[25]);
    }

    [Fact]
    public void QualityChangesTheSizeOfAJpeg()
    {
        var frame = Grey(128, 128, (x, y) => (byte)(x * y));

        Assert.True(Encode(1) < Encode(50));
        Assert.True(Encode(50) < Encode(PictureParameters.DefaultQuality));
        Assert.True(Encode(PictureParameters.DefaultQuality) < Encode(100));

        int Encode(int quality) => FramePictures.Render(frame, Identity, new() { Quality = quality }).Picture!.Bytes.Length;
    }

    [Theory]
    [InlineData(PictureFormat.Jpeg)]
    [InlineData(PictureFormat.Png)]
    [InlineData(PictureFormat.Gif)]
    public void EncodesColor(PictureFormat format)
    {
        var frame = Color(32, 32, (x, _) => x < 16 ? new(255, 51, 0) : new(0, 102, 204));

        var picture = FramePictures.Render(frame, ImagePresentation.None, new() { Format = format, Quality = 100 }).Picture!;

        using var read = SKBitmap.Decode(picture.Bytes.Span);
        AssertNear(new(255, 51, 0), read.GetPixel(4, 4));
        AssertNear(new(0, 102, 204), read.GetPixel(28, 28));
    }

    [Theory]
    [InlineData(PictureFormat.Jpeg)]
    [InlineData(PictureFormat.Png)]
    public void AnIccProfileIsEmbeddedInColor(PictureFormat format)
    {
        var profile = SrgbIcc.Create();
        Array.Resize(ref profile, 140_000);
        BinaryPrimitives.WriteInt32BigEndian(profile, profile.Length);
        var dataset = ImagePresentation.None with { IccProfile = profile };

        Assert.True(Contains(dataset, IccChoice.OfDataset, profile));
        Assert.True(Contains(dataset, IccChoice.Any, profile));
        Assert.True(Contains(dataset, IccChoice.Srgb, profile));
        Assert.False(Contains(dataset, IccChoice.None, profile));
        Assert.False(Contains(ImagePresentation.None, IccChoice.OfDataset, SrgbIcc.Create()));
        Assert.True(Contains(ImagePresentation.None, IccChoice.Any, SrgbIcc.Create()));
        Assert.True(Contains(ImagePresentation.None, IccChoice.Srgb, SrgbIcc.Create()));

        bool Contains(ImagePresentation presentation, IccChoice choice, byte[] expected)
        {
            var frame = Color(4, 4, (_, _) => new(255, 51, 0));
            var parameters = new PictureParameters { Format = format, IccProfile = choice, Quality = 100 };
            var picture = FramePictures.Render(frame, presentation, parameters).Picture!;
            using var read = SKBitmap.Decode(picture.Bytes.Span);
            AssertNear(new(255, 51, 0), read.GetPixel(1, 1));
            return IccReading.Find(picture.Bytes.Span)?.SequenceEqual(expected) == true;
        }
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(36, 'x')]
    [InlineData(16, 'G')]
    public void AProfileThatIsNoRgbProfileIsLeftOut(int at, int value)
    {
        var profile = SrgbIcc.Create();
        profile[at == 0 ? 3 : at] = (byte)value;

        var frame = Color(4, 4, (_, _) => SKColors.Red);
        var picture = FramePictures.Render(frame, ImagePresentation.None with { IccProfile = profile }, new()).Picture!;

        Assert.Null(IccReading.Find(picture.Bytes.Span));
    }

    /// <summary>Skia reads the profile as the sRGB it knows.</summary>
    [Fact]
    public void TheSrgbProfileIsSrgb()
    {
        using var space = SKColorSpace.CreateIcc(SrgbIcc.Create());

        Assert.True(space.IsSrgb);
    }

    [Fact]
    public void AnAnimationHasAllFrames()
    {
        var animation = new Animation(new() { Viewport = new(20, 20) });
        foreach (var grey in (byte[])[10, 200, 90])
            Assert.Null(animation.Add(Grey(40, 30, (_, _) => grey), Identity with { FrameTime = TimeSpan.FromMilliseconds(40) }));

        var picture = animation.Complete();

        using var codec = SKCodec.Create(SKData.CreateCopy(picture.Bytes.Span));
        Assert.Equal((3, 20, 15), (codec.FrameCount, picture.Width, picture.Height));
        Assert.All(codec.FrameInfo, f => Assert.Equal(40, f.Duration));
        Assert.Equal(-1, codec.RepetitionCount);
        using var last = SKBitmap.Decode(codec, new SKImageInfo(20, 15));
        Assert.Equal(10, last.GetPixel(3, 3).Red);
    }

    [Fact]
    public void AnAnimationRefusesAFrameOfAnotherSize()
    {
        var animation = new Animation(new());

        Assert.Null(animation.Add(Grey(4, 4, (_, _) => 1), Identity));
        Assert.NotNull(animation.Add(Grey(4, 5, (_, _) => 1), Identity));
        Assert.NotNull(animation.Add(Color(4, 4, (_, _) => SKColors.Red), Identity));
        Assert.Equal(1, animation.Frames);
    }

    [Fact]
    public void AnAnimationIsBounded()
    {
        var animation = new Animation(new());
        for (var at = 0; at < Animation.MaxFrames + 10; at++) Assert.Null(animation.Add(Grey(2, 2, (_, _) => 1), Identity));

        Assert.True(animation.IsFull);
        Assert.Equal(Animation.MaxFrames, animation.Frames);
    }

    /// <summary>Codes of every width, and more codes than the table has.</summary>
    [Property(MaxTest = 20)]
    public bool AGifIsReadAsItWasWritten(int seed, byte columns, byte rows, byte levels)
    {
        var random = new Random(seed);
        var values = new byte[(columns + 1) * (rows + 1)];
        for (var at = 0; at < values.Length; at++) values[at] = (byte)random.Next(levels + 1);
        var frame = new NativeFrame(Frames.Layout(columns + 1, 8) with { Rows = rows + 1 }, values);

        var gif = FramePictures.Render(frame, Identity, new() { Format = PictureFormat.Gif }).Picture!;

        using var read = SKBitmap.Decode(gif.Bytes.Span, new SKImageInfo(columns + 1, rows + 1, SKColorType.Rgba8888, SKAlphaType.Opaque));
        return read.GetPixelSpan().ToArray().Where((_, at) => at % 4 == 0).SequenceEqual(values);
    }

    [Fact]
    public void APictureThatIsTooLargeIsRefused_UnlessAViewportMakesItSmaller()
    {
        var layout = Frames.Layout(65_535, 1) with { Rows = 1100 };
        var frame = new NativeFrame(layout, new byte[layout.FrameLength]);

        Assert.Contains("too large", FramePictures.Render(frame, Identity, new()).Reason, StringComparison.Ordinal);
        var region = new PictureViewport(64, 64) { RegionWidth = 99, RegionHeight = 99 };
        Assert.True(FramePictures.Render(frame, Identity, new() { Viewport = region }).IsRendered);
    }

    private static NativeFrame Grey(int columns, int rows, Func<int, int, byte> pixel)
    {
        var bytes = new byte[columns * rows];
        for (var at = 0; at < bytes.Length; at++) bytes[at] = pixel(at % columns, at / columns);
        return new(Frames.Layout(columns, 8) with { Rows = rows }, bytes);
    }

    private static NativeFrame Color(int columns, int rows, Func<int, int, SKColor> pixel)
    {
        var bytes = new byte[columns * rows * 3];
        for (var at = 0; at < columns * rows; at++)
        {
            var color = pixel(at % columns, at / columns);
            (bytes[3 * at], bytes[3 * at + 1], bytes[3 * at + 2]) = (color.Red, color.Green, color.Blue);
        }
        return new(Frames.Layout(columns, 8, photometric: "RGB", samples: 3) with { Rows = rows }, bytes);
    }

    private static void AssertNear(SKColor expected, SKColor color)
    {
        Assert.InRange(color.Red, expected.Red - 3, expected.Red + 3);
        Assert.InRange(color.Green, expected.Green - 3, expected.Green + 3);
        Assert.InRange(color.Blue, expected.Blue - 3, expected.Blue + 3);
    }
}
