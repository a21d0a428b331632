using System.Text.Json.Serialization;
using Proxy.Metadata;

namespace Proxy.Admin.Reports;

/// <summary>A study in the metadata store, as OHIF's DicomMetadataStore names it.</summary>
internal sealed record StudyReport(
    [property: JsonPropertyName("StudyInstanceUID")] string StudyInstanceUid, IEnumerable<SeriesListReport> SeriesLists)
{
    public static StudyReport Create(Study study, bool withInstances) => new(
        study.Uid.ToString(),
        study.SeriesLists.Values.Where(list => list.HoldsStudy).Select(list => new SeriesListReport(
            list.Backend, list.MadeInClient,
            list.Series.Values.OrderBy(series => series.Uid).Select(series => SeriesReport.Create(series, withInstances)))));
}

/// <summary>What one backend said about the series of a study.</summary>
internal sealed record SeriesListReport(string Backend, bool MadeInClient, IEnumerable<SeriesReport> Series);

/// <summary>A series; <c>Instances</c> is absent in a list of studies, <c>Backend</c> (the owner) in a list of series.</summary>
internal sealed record SeriesReport(
    [property: JsonPropertyName("SeriesInstanceUID")] string SeriesInstanceUid,
    [property: JsonPropertyName("NumberOfSeriesRelatedInstances")] int NumberOfSeriesRelatedInstances,
    bool MadeInClient)
{
    public required bool HasMetadata { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<InstanceReport>? Instances { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Backend { get; init; }

    public static SeriesReport Create(Series series, bool withInstances) =>
        new(series.Uid.ToString(), series.Count, series.MadeInClient)
        {
            HasMetadata = series.Metadata is not null,
            Instances = withInstances
                ? [
                    .. ((series.Metadata ?? series.InstanceRows)?.Uids ?? []).Union(series.FileMetadata.Keys.Order())
                        .Select(uid => new InstanceReport(uid.ToString())),
                ]
                : null,
        };
}

/// <summary>An instance, by its UID.</summary>
internal sealed record InstanceReport([property: JsonPropertyName("SOPInstanceUID")] string SopInstanceUid);
