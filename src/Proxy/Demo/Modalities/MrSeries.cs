using Proxy.Demo.Phantoms;

namespace Proxy.Demo.Modalities;

/// <summary>Sequences of a head MR.</summary>
internal static class MrSeries
{
    private const string MrImage = "1.2.840.10008.5.1.4.1.1.4";
    private const double Step = 6.5;

    /// <summary>A T1-weighted sequence.</summary>
    public static DemoSeries T1(SeriesPlan plan, int count, int lesions) =>
        Axial(plan, count, new HeadMr(MrContrast.T1, lesions, 100), (700, 1500), Timing("SE", 500, 9));

    /// <summary>A T2-weighted sequence.</summary>
    public static DemoSeries T2(SeriesPlan plan, int count, int lesions) =>
        Axial(plan, count, new HeadMr(MrContrast.T2, lesions, 200), (850, 1800), Timing("SE", 4200, 98));

    /// <summary>A FLAIR sequence.</summary>
    public static DemoSeries Flair(SeriesPlan plan, int count, int lesions)
    {
        var timing = Timing("IR", 9000, 110);
        timing.Add("InversionTime", 2500);
        return Axial(plan, count, new HeadMr(MrContrast.Flair, lesions, 300), (700, 1500), timing);
    }

    private static DemoSeries Axial(SeriesPlan plan, int count, HeadMr phantom, (double Center, double Width) window, DemoDataset timing)
    {
        var corner = -(HeadMr.Size - 1) / 2.0 * 0.9;
        return plan.Create("MR", timing, Enumerable.Range(1, count).Select(number =>
        {
            var z = (number - 1) * Step;
            var height = (number - 1f) / count;
            return plan.Instance(
                number,
                MrImage,
                DemoDataset.Union(
                    ImagePixel.Grey(HeadMr.Size, HeadMr.Size),
                    ImagePixel.Plane(plan.FrameOfReference, 0.9, [corner, corner, z], [1, 0, 0, 0, 1, 0]),
                    ImagePixel.Window(window.Center, window.Width, "BRAIN"),
                    new DemoDataset
                    {
                        { "ImageType", "ORIGINAL", "PRIMARY", "M", "ND" },
                        { "SliceThickness", 5 },
                        { "SpacingBetweenSlices", Step },
                        { "SliceLocation", z },
                    }),
                ImagePixel.Pixels(HeadMr.Size, HeadMr.Size, () => phantom.Frame(height)));
        }));
    }

    private static DemoDataset Timing(string sequence, int repetition, int echo) => new()
    {
        { "BodyPartExamined", "HEAD" },
        { "ScanningSequence", sequence },
        { "SequenceVariant", "SK" },
        { "ScanOptions" },
        { "MRAcquisitionType", "2D" },
        { "RepetitionTime", repetition },
        { "EchoTime", echo },
        { "MagneticFieldStrength", 3 },
        { "PatientPosition", "HFS" },
    };
}
