using System.Security.Cryptography;
using System.Text;
using Proxy.Demo.Phantoms;

namespace Proxy.Demo.Modalities;

/// <summary>Series of a chest CT.</summary>
internal static class CtSeries
{
    private const string CtImage = "1.2.840.10008.5.1.4.1.1.2";

    /// <summary>The length of the phantom along z, in mm.</summary>
    private const double Length = 300;

    /// <summary>Axial planes from the apex of the lungs downwards; z increases towards the head (PS3.3 C.7.6.2.1.1).</summary>
    /// <param name="plan">The series.</param>
    /// <param name="count">The number of planes over the whole phantom.</param>
    /// <param name="kernel">The name of the convolution kernel.</param>
    /// <param name="window">Center, width and name.</param>
    /// <param name="phantom">The phantom that generates the pixels.</param>
    /// <param name="held">The number of planes that this PACS holds; null for all.</param>
    public static DemoSeries Axial(
        SeriesPlan plan, int count, string kernel, (double Center, double Width, string Name) window, ChestCt phantom, int? held = null)
    {
        var step = Length / count;
        var corner = -(ChestCt.Size - 1) / 2.0 * ChestCt.Spacing;
        return plan.Create("CT", Shared(kernel), Enumerable.Range(1, held ?? count).Select(number =>
        {
            var depth = (number - 1) * step;
            return plan.Instance(
                number,
                CtImage,
                DemoDataset.Union(
                    ImagePixel.Grey(ChestCt.Size, ChestCt.Size),
                    ImagePixel.Plane(plan.FrameOfReference, ChestCt.Spacing, [corner, corner, 0 - depth], [1, 0, 0, 0, 1, 0]),
                    ImagePixel.Window(window.Center, window.Width, window.Name),
                    Hounsfield,
                    new DemoDataset
                    {
                        { "ImageType", "ORIGINAL", "PRIMARY", "AXIAL" },
                        { "SliceThickness", step },
                        { "SpacingBetweenSlices", step },
                        { "SliceLocation", 0 - depth },
                        { "DemoPrivateCreator", "DEMO PACS 1.0" },
                        { "DemoPrivateBytes", PrivateBytes(plan, number) },
                    }),
                ImagePixel.Pixels(ChestCt.Size, ChestCt.Size, () => phantom.Frame((float)depth)));
        }));
    }

    /// <summary>The topogram: one frontal projection, rows from head to feet.</summary>
    public static DemoSeries Topogram(SeriesPlan plan)
    {
        var corner = -(ChestCt.Size - 1) / 2.0 * ChestCt.Spacing;
        var radiograph = new ChestRadiograph(ChestCt.Size, ChestCt.Size, ChestCt.Spacing, 5);
        return plan.Create("CT", Shared("T20s"),
        [
            plan.Instance(
                1,
                CtImage,
                DemoDataset.Union(
                    ImagePixel.Grey(ChestCt.Size, ChestCt.Size),
                    ImagePixel.Plane(plan.FrameOfReference, ChestCt.Spacing, [corner, 0, 55], [1, 0, 0, 0, 0, -1]),
                    ImagePixel.Window(650, 2600, "TOPOGRAM"),
                    Hounsfield,
                    new DemoDataset { { "ImageType", "ORIGINAL", "PRIMARY", "LOCALIZER" }, { "SliceThickness", 0.6 } }),
                ImagePixel.Pixels(ChestCt.Size, ChestCt.Size, () => radiograph.Front())),
        ]);
    }

    private static DemoDataset Hounsfield => new()
    {
        { "RescaleIntercept", -1024 },
        { "RescaleSlope", 1 },
        { "RescaleType", "HU" },
    };

    private static DemoDataset Shared(string kernel) => new()
    {
        { "BodyPartExamined", "CHEST" },
        { "ScanOptions", "HELICAL MODE" },
        { "KVP", 120 },
        { "ConvolutionKernel", kernel },
        { "PatientPosition", "HFS" },
    };

    // Like a vendor's private attribute: 2 KiB of opaque bytes.
    private static DemoBulk PrivateBytes(SeriesPlan plan, int number) => new("OB", 1, 2048, _ =>
    {
        var seed = SHA256.HashData(Encoding.UTF8.GetBytes($"{plan.Study}/{plan.Key}/{number}"));
        return [.. Enumerable.Range(0, 2048 / seed.Length).SelectMany(_ => seed)];
    });
}
