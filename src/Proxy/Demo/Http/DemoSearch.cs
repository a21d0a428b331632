using System.Globalization;
using Microsoft.Extensions.Primitives;

namespace Proxy.Demo.Http;

/// <summary>QIDO-RS: search for studies, series and instances (PS3.18 10.6).</summary>
/// <remarks>
/// A result contains the attributes of its level and the levels above. An unknown study gives an empty list, not an
/// error. The order is that of the archive and never changes (PS3.18 8.3.4.4.1).
/// </remarks>
internal sealed class DemoSearch(DemoHolding archive, Func<string> root)
{
    // The default attributes of an instance's result (PS3.18 Table 10.6.3-5).
    private static readonly DemoTag[] InstanceFields =
    [
        .. ((string[])
        [
            "SpecificCharacterSet", "SOPClassUID", "SOPInstanceUID", "InstanceNumber", "NumberOfFrames", "Rows", "Columns", "BitsAllocated",
            "AvailableTransferSyntaxUID",
        ]).Select(DemoTag.Get),
    ];

    /// <summary>Searches for studies.</summary>
    public Answer Studies(IQueryCollection query) => Find(query, archive.Studies.Select(StudyRow));

    /// <summary>Searches for series, of one study or of all.</summary>
    public Answer Series(IQueryCollection query, string? study = null) =>
        Find(query, from s in FindStudies(study) from series in s.Series select SeriesRow(s, series));

    /// <summary>Searches for instances, of one series, of one study or of all.</summary>
    public Answer Instances(IQueryCollection query, string? study = null, string? series = null) => Find(
        query,
        from s in FindStudies(study)
        from e in s.Series
        where series is null || e.SeriesInstanceUid == series
        from instance in e.Instances
        select InstanceRow(s, e, instance, query["includefield"]));

    private static Answer Find(IQueryCollection query, IEnumerable<(DemoDataset Dataset, string Url)> rows)
    {
        if (!TryReadCount(query["limit"], int.MaxValue, out var limit) || !TryReadCount(query["offset"], 0, out var offset))
            return Answer.Error(StatusCodes.Status400BadRequest, "limit and offset must be whole numbers.");

        var keys = query.Select(pair => (Tag: DemoTag.Find(pair.Key), Wanted: pair.Value.ToString())).Where(key => key.Tag is not null);
        return Answer.Json(rows
            .Where(row => keys.All(key => Match.Is(key.Tag!, row.Dataset.Find(key.Tag!), key.Wanted)))
            .Skip(offset).Take(limit));
    }

    private static bool TryReadCount(StringValues text, int byDefault, out int count)
    {
        count = byDefault;
        return text.Count == 0 || int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out count);
    }

    private IEnumerable<DemoStudy> FindStudies(string? study) =>
        archive.Studies.Where(s => study is null || s.StudyInstanceUid == study);

    private (DemoDataset Dataset, string Url) StudyRow(DemoStudy study)
    {
        var url = $"{root()}/studies/{study.StudyInstanceUid}";
        var modality = DemoTag.Get("Modality");
        return (DemoDataset.Union(study.Attributes, new DemoDataset
        {
            { "InstanceAvailability", "ONLINE" },
            { "ModalitiesInStudy", [.. study.Series.Select(series => series.Attributes.Find(modality)!.Values[0]).Distinct()] },
            { "NumberOfStudyRelatedSeries", study.Series.Length },
            { "NumberOfStudyRelatedInstances", study.Series.Sum(series => series.Instances.Length) },
            { "RetrieveURL", url },
        }), url);
    }

    private (DemoDataset Dataset, string Url) SeriesRow(DemoStudy study, DemoSeries series)
    {
        var (above, studyUrl) = StudyRow(study);
        var url = $"{studyUrl}/series/{series.SeriesInstanceUid}";
        return (DemoDataset.Union(above, series.Attributes, new DemoDataset
        {
            { "NumberOfSeriesRelatedInstances", series.Instances.Length },
            { "RetrieveURL", url },
        }), url);
    }

    private (DemoDataset Dataset, string Url) InstanceRow(DemoStudy study, DemoSeries series, DemoInstance instance, StringValues include)
    {
        var (above, seriesUrl) = SeriesRow(study, series);
        var url = $"{seriesUrl}/instances/{instance.SopInstanceUid}";
        var names = include.SelectMany(names => names!.Split(',')).ToHashSet();
        var own = instance.Attributes.Where(attribute => InstanceFields.Contains(attribute.Tag)
            || names.Contains("all") || names.Contains(attribute.Tag.Keyword) || names.Contains(attribute.Tag.Name));
        return (DemoDataset.Union(above, own, new DemoDataset { { "RetrieveURL", url } }), url);
    }
}
