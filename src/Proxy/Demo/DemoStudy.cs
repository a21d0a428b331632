using System.Collections.Immutable;

namespace Proxy.Demo;

/// <summary>One study as one demo PACS holds it; its attributes are the patient's and the study's.</summary>
public sealed record DemoStudy(string StudyInstanceUid, DemoDataset Attributes, ImmutableArray<DemoSeries> Series)
{
    public DemoSeries? Find(string seriesInstanceUid) => Series.FirstOrDefault(s => s.SeriesInstanceUid == seriesInstanceUid);
}

/// <summary>One series; its attributes are those that all its instances share below the study.</summary>
public sealed record DemoSeries(string SeriesInstanceUid, DemoDataset Attributes, ImmutableArray<DemoInstance> Instances)
{
    public DemoInstance? Find(string sopInstanceUid) => Instances.FirstOrDefault(i => i.SopInstanceUid == sopInstanceUid);
}

/// <summary>One instance and its pixels, a piece of bulk data for each frame.</summary>
public sealed record DemoInstance(string SopInstanceUid, DemoDataset Attributes, DemoBulk Pixels);

/// <summary>Bulk data that is made when somebody asks for it and is never kept.</summary>
/// <param name="Vr">OB, or OW for words of 16 bits.</param>
/// <param name="Pieces">How many pieces of equal length follow each other; of pixel data, the frames.</param>
/// <param name="PieceLength">Bytes in one piece.</param>
/// <param name="Make">Makes the piece of an index that begins at zero; the same bytes each time.</param>
public sealed record DemoBulk(string Vr, int Pieces, int PieceLength, Func<int, byte[]> Make)
{
    public long Length => (long)Pieces * PieceLength;
}
