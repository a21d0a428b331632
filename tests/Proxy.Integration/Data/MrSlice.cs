namespace Proxy.Integration;

/// <summary>An axial slice of a head, with bright fluid (T2) or dark fluid (T1).</summary>
public sealed class MrSlice(bool fluidIsBright) : Content
{
    private const int Size = 128;

    public override string Modality => "MR";

    public override string SopClassUid => "1.2.840.10008.5.1.4.1.1.4";

    public override byte[] Frame(Instance instance, int frame)
    {
        var scale = Math.Sin(Math.PI * (0.15 + (0.7 * instance.Number / instance.Series.Count)));
        ushort fluid = fluidIsBright ? (ushort)900 : (ushort)120;
        var canvas = new Canvas(Size, Size)
            .Ellipse(0, -0.1, 0.70 * scale, 0.80 * scale, 600)
            .Ellipse(0, -0.1, 0.62 * scale, 0.72 * scale, fluid)
            .Ellipse(0, -0.1, 0.56 * scale, 0.66 * scale, 400)
            .Ellipse(-0.12, -0.15, 0.08 * scale, 0.25 * scale, fluid)
            .Ellipse(0.12, -0.15, 0.08 * scale, 0.25 * scale, fluid)
            .Shade(80);
        SliceMark.Draw(canvas, instance.Number, 1000);
        return canvas.To16Bit();
    }

    public override void Describe(Attributes attributes, Instance instance)
    {
        attributes
            .Text(Tags.ImageType, "CS", "ORIGINAL", "PRIMARY", "M", "ND")
            .Text(Tags.BodyPartExamined, "CS", "HEAD").Text(Tags.PatientPosition, "CS", "HFS")
            .Decimal(Tags.RepetitionTime, "DS", fluidIsBright ? 5000 : 550).Decimal(Tags.EchoTime, "DS", fluidIsBright ? 98 : 9)
            .Decimal(Tags.SpacingBetweenSlices, "DS", 4)
            .Decimal(Tags.WindowCenter, "DS", 450).Decimal(Tags.WindowWidth, "DS", 900);
        DescribeSlice(attributes, instance, Size, pixel: 240.0 / Size, spacing: 4);
        DescribePrivateBlob(attributes, instance);
        DescribePixels(attributes, instance, Size, Size, bits: 12);
    }
}
