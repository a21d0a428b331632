namespace Proxy.Integration;

/// <summary>An ultrasound clip: many colour frames in one instance.</summary>
public sealed class Cine : Content
{
    private const int Width = 320, Height = 240;

    public override string Modality => "US";

    public override string SopClassUid => "1.2.840.10008.5.1.4.1.1.3.1";

    public override int Frames => 6;

    public override byte[] Frame(Instance instance, int frame)
    {
        var beat = frame / (double)Frames;
        return new Canvas(Width, Height)
            .Ellipse(0, 0, 0.85, 0.85, 70)
            .Ellipse(0, 0, 0.30 + (0.2 * beat), 0.40 + (0.2 * beat), 180)
            .Ellipse(0, 0, 0.20 + (0.2 * beat), 0.30 + (0.2 * beat), 20)
            .Rectangle(-0.9, 0.85, -0.9 + (1.8 * beat), 0.92, 240)
            .ToRgb(1, 0.8, 0.4);
    }

    public override void Describe(Attributes attributes, Instance instance)
    {
        attributes
            .Text(Tags.ImageType, "CS", "ORIGINAL", "PRIMARY")
            .Decimal(Tags.NumberOfFrames, "IS", Frames)
            .Pointer(Tags.FrameIncrementPointer, Tags.FrameTime).Decimal(Tags.FrameTime, "DS", 40)
            .Short(Tags.PlanarConfiguration, 0);
        DescribePixels(attributes, instance, Width, Height, bits: 8, samples: 3);
    }
}
