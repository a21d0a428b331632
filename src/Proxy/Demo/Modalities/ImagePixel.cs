namespace Proxy.Demo.Modalities;

/// <summary>The attributes of the Image Pixel module (PS3.3 C.7.6.3) and related modules.</summary>
internal static class ImagePixel
{
    /// <summary>One greyscale frame: 12 bits stored in 16-bit words.</summary>
    public static DemoDataset Grey(int columns, int rows, string photometric = "MONOCHROME2") => new()
    {
        { "SamplesPerPixel", 1 },
        { "PhotometricInterpretation", photometric },
        { "Rows", rows },
        { "Columns", columns },
        { "BitsAllocated", 16 },
        { "BitsStored", 12 },
        { "HighBit", 11 },
        { "PixelRepresentation", 0 },
    };

    /// <summary>The position and orientation of a plane in the patient (PS3.3 C.7.6.2).</summary>
    public static DemoDataset Plane(string frameOfReference, double spacing, double[] position, double[] orientation) => new()
    {
        { "ImagePositionPatient", [.. position.Cast<object>()] },
        { "ImageOrientationPatient", [.. orientation.Cast<object>()] },
        { "FrameOfReferenceUID", frameOfReference },
        { "PositionReferenceIndicator" },
        { "PixelSpacing", spacing, spacing },
    };

    /// <summary>The default window.</summary>
    public static DemoDataset Window(double center, double width, string name) => new()
    {
        { "WindowCenter", center },
        { "WindowWidth", width },
        { "WindowCenterWidthExplanation", name },
    };

    /// <summary>Pixel data of one frame of 16-bit words.</summary>
    public static DemoBulk Pixels(int columns, int rows, Func<byte[]> make) => new("OW", 1, columns * rows * 2, _ => make());
}
