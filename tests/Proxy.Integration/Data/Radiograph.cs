namespace Proxy.Integration;

/// <summary>A computed radiograph: one large picture without a position in space.</summary>
public sealed class Radiograph : Content
{
    private const int Size = 1024;

    public override string Modality => "CR";

    public override string SopClassUid => "1.2.840.10008.5.1.4.1.1.1";

    public override byte[] Frame(Instance instance, int frame) => new Canvas(Size, Size, 300)
        .Ellipse(0, 0.25, 0.75, 1.1, 2200)
        .Ellipse(-0.34, 0.05, 0.27, 0.58, 900)
        .Ellipse(0.34, 0.05, 0.27, 0.58, 900)
        .Ellipse(0.14, 0.35, 0.30, 0.28, 2900)
        .Rectangle(-0.07, -1, 0.07, 1, 3200)
        .Shade(400)
        .To16Bit();

    public override void Describe(Attributes attributes, Instance instance)
    {
        attributes
            .Text(Tags.ImageType, "CS", "ORIGINAL", "PRIMARY")
            .Text(Tags.BodyPartExamined, "CS", "CHEST").Text(Tags.ViewPosition, "CS", "PA")
            .Text(Tags.PatientOrientation, "CS", "L", "F")
            .Decimal(Tags.ImagerPixelSpacing, "DS", 0.4, 0.4)
            .Decimal(Tags.WindowCenter, "DS", 2048).Decimal(Tags.WindowWidth, "DS", 4096);
        DescribePixels(attributes, instance, Size, Size, bits: 12);
    }
}
