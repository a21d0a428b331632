using BenchmarkDotNet.Attributes;
using Proxy.Demo.Phantoms;
using Proxy.Imaging;
using Proxy.Imaging.Pictures;
using Proxy.Imaging.Presentation;

namespace Proxy.Benchmarks;

/// <summary>
/// Rendering an uncompressed CT of 512 by 512 samples of 16 bits, without decoding. A thumbnail may take 15 ms of CPU with decoding.
/// </summary>
[MemoryDiagnoser]
public class PictureBenchmarks
{
    private static readonly ImagePresentation Presentation = ImagePresentation.None with
    {
        RescaleIntercept = -1024,
        Window = new(40, 400, VoiFunction.Linear),
    };

    private readonly NativeFrame _frame = new(
        new()
        {
            Rows = ChestCt.Size,
            Columns = ChestCt.Size,
            SamplesPerPixel = 1,
            PhotometricInterpretation = "MONOCHROME2",
            BitsAllocated = 16,
            BitsStored = 16,
            HighBit = 15,
        },
        new ChestCt(6, 12, 1).Frame(100));

    [Benchmark]
    public int Thumbnail() => Render(new() { Viewport = new(128, 128) });

    [Benchmark]
    public int Jpeg() => Render(new());

    [Benchmark]
    public int Png() => Render(new() { Format = PictureFormat.Png });

    [Benchmark]
    public int Gif() => Render(new() { Format = PictureFormat.Gif });

    [Benchmark]
    public int Neutral() => NeutralPicture.Draw(NeutralKind.Report, new() { Viewport = new(128, 128) }).Bytes.Length;

    private int Render(PictureParameters parameters) => FramePictures.Render(_frame, Presentation, parameters).Picture!.Bytes.Length;
}
