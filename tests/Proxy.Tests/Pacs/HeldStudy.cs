using System.Collections.Immutable;

namespace Proxy.Tests.Pacs;

/// <summary>A study in a fake PACS, in a short notation for tests.</summary>
public sealed record HeldStudy(string Uid)
{
    public string Date { get; init; } = "20240101";

    public string Time { get; init; } = "120000";

    public string Description { get; init; } = "Chest";

    public string PatientName { get; init; } = "DOE^JANE";

    public string PatientId { get; init; } = "P1";

    public string Issuer { get; init; } = "ISSUER";

    public ImmutableArray<HeldSeries> Series { get; init; } = [];

    /// <summary>The study with this series added or replaced.</summary>
    public HeldStudy With(string series, string modality = "CT", int instances = 1) => With(new HeldSeries(series, modality, instances));

    public HeldStudy With(HeldSeries series) => this with { Series = [.. Series.Where(s => s.Uid != series.Uid), series] };
}

/// <summary>A series; the UID of an instance is the series UID and the instance number.</summary>
public sealed record HeldSeries(string Uid, string Modality, int Instances)
{
    /// <summary>JPEG-LS: "as stored" and the default of a request differ.</summary>
    public const string StoredTransferSyntax = "1.2.840.10008.1.2.4.80";

    public int Frames { get; init; } = 1;

    public int FrameBytes { get; init; } = 2000;

    /// <summary>
    /// Rows, columns, samples per pixel and bits allocated in the metadata; null: the metadata has rows and columns only.
    /// </summary>
    public (int Rows, int Columns, int Samples, int Bits)? Image { get; init; }

    /// <summary>False for a report: its metadata describes no pixels.</summary>
    public bool HasPixels { get; init; } = true;

    /// <summary>Available Transfer Syntax UID (0008,3002) in the metadata; null for none.</summary>
    public string? AvailableTransferSyntax { get; init; }

    public IEnumerable<string> InstanceUids => Enumerable.Range(1, Instances).Select(number => $"{Uid}.{number}");

    /// <summary>The bytes of a frame: different for each transfer syntax, the same at every call.</summary>
    public byte[] GetFrame(string instance, int frame, string transferSyntax = StoredTransferSyntax) =>
        Pixels.In(transferSyntax, $"{instance}/{frame}/{transferSyntax}", FrameBytes);
}
