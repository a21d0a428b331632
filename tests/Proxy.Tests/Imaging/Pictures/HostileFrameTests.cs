using System.Text;
using FsCheck.Xunit;
using Proxy.Imaging;
using Proxy.Imaging.Pictures;
using Proxy.Imaging.Presentation;
using Xunit;

namespace Proxy.Tests.Imaging.Pictures;

/// <summary>Any dataset and any samples give a picture or a reason, and throw nothing.</summary>
public class HostileFrameTests
{
    private static readonly string[] Photometrics =
    [
        "MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT", "YBR_PARTIAL_422",
        "YBR_PARTIAL_420", "HSV", "",
    ];

    private static readonly string[] Tags =
    [
        "00280034", "00280030", "00280120", "00280121", "00281050", "00281051", "00281052", "00281053", "00281056", "00281101", "00281102",
        "00281103", "00281201", "00281202", "00281203", "00281221", "00281222", "00281223", "00282000", "00283000", "00283002", "00283006",
        "00283010", "20500020", "52009229", "52009230", "00289145", "00289132", "00289110", "7FE00008", "7FE00009", "00181063", "00082144",
    ];

    private static readonly string[] Numbers =
    [
        "0", "1", "-1", "3", "16", "8", "65535", "65536", "-32768", "1e308", "-1e308", "1e-308", "9223372036854775807", "1e999", "0.5",
        "null",
        "\"1\"", "\"NaN\"", "\"-Infinity\"", "\" 40 \"", "\"\\ud800\"", "[]", "{}", "\"INVERSE\"", "\"SIGMOID\"",
    ];

    [Property(MaxTest = 600)]
    public void AnyFrameGivesAPictureOrAReason(int seed)
    {
        var random = new Random(seed);
        var json = Encoding.UTF8.GetBytes(Dataset(random, depth: 0));
        var layout = Layout(random);
        var bytes = new byte[layout.FrameLength];
        random.NextBytes(bytes);
        var parameters = new PictureParameters
        {
            Format = (PictureFormat)random.Next(3),
            Quality = random.Next(1, 101),
            IccProfile = (IccChoice)random.Next(4),
            Window = random.Next(3) == 0 ? new(random.Next(-100, 100), random.Next(1, 100), (VoiFunction)random.Next(3)) : null,
            Viewport = random.Next(2) == 0 ? Viewport(random) : null,
        };

        var rendering = FramePictures.Render(new(layout, bytes), ImagePresentation.Read(json, random.Next(1, 4)), parameters);

        Assert.True(rendering.IsRendered ? rendering.Picture.Bytes.Length > 0 : rendering.Reason.Length > 0);
    }

    [Property(MaxTest = 200)]
    public void AnyTextIsRead(byte[] json)
    {
        ImagePresentation.FindUris(json);
        Assert.Equal(3, ImagePresentation.ReadFrames(json, 1, 3).Length);
    }

    /// <summary>A dataset that is cut anywhere: what is before the cut is used.</summary>
    [Fact]
    public void ACutDatasetIsRead()
    {
        var json = Encoding.UTF8.GetBytes(Dataset(new Random(7), depth: 0));
        for (var length = 0; length < json.Length; length++) ImagePresentation.Read(json.AsSpan(0, length), 1);
    }

    private static PictureViewport Viewport(Random random) => new(random.Next(1, 65), random.Next(1, 65))
    {
        X = random.NextDouble() * 9,
        Y = random.Next(9),
        RegionWidth = random.Next(-99, 99),
        RegionHeight = (random.NextDouble() - 0.5) * 9,
    };

    private static PixelLayout Layout(Random random)
    {
        var allocated = new[] { 1, 8, 16, 32, 64 }[random.Next(5)];
        var stored = random.Next(1, allocated + 1);
        return new()
        {
            Rows = random.Next(1, 9),
            Columns = random.Next(1, 9),
            SamplesPerPixel = random.Next(2) * 2 + 1,
            PhotometricInterpretation = Photometrics[random.Next(Photometrics.Length)],
            BitsAllocated = allocated,
            BitsStored = stored,
            HighBit = random.Next(stored - 1, allocated),
            IsSigned = random.Next(2) == 0,
            IsPlanar = random.Next(2) == 0,
        };
    }

    private static string Dataset(Random random, int depth) =>
        "{" + string.Join(
            ',',
            Enumerable.Range(0, random.Next(1, 14)).Select(_ => $"\"{Tags[random.Next(Tags.Length)]}\":{Element(random, depth)}")) + "}";

    private static string Element(Random random, int depth)
    {
        var bytes = Enumerable.Range(0, random.Next(40)).Select(_ => (byte)random.Next(3)).ToArray();
        var values = string.Join(',', Enumerable.Range(0, random.Next(5)).Select(_ => Numbers[random.Next(Numbers.Length)]));
        return random.Next(depth < 3 ? 5 : 4) switch
        {
            0 => $$"""{"vr":"OW","InlineBinary":"{{Convert.ToBase64String(bytes)}}"}""",
            1 => $$"""{"vr":"OW","BulkDataURI":"x/y"}""",
            4 => $$"""{"vr":"SQ","Value":[{{Dataset(random, depth + 1)}},{{Dataset(random, depth + 1)}}]}""",
            _ => $$"""{"vr":"DS","Value":[{{values}}]}""",
        };
    }
}
