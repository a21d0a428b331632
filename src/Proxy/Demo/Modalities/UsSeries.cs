using Proxy.Demo.Phantoms;

namespace Proxy.Demo.Modalities;

/// <summary>An ultrasound cine loop of the heart: one multi-frame instance.</summary>
internal static class UsSeries
{
    private const string UltrasoundMultiFrame = "1.2.840.10008.5.1.4.1.1.3.1";

    /// <summary>Creates the series.</summary>
    public static DemoSeries Heart(SeriesPlan plan) => plan.Create("US", new DemoDataset { { "BodyPartExamined", "HEART" } },
    [
        plan.Instance(1, UltrasoundMultiFrame, DemoDataset.Union(Colour, Cine), new DemoBulk(
            "OB", HeartUs.Frames, HeartUs.Columns * HeartUs.Rows * 3, HeartUs.Frame)),
    ]);

    // Planar configuration 0: the red, green and blue samples of each pixel are adjacent.
    private static DemoDataset Colour => new()
    {
        { "ImageType", "ORIGINAL", "PRIMARY", "TTE", "0011" },
        { "SamplesPerPixel", 3 },
        { "PhotometricInterpretation", "RGB" },
        { "PlanarConfiguration", 0 },
        { "Rows", HeartUs.Rows },
        { "Columns", HeartUs.Columns },
        { "BitsAllocated", 8 },
        { "BitsStored", 8 },
        { "HighBit", 7 },
        { "PixelRepresentation", 0 },
    };

    private static DemoDataset Cine => new()
    {
        { "CineRate", 30 },
        { "FrameTime", 33.333 },
        { "NumberOfFrames", HeartUs.Frames },
        { "FrameIncrementPointer", DemoTag.Get("FrameTime").Name },
        { "SequenceOfUltrasoundRegions", Region },
    };

    // One tissue region, calibrated in centimetres from the tip of the sector (PS3.3 C.8.5.5).
    private static DemoDataset Region => new()
    {
        { "RegionSpatialFormat", 1 },
        { "RegionDataType", 1 },
        { "RegionFlags", 2 },
        { "RegionLocationMinX0", 20 },
        { "RegionLocationMinY0", HeartUs.TipY },
        { "RegionLocationMaxX1", 620 },
        { "RegionLocationMaxY1", HeartUs.TipY + HeartUs.Depth },
        { "ReferencePixelX0", HeartUs.TipX - 20 },
        { "ReferencePixelY0", 0 },
        { "PhysicalUnitsXDirection", 3 },
        { "PhysicalUnitsYDirection", 3 },
        { "PhysicalDeltaX", HeartUs.CentimetresPerPixel },
        { "PhysicalDeltaY", HeartUs.CentimetresPerPixel },
    };
}
