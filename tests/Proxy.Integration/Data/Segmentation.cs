namespace Proxy.Integration;

/// <summary>A binary segmentation of a series of CT slices: a square in the middle of each slice (PS3.3 A.51).</summary>
public sealed class Segmentation(Series of) : Content
{
    /// <summary>The mask's half width in the coordinates of a <see cref="Canvas"/>.</summary>
    private const double Half = 0.3;

    private static int Size => CtSlice.SmallSize;

    public override string Modality => "SEG";

    public override string SopClassUid => "1.2.840.10008.5.1.4.1.1.66.4";

    public override int Frames => of.Count;

    /// <summary>One bit per pixel, the first pixel in the lowest bit (PS3.5 8.1.1).</summary>
    public override byte[] Frame(Instance instance, int frame)
    {
        var mask = new Canvas(Size, Size).Rectangle(-Half, -Half, Half, Half, 1).To16Bit();
        var bits = new byte[Size * Size / 8];
        for (var i = 0; i < Size * Size; i++)
            bits[i / 8] |= (byte)(mask[2 * i] << (i % 8));
        return bits;
    }

    public override void Describe(Attributes attributes, Instance instance)
    {
        var dimensions = Uids.Create("dimensions", instance.Series.Key);
        attributes
            .Text(Tags.ImageType, "CS", "DERIVED", "PRIMARY")
            .Text(Tags.FrameOfReferenceUid, "UI", CtSlice.FrameOfReference(of)).Text(Tags.PositionReferenceIndicator, "LO", "")
            .Text(Tags.SegmentationType, "CS", "BINARY").Text(Tags.LossyImageCompression, "CS", "00")
            .Text(Tags.ContentLabel, "CS", "SQUARE").Text(Tags.ContentDescription, "LO", "Square")
            .Text(Tags.ContentCreatorName, "PN", "Phantom^Works")
            .Sequence(Tags.SegmentSequence, new Attributes()
                .Short(Tags.SegmentNumber, 1).Text(Tags.SegmentLabel, "LO", "Square").Text(Tags.SegmentAlgorithmType, "CS", "MANUAL")
                .Code(Tags.SegmentedPropertyCategoryCodeSequence, "85756007", "SCT", "Tissue")
                .Code(Tags.SegmentedPropertyTypeCodeSequence, "85756007", "SCT", "Tissue"))
            .Sequence(Tags.DimensionOrganizationSequence, new Attributes().Text(Tags.DimensionOrganizationUid, "UI", dimensions))
            .Sequence(
                Tags.DimensionIndexSequence,
                Index(dimensions, Tags.ReferencedSegmentNumber, Tags.SegmentIdentificationSequence),
                Index(dimensions, Tags.ImagePositionPatient, Tags.PlanePositionSequence))
            .Sequence(Tags.SharedFunctionalGroupsSequence, new Attributes()
                .Sequence(Tags.PlaneOrientationSequence, new Attributes().Decimal(Tags.ImageOrientationPatient, "DS", 1, 0, 0, 0, 1, 0))
                .Sequence(Tags.PixelMeasuresSequence, new Attributes()
                    .Decimal(Tags.SliceThickness, "DS", CtSlice.Spacing).Decimal(Tags.SpacingBetweenSlices, "DS", CtSlice.Spacing)
                    .Decimal(Tags.PixelSpacing, "DS", CtSlice.Pixel(Size), CtSlice.Pixel(Size))))
            .Sequence(Tags.PerFrameFunctionalGroupsSequence, of.Instances.Select(DescribeFrame))
            .Sequence(Tags.ReferencedSeriesSequence, new Attributes()
                .Text(Tags.SeriesInstanceUid, "UI", of.Uid)
                .Sequence(Tags.ReferencedInstanceSequence, of.Instances.Select(Reference)))
            .Decimal(Tags.NumberOfFrames, "IS", Frames);
        DescribePixels(attributes, instance, Size, Size, bits: 1);
    }

    private static Attributes Index(string dimensions, uint attribute, uint group) => new Attributes()
        .Text(Tags.DimensionOrganizationUid, "UI", dimensions)
        .Pointer(Tags.DimensionIndexPointer, attribute).Pointer(Tags.FunctionalGroupPointer, group);

    private static Attributes DescribeFrame(Instance slice) => new Attributes()
        .Sequence(Tags.FrameContentSequence, new Attributes()
            .Bytes(Tags.DimensionIndexValues, "UL", [1, 0, 0, 0, .. BitConverter.GetBytes(slice.Number)]))
        .Sequence(Tags.PlanePositionSequence, new Attributes()
            .Decimal(Tags.ImagePositionPatient, "DS", CtSlice.Position(slice, Size)))
        .Sequence(Tags.SegmentIdentificationSequence, new Attributes().Short(Tags.ReferencedSegmentNumber, 1))
        .Sequence(Tags.DerivationImageSequence, new Attributes()
            .Sequence(Tags.SourceImageSequence, Reference(slice))
            .Code(Tags.DerivationCodeSequence, "113076", "DCM", "Segmentation"));
}
