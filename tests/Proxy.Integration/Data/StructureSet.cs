namespace Proxy.Integration;

/// <summary>A radiotherapy structure set: a square contour on each slice of a CT series (PS3.3 A.19).</summary>
public sealed class StructureSet(Series of) : Content
{
    /// <summary>Half the side of the square, in mm.</summary>
    private const double Half = 60;

    public override string Modality => "RTSTRUCT";

    public override string SopClassUid => "1.2.840.10008.5.1.4.1.1.481.3";

    public override int Frames => 0;

    public override byte[] Frame(Instance instance, int frame) => throw new NotSupportedException("A structure set has no frames");

    public override void Describe(Attributes attributes, Instance instance)
    {
        var frame = CtSlice.FrameOfReference(of);
        attributes
            .Text(Tags.StructureSetLabel, "SH", "PHANTOM")
            .Text(Tags.StructureSetDate, "DA", of.Study.Date).Text(Tags.StructureSetTime, "TM", "101700")
            .Sequence(Tags.ReferencedFrameOfReferenceSequence, new Attributes()
                .Text(Tags.FrameOfReferenceUid, "UI", frame)
                .Sequence(Tags.RtReferencedStudySequence, new Attributes()
                    .Text(Tags.ReferencedSopClassUid, "UI", "1.2.840.10008.3.1.2.3.1")
                    .Text(Tags.ReferencedSopInstanceUid, "UI", of.Study.Uid)
                    .Sequence(Tags.RtReferencedSeriesSequence, new Attributes()
                        .Text(Tags.SeriesInstanceUid, "UI", of.Uid)
                        .Sequence(Tags.ContourImageSequence, of.Instances.Select(Reference)))))
            .Sequence(Tags.StructureSetRoiSequence, new Attributes()
                .Decimal(Tags.RoiNumber, "IS", 1).Text(Tags.ReferencedFrameOfReferenceUid, "UI", frame)
                .Text(Tags.RoiName, "LO", "Square").Text(Tags.RoiGenerationAlgorithm, "CS", "MANUAL"))
            .Sequence(Tags.RoiContourSequence, new Attributes()
                .Decimal(Tags.RoiDisplayColor, "IS", 255, 0, 0).Decimal(Tags.ReferencedRoiNumber, "IS", 1)
                .Sequence(Tags.ContourSequence, of.Instances.Select(DescribeContour)))
            .Sequence(Tags.RtRoiObservationsSequence, new Attributes()
                .Decimal(Tags.ObservationNumber, "IS", 1).Decimal(Tags.ReferencedRoiNumber, "IS", 1)
                .Text(Tags.RtRoiInterpretedType, "CS", "ORGAN").Text(Tags.RoiInterpreter, "PN", ""));
    }

    private static Attributes DescribeContour(Instance slice)
    {
        var z = CtSlice.Position(slice, CtSlice.SmallSize)[2];
        return new Attributes()
            .Sequence(Tags.ContourImageSequence, Reference(slice))
            .Text(Tags.ContourGeometricType, "CS", "CLOSED_PLANAR").Decimal(Tags.NumberOfContourPoints, "IS", 4)
            .Decimal(Tags.ContourData, "DS", -Half, -Half, z, Half, -Half, z, Half, Half, z, -Half, Half, z);
    }
}
