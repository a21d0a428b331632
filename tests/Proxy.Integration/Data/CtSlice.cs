namespace Proxy.Integration;

/// <summary>An axial CT slice of a chest of ellipses, in Hounsfield units, with the instance number drawn below it.</summary>
public sealed class CtSlice(int size) : Content
{
    /// <summary>The width of the slices of small series, in pixels.</summary>
    public const int SmallSize = 128;

    /// <summary>The distance between slices, in mm.</summary>
    public const double Spacing = 2.5;

    public const int Air = -1000, Fat = -90, Muscle = 45, Heart = 120, Bone = 420;

    /// <summary>The window of the instances: mediastinum.</summary>
    private const double Center = 40, Width = 400;

    private const int Intercept = -1024;

    public override string Modality => "CT";

    public override string SopClassUid => "1.2.840.10008.5.1.4.1.1.2";

    /// <summary>The grey value on screen, 0 to 255, of a density in the window of the instances (PS3.3 C.11.2.1.2.1).</summary>
    public static int Grey(int hounsfield) =>
        (int)Math.Round(Math.Clamp((((hounsfield - (Center - 0.5)) / (Width - 1)) + 0.5) * 255, 0, 255));

    /// <summary>The size of a pixel in mm.</summary>
    public static double Pixel(int size) => 384.0 / size;

    /// <summary>The position of a slice, ImagePositionPatient.</summary>
    public static double[] Position(Instance slice, int size) => Position(slice, size, Pixel(size), Spacing);

    public override byte[] Frame(Instance instance, int frame)
    {
        var z = (instance.Number - 0.5) / instance.Series.Count;
        var lung = 0.2 + (0.2 * Math.Sin(Math.PI * z));
        var canvas = new Canvas(size, size, Stored(Air))
            .Ellipse(0, 0, 0.88, 0.66, Stored(Fat))
            .Ellipse(0, 0, 0.80, 0.58, Stored(Muscle))
            .Ellipse(-0.38, -0.02, 0.25, lung, Stored(Air))
            .Ellipse(0.38, -0.02, 0.25, lung, Stored(Air))
            .Ellipse(0.10, -0.10, 0.18, 0.10 + (0.12 * z), Stored(Heart))
            .Ellipse(0, 0.40, 0.12, 0.12, Stored(Bone));
        SliceMark.Draw(canvas, instance.Number, Stored(Bone));
        return canvas.To16Bit();
    }

    public override void Describe(Attributes attributes, Instance instance)
    {
        attributes
            .Text(Tags.ImageType, "CS", "ORIGINAL", "PRIMARY", "AXIAL")
            .Text(Tags.BodyPartExamined, "CS", "CHEST").Text(Tags.PatientPosition, "CS", "HFS")
            .Decimal(Tags.Kvp, "DS", 120)
            .Decimal(Tags.WindowCenter, "DS", Center).Decimal(Tags.WindowWidth, "DS", Width)
            .Decimal(Tags.RescaleIntercept, "DS", Intercept).Decimal(Tags.RescaleSlope, "DS", 1).Text(Tags.RescaleType, "LO", "HU");
        DescribeSlice(attributes, instance, size, Pixel(size), Spacing);
        DescribePrivateBlob(attributes, instance);
        DescribePixels(attributes, instance, size, size, bits: 12);
    }

    private static ushort Stored(int hounsfield) => (ushort)(hounsfield - Intercept);
}
