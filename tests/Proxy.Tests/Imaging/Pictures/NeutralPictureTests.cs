using System.Text;
using Proxy.Imaging.Pictures;
using SkiaSharp;
using Xunit;

namespace Proxy.Tests.Imaging.Pictures;

/// <summary>Pictures of instances without pixels.</summary>
public class NeutralPictureTests
{
    [Theory]
    [InlineData("1.2.840.10008.5.1.4.1.1.104.1", NeutralKind.Document)]
    [InlineData("1.2.840.10008.5.1.4.1.1.104.3", NeutralKind.Model)]
    [InlineData("1.2.840.10008.5.1.4.1.1.88.22", NeutralKind.Report)]
    [InlineData("1.2.840.10008.5.1.4.1.1.88.59", NeutralKind.KeyObjects)]
    [InlineData("1.2.840.10008.5.1.4.1.1.11.1", NeutralKind.PresentationState)]
    [InlineData("1.2.840.10008.5.1.4.1.1.9.1.1", NeutralKind.Waveform)]
    [InlineData("1.2.840.10008.5.1.4.1.1.481.3", NeutralKind.Radiotherapy)]
    [InlineData("1.2.840.10008.5.1.4.1.1.77.1.1.1", NeutralKind.Video)]
    [InlineData("1.2.840.10008.5.1.4.1.1.77.1.1", NeutralKind.Other)]
    [InlineData("1.2.3", NeutralKind.Other)]
    public void TheSopClassGivesTheKind(string sopClass, NeutralKind kind) => Assert.Equal(
        kind, NeutralKinds.Find(Encoding.UTF8.GetBytes($$$"""{"00080016":{"vr":"UI","Value":["{{{sopClass}}}"]}}""")));

    [Theory]
    [InlineData("""{"00280010":{"vr":"US","Value":[512]}}""", NeutralKind.Image)]
    [InlineData("{}", NeutralKind.Other)]
    [InlineData("""{"00080016":{"vr":"UI","Value":[{}]}}""", NeutralKind.Other)]
    [InlineData("[", NeutralKind.Other)]
    [InlineData("", NeutralKind.Other)]
    public void AnyDatasetHasAKind(string json, NeutralKind kind) => Assert.Equal(kind, NeutralKinds.Find(Encoding.UTF8.GetBytes(json)));

    [Theory]
    [InlineData(PictureFormat.Jpeg)]
    [InlineData(PictureFormat.Png)]
    [InlineData(PictureFormat.Gif)]
    public void EveryKindHasASymbolOfItsOwn(PictureFormat format)
    {
        var pictures = Enum.GetValues<NeutralKind>().Select(kind => NeutralPicture.Draw(kind, new() { Format = format })).ToArray();

        Assert.Equal(pictures.Length, pictures.Select(p => Convert.ToHexString(p.Bytes.Span)).Distinct().Count());
        Assert.All(pictures, p => Assert.Equal((256, 256, format), (p.Width, p.Height, p.Format)));
    }

    [Theory]
    [InlineData(128, 64, 64)]
    [InlineData(1, 1, 1)]
    [InlineData(65_535, 65_535, 1024)]
    public void FitsIntoTheViewport(int width, int height, int side)
    {
        var picture = NeutralPicture.Draw(NeutralKind.Report, new() { Format = PictureFormat.Png, Viewport = new(width, height) });

        using var read = SKBitmap.Decode(picture.Bytes.Span);
        Assert.Equal((side, side), (read.Width, read.Height));
        Assert.True(side == 1 || read.GetPixel(0, 0) == new SKColor(0x33, 0x3F, 0x4D));
    }
}
