using System.Globalization;
using System.Text.Json;

namespace Proxy.Demo.Http;

/// <summary>WADO-RS: metadata, frames and bulk data, and the files that clients stored (PS3.18 10.4).</summary>
internal sealed class DemoRetrieve(DemoHolding archive, Func<string> root)
{
    /// <summary>The metadata of a study, series or instance.</summary>
    public Answer Metadata(string study, string? series = null, string? instance = null)
    {
        var rows =
            from s in archive.Studies
            where s.StudyInstanceUid == study
            from e in s.Series
            where series is null || e.SeriesInstanceUid == series
            from i in e.Instances
            where instance is null || i.SopInstanceUid == instance
            select Describe(s, e, i);

        return rows.Any() ? Answer.Json(rows) : Unknown();
    }

    /// <summary>The listed frames; 400 if a number is invalid or out of range.</summary>
    public Answer Frames(string study, string series, string instance, string list, string? accept)
    {
        if (FindInstance(study, series, instance) is not { Pixels: var pixels }) return Unknown();

        var parts = new List<BulkPart>();
        foreach (var text in list.Split(','))
        {
            if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var frame) || frame < 1 || frame > pixels.Pieces)
                return Answer.Error(StatusCodes.Status400BadRequest, $"Frames of this instance are 1 to {pixels.Pieces}.");
            parts.Add(new BulkPart($"{Url(study, series, instance)}/frames/{frame}", pixels.PieceLength, () => [pixels.Make(frame - 1)]));
        }
        return BulkAnswer.Create(accept, [.. parts]);
    }

    /// <summary>The bulk data of an attribute.</summary>
    public Answer BulkData(string study, string series, string instance, string tag, string? accept)
    {
        if (FindInstance(study, series, instance)?.File is { } file)
        {
            return file.FindBulkData(tag) is { } value
                ? BulkAnswer.Create(accept, new BulkPart($"{Url(study, series, instance)}/bulkdata/{tag}", value.Length, () => [value]))
                : Unknown();
        }
        if (DemoTag.Find(tag) is not { } name) return Unknown();
        if (FindInstance(study, series, instance)?.Attributes.Find(name)?.Values is not [DemoBulk bulk]) return Unknown();

        var location = $"{Url(study, series, instance)}/bulkdata/{name.Name}";
        return BulkAnswer.Create(accept, new BulkPart(location, bulk.Length, () => Enumerable.Range(0, bulk.Pieces).Select(bulk.Make)));
    }

    /// <summary>A whole instance, if a client stored it: the others have no file.</summary>
    public Answer Instance(string study, string series, string instance) =>
        FindInstance(study, series, instance)?.File is { } file
            ? BulkAnswer.OfFile(new BulkPart(Url(study, series, instance), file.Bytes.Length, () => [file.Bytes]))
            : Unknown();

    private Action<Utf8JsonWriter> Describe(DemoStudy study, DemoSeries series, DemoInstance instance) => json =>
    {
        if (instance.File is { } file)
        {
            json.WriteRawValue(file.Json.Span, skipInputValidation: true);
            return;
        }
        DemoDataset.Union(study.Attributes, series.Attributes, instance.Attributes)
            .Write(json, Url(study.StudyInstanceUid, series.SeriesInstanceUid, instance.SopInstanceUid));
    };

    private static Answer Unknown() => Answer.Error(StatusCodes.Status404NotFound, "This PACS does not hold the resource.");

    private string Url(string study, string series, string instance) => $"{root()}/studies/{study}/series/{series}/instances/{instance}";

    private DemoInstance? FindInstance(string study, string series, string instance) =>
        archive.Studies.FirstOrDefault(s => s.StudyInstanceUid == study)?.Find(series)?.Find(instance);
}
