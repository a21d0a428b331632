namespace Proxy.Integration;

/// <summary>The modality-specific content of the instances of a series: pixels and the attributes that describe them.</summary>
public abstract class Content
{
    public abstract string Modality { get; }

    public abstract string SopClassUid { get; }

    /// <summary>Explicit VR little endian, unless the content is compressed.</summary>
    public virtual string TransferSyntax => "1.2.840.10008.1.2.1";

    public virtual int Frames => 1;

    /// <summary>The pixels of one frame, native little endian, as a PACS stores and serves them.</summary>
    public abstract byte[] Frame(Instance instance, int frame);

    public abstract void Describe(Attributes attributes, Instance instance);

    protected void DescribePixels(Attributes attributes, Instance instance, int width, int height, int bits, int samples = 1)
    {
        var bytes = Enumerable.Range(1, Frames).SelectMany(frame => Frame(instance, frame)).ToArray();
        attributes
            .Short(Tags.SamplesPerPixel, samples)
            .Text(Tags.PhotometricInterpretation, "CS", samples == 1 ? "MONOCHROME2" : "RGB")
            .Short(Tags.Rows, height).Short(Tags.Columns, width)
            .Short(Tags.BitsAllocated, bits > 8 ? 16 : bits > 1 ? 8 : 1).Short(Tags.BitsStored, bits).Short(Tags.HighBit, bits - 1)
            .Short(Tags.PixelRepresentation, 0)
            .Bytes(Tags.PixelData, bits > 8 ? "OW" : "OB", bytes);
    }

    /// <summary>An axial slice of a stack, with the geometry that a viewer needs for a volume; OHIF shows it from the head down.</summary>
    protected static void DescribeSlice(Attributes attributes, Instance instance, int size, double pixel, double spacing)
    {
        var position = Position(instance, size, pixel, spacing);
        attributes
            .Text(Tags.FrameOfReferenceUid, "UI", FrameOfReference(instance.Series))
            .Text(Tags.PositionReferenceIndicator, "LO", "")
            .Decimal(Tags.ImagePositionPatient, "DS", position)
            .Decimal(Tags.ImageOrientationPatient, "DS", 1, 0, 0, 0, 1, 0)
            .Decimal(Tags.SliceLocation, "DS", position[2])
            .Decimal(Tags.PixelSpacing, "DS", pixel, pixel)
            .Decimal(Tags.SliceThickness, "DS", spacing);
    }

    /// <summary>The frame of reference, which all series of a study share.</summary>
    public static string FrameOfReference(Series series) => Uids.Create("frame-of-reference", series.Study.Key);

    /// <summary>A reference to an instance by its UIDs (PS3.3 10.8).</summary>
    protected static Attributes Reference(Instance instance) => new Attributes()
        .Text(Tags.ReferencedSopClassUid, "UI", instance.Series.Content.SopClassUid)
        .Text(Tags.ReferencedSopInstanceUid, "UI", instance.Uid);

    protected static double[] Position(Instance slice, int size, double pixel, double spacing) =>
        [-size * pixel / 2, -size * pixel / 2, -spacing * (slice.Number - 1)];

    /// <summary>A private element long enough for a PACS to serve it as bulk data.</summary>
    public static byte[] PrivateBlob(Instance instance)
    {
        var blob = new byte[2048];
        for (var i = 0; i < blob.Length; i++)
            blob[i] = (byte)((i * 7) + instance.Number);
        return blob;
    }

    protected static void DescribePrivateBlob(Attributes attributes, Instance instance) => attributes
        .Text(Tags.PrivateCreator, "LO", "PHANTOM WORKS")
        .Text(Tags.PrivateNote, "LO", "a private note that must be preserved")
        .Bytes(Tags.PrivateBlob, "OB", PrivateBlob(instance));
}
