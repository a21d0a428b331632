using System.Collections.Immutable;

namespace Proxy.Demo;

/// <summary>One study as one demo PACS holds it.</summary>
/// <param name="StudyInstanceUid">Study Instance UID.</param>
/// <param name="Attributes">The attributes of the patient and the study.</param>
/// <param name="Series">The series.</param>
public sealed record DemoStudy(string StudyInstanceUid, DemoDataset Attributes, ImmutableArray<DemoSeries> Series)
{
    /// <summary>The series of a UID; null if the study has none.</summary>
    public DemoSeries? Find(string seriesInstanceUid) => Series.FirstOrDefault(s => s.SeriesInstanceUid == seriesInstanceUid);
}

/// <summary>One series.</summary>
/// <param name="SeriesInstanceUid">Series Instance UID.</param>
/// <param name="Attributes">The attributes that all its instances share, without those of the study.</param>
/// <param name="Instances">The instances.</param>
public sealed record DemoSeries(string SeriesInstanceUid, DemoDataset Attributes, ImmutableArray<DemoInstance> Instances)
{
    /// <summary>The instance of a UID; null if the series has none.</summary>
    public DemoInstance? Find(string sopInstanceUid) => Instances.FirstOrDefault(i => i.SopInstanceUid == sopInstanceUid);
}

/// <summary>One instance.</summary>
/// <param name="SopInstanceUid">SOP Instance UID.</param>
/// <param name="Attributes">Its own attributes, without those of series and study.</param>
/// <param name="Pixels">The pixel data, one piece per frame.</param>
public sealed record DemoInstance(string SopInstanceUid, DemoDataset Attributes, DemoBulk Pixels)
{
    /// <summary>The file that a client stored; null for a generated instance.</summary>
    public DemoFile? File { get; init; }
}

/// <summary>Bulk data that is generated on each request and never stored.</summary>
/// <param name="Vr">OB, or OW for 16-bit words.</param>
/// <param name="Pieces">The number of consecutive pieces of equal length; for pixel data, the number of frames.</param>
/// <param name="PieceLength">The length of one piece, in bytes.</param>
/// <param name="Make">Generates a piece by its zero-based index; always the same bytes.</param>
public sealed record DemoBulk(string Vr, int Pieces, int PieceLength, Func<int, byte[]> Make)
{
    /// <summary>The total length, in bytes.</summary>
    public long Length => (long)Pieces * PieceLength;
}
