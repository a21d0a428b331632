using Proxy.Demo.Phantoms;

namespace Proxy.Demo.Modalities;

/// <summary>Chest radiographs: a frontal view, which may be MONOCHROME1, and an optional lateral view.</summary>
internal static class CrSeries
{
    private const string CrImage = "1.2.840.10008.5.1.4.1.1.1";
    private const int Columns = 1024;
    private const int Rows = 1280;
    private const double Spacing = 0.36;

    /// <summary>Creates the series.</summary>
    /// <param name="plan">The series.</param>
    /// <param name="seed">The seed of the noise.</param>
    /// <param name="inverted">Whether the frontal view is MONOCHROME1.</param>
    /// <param name="views">1 for the frontal view, 2 with the lateral view.</param>
    public static DemoSeries Chest(SeriesPlan plan, uint seed, bool inverted, int views)
    {
        var radiograph = new ChestRadiograph(Columns, Rows, (float)Spacing, seed);
        var front = View(plan, 1, "PA", ("L", "F"), inverted ? "MONOCHROME1" : "MONOCHROME2", () => radiograph.Front(inverted));
        var side = View(plan, 2, "LL", ("P", "F"), "MONOCHROME2", radiograph.Side);
        return plan.Create("CR", new DemoDataset { { "BodyPartExamined", "CHEST" }, { "KVP", 125 } }, views == 2 ? [front, side] : [front]);
    }

    private static DemoInstance View(
        SeriesPlan plan, int number, string view, (string Row, string Column) orientation, string photometric, Func<byte[]> make) =>
        plan.Instance(
            number,
            CrImage,
            DemoDataset.Union(
                ImagePixel.Grey(Columns, Rows, photometric),
                ImagePixel.Window(photometric == "MONOCHROME1" ? 2395 : 1700, 2600, "NORMAL"),
                new DemoDataset
                {
                    { "ImageType", "ORIGINAL", "PRIMARY" },
                    { "ViewPosition", view },
                    { "ImagerPixelSpacing", Spacing, Spacing },
                    { "PixelSpacing", Spacing, Spacing },
                    { "PatientOrientation", orientation.Row, orientation.Column },
                    { "Laterality" },
                }),
            ImagePixel.Pixels(Columns, Rows, make));
}
