namespace Proxy.Integration;

/// <summary>A photographic video: one MP4 file with a red picture of 128 × 96, 3 s of 10 frames each (PS3.5 8.2.7).</summary>
public sealed class Video : Content
{
    public override string Modality => "XC";

    public override string SopClassUid => "1.2.840.10008.5.1.4.1.1.77.1.4.1";

    /// <summary>MPEG-4 AVC/H.264 High Profile, level 4.1.</summary>
    public override string TransferSyntax => "1.2.840.10008.1.2.4.102";

    public override int Frames => 30;

    /// <summary>The file, made with <c>ffmpeg -f lavfi -i color=c=red:size=128x96:rate=10:duration=3 -profile:v high</c>.</summary>
    public static byte[] File => System.IO.File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Data", "Files", "red.mp4"));

    public override byte[] Frame(Instance instance, int frame) => throw new NotSupportedException("A video has no separate frames");

    public override void Describe(Attributes attributes, Instance instance) => attributes
        .Text(Tags.ImageType, "CS", "ORIGINAL", "PRIMARY")
        .Decimal(Tags.NumberOfFrames, "IS", Frames)
        .Pointer(Tags.FrameIncrementPointer, Tags.FrameTime).Decimal(Tags.FrameTime, "DS", 100)
        .Text(Tags.LossyImageCompression, "CS", "01")
        .Short(Tags.SamplesPerPixel, 3).Text(Tags.PhotometricInterpretation, "CS", "YBR_PARTIAL_420").Short(Tags.PlanarConfiguration, 0)
        .Short(Tags.Rows, 96).Short(Tags.Columns, 128)
        .Short(Tags.BitsAllocated, 8).Short(Tags.BitsStored, 8).Short(Tags.HighBit, 7).Short(Tags.PixelRepresentation, 0)
        .Encapsulated(Tags.PixelData, File);
}
