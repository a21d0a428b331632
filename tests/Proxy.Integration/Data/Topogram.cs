namespace Proxy.Integration;

/// <summary>The overview at the start of a CT: one instance with its own geometry.</summary>
public sealed class Topogram : Content
{
    private const int Columns = 256, Rows = 384;

    public override string Modality => "CT";

    public override string SopClassUid => "1.2.840.10008.5.1.4.1.1.2";

    public override byte[] Frame(Instance instance, int frame) => new Canvas(Columns, Rows, 24)
        .Ellipse(0, 0.1, 0.7, 0.85, 900)
        .Ellipse(-0.3, -0.1, 0.22, 0.45, 500)
        .Ellipse(0.3, -0.1, 0.22, 0.45, 500)
        .Rectangle(-0.06, -0.7, 0.06, 0.9, 1400)
        .Shade(200)
        .To16Bit();

    public override void Describe(Attributes attributes, Instance instance)
    {
        attributes
            .Text(Tags.ImageType, "CS", "ORIGINAL", "PRIMARY", "LOCALIZER")
            .Text(Tags.BodyPartExamined, "CS", "CHEST").Text(Tags.PatientPosition, "CS", "HFS")
            .Text(Tags.FrameOfReferenceUid, "UI", Uids.Create("frame-of-reference", instance.Series.Study.Key))
            .Decimal(Tags.ImagePositionPatient, "DS", -190, 0, 280)
            .Decimal(Tags.ImageOrientationPatient, "DS", 1, 0, 0, 0, 0, -1)
            .Decimal(Tags.PixelSpacing, "DS", 1.5, 1.5)
            .Decimal(Tags.WindowCenter, "DS", 0).Decimal(Tags.WindowWidth, "DS", 1600)
            .Decimal(Tags.RescaleIntercept, "DS", -1024).Decimal(Tags.RescaleSlope, "DS", 1).Text(Tags.RescaleType, "LO", "HU");
        DescribePixels(attributes, instance, Columns, Rows, bits: 12);
    }
}
