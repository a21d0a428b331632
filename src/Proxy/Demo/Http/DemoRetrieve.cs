using System.Globalization;

namespace Proxy.Demo.Http;

/// <summary>WADO-RS: metadata, frames and bulk data (PS3.18 10.4).</summary>
internal sealed class DemoRetrieve(DemoArchive archive, Func<string> root)
{
    public Answer Metadata(string study, string? series = null, string? instance = null)
    {
        var rows =
            from one in archive.Studies
            where one.StudyInstanceUid == study
            from held in one.Series
            where series is null || held.SeriesInstanceUid == series
            from kept in held.Instances
            where instance is null || kept.SopInstanceUid == instance
            select (
                DemoDataset.Union(one.Attributes, held.Attributes, kept.Attributes),
                Url(study, held.SeriesInstanceUid, kept.SopInstanceUid));

        return rows.Any() ? Answer.Json(rows) : Unknown();
    }

    /// <summary>The listed frames; a number that is none, or a frame past the end, spoils the whole request.</summary>
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

    public Answer BulkData(string study, string series, string instance, string tag, string? accept)
    {
        if (DemoTag.Find(tag) is not { } name) return Unknown();
        if (FindInstance(study, series, instance)?.Attributes.Find(name)?.Values is not [DemoBulk bulk]) return Unknown();

        var location = $"{Url(study, series, instance)}/bulkdata/{name.Name}";
        return BulkAnswer.Create(accept, new BulkPart(location, bulk.Length, () => Enumerable.Range(0, bulk.Pieces).Select(bulk.Make)));
    }

    private static Answer Unknown() => Answer.Error(StatusCodes.Status404NotFound, "This PACS does not hold it.");

    private string Url(string study, string series, string instance) => $"{root()}/studies/{study}/series/{series}/instances/{instance}";

    private DemoInstance? FindInstance(string study, string series, string instance) =>
        archive.Studies.FirstOrDefault(one => one.StudyInstanceUid == study)?.Find(series)?.Find(instance);
}
