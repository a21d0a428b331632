using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Primitives;
using Proxy.Tests.Wire;

namespace Proxy.Tests.Pacs;

/// <summary>An answer of a fake PACS.</summary>
public sealed record PacsAnswer(int Status, string ContentType, byte[] Body)
{
    public ImmutableArray<(string Name, string Value)> Headers { get; init; } = [];

    public static PacsAnswer Text(int status, string contentType, string body) => new(status, contentType, Encoding.UTF8.GetBytes(body));

    public static PacsAnswer Json(string body) => Text(200, "application/dicom+json", body);

    public static PacsAnswer NotFound => Text(404, "application/json", "{}");
}

/// <summary>The studies of a fake PACS and its answers, which resemble Orthanc's; its own address is in every URL.</summary>
public sealed class Archive(Func<string> root)
{
    private ImmutableList<HeldStudy> _studies = [];

    /// <summary>The order in which the archive lists studies; other archives may differ.</summary>
    public Func<IEnumerable<HeldStudy>, IEnumerable<HeldStudy>> Order { get; set; } = studies => studies;

    /// <summary>The maximum number of rows in an answer, for any limit in the request; null for no maximum.</summary>
    public int? PageCap { get; set; }

    /// <summary>Whether a capped answer reports how many rows remain (PS3.18 §8.3.4.4).</summary>
    public bool ReportsRemaining { get; set; }

    /// <summary>The archive refuses a larger limit with 400; null for no maximum.</summary>
    public int? MaxLimit { get; set; }

    /// <summary>Every answer begins with the first row.</summary>
    public bool IgnoresOffset { get; set; }

    /// <summary>The archive refuses an offset past the last row with 400.</summary>
    public bool RefusesOffsetPastEnd { get; set; }

    /// <summary>The archive refuses a list of values with 400 (PS3.18 §8.3.4.1 allows lists for UIDs only).</summary>
    public bool RefusesModalityLists { get; set; }

    /// <summary>A search for series ignores the studies that it names.</summary>
    public bool IgnoresStudiesInSeriesSearch { get; set; }

    /// <summary>The archive searches series only below a study.</summary>
    public bool RefusesRelationalSeries { get; set; }

    /// <summary>
    /// The archive is a web server with files: it ignores every query, and has no file for searches over several studies or series.
    /// </summary>
    public bool IsStatic { get; set; }

    /// <summary>The archive takes the offset from UTC of a request for a key, which no study has, as Orthanc does.</summary>
    public bool MatchesOffset { get; set; }

    /// <summary>An attribute in all metadata and in no row of a search.</summary>
    public string Laterality { get; set; } = "R";

    /// <summary>A study's row has only the requested attributes, besides its UID.</summary>
    public bool ReturnsOnlyRequestedAttributes { get; set; }

    public void Hold(params IEnumerable<HeldStudy> studies)
    {
        foreach (var study in studies) _studies = _studies.RemoveAll(s => s.Uid == study.Uid).Add(study);
    }

    public void Drop(string study) => _studies = _studies.RemoveAll(s => s.Uid == study);

    /// <param name="path">Below the DICOMweb root.</param>
    /// <param name="query">As the client sent it.</param>
    /// <param name="accept">As the client sent it.</param>
    public PacsAnswer Answer(string path, string query, string accept)
    {
        var parameters = IsStatic ? [] : QueryHelpers.ParseQuery(query);
        if (MatchesOffset && parameters.ContainsKey("TimezoneOffsetFromUTC")) return PacsAnswer.Json("[]");
        if (IsStatic && path.Split('/') is ["series" or "instances"] or ["studies", _, "instances"]) return PacsAnswer.NotFound;
        if (RefusesModalityLists && parameters.TryGetValue("ModalitiesInStudy", out var modalities) && modalities.ToString().Contains(','))
            return PacsAnswer.Text(400, "text/plain", "one value");
        return path.Split('/') switch
        {
            ["studies"] => Rows(
                Order(_studies).Where(s => Matches(s, parameters)).Select(s => SelectRequested(StudyRow(s), parameters)), parameters),
            ["series"] when RefusesRelationalSeries => PacsAnswer.Text(501, "text/plain", "no"),
            ["series"] => Rows(from study in Order(_studies)
                               where IgnoresStudiesInSeriesSearch || Matches(study, parameters)
                               from series in study.Series
                               select SeriesRow(study, series), parameters),
            ["instances"] => Rows(
                from study in Order(_studies) from series in study.Series from row in InstanceRows(study, series) select row, parameters),
            ["studies", var s, "series"] when Find(s) is { } study => Rows(study.Series.Select(e => SeriesRow(study, e)), parameters),
            ["studies", var s, "instances"] when Find(s) is { } study => Rows(
                study.Series.SelectMany(e => InstanceRows(study, e)), parameters),
            ["studies", var s, "series", var e, "instances"] when Find(s, e) is var (study, series) => Rows(
                InstanceRows(study, series), parameters),
            ["studies", var s, "series", var e, "metadata"] when Find(s, e) is var (study, series) => Rows(
                series.InstanceUids.Select((_, i) => Metadata(study, series, i + 1)), parameters),
            ["studies", var s, "series", var e, "instances", var i] when Find(s, e) is var (_, series) && series.InstanceUids.Contains(i) =>
                Multipart($"application/dicom; transfer-syntax={HeldSeries.StoredTransferSyntax}", GetFile(i)),
            ["studies", var s, "series", var e, "instances", var i, "frames", var f] when Find(s, e) is var (_, series)
                && series.InstanceUids.Contains(i) => Frame(series, i, f, accept),
            ["studies", var s, "series", var e, "instances", var i, "bulk", .. var rest] when Find(s, e) is not null => Multipart(
                "application/octet-stream", GetBulkData(i, string.Join('/', rest))),
            _ => PacsAnswer.NotFound,
        };
    }

    public static byte[] GetBulkData(string instance, string path) => Pixels.Create($"{instance}/bulk/{path}", 3000);

    /// <summary>The file of an instance: it has the UID of the instance, and a private value instead of pixels.</summary>
    public static byte[] GetFile(string instance) =>
    [
        .. new Part10File(HeldSeries.StoredTransferSyntax)
            .Set(0x00020003, "UI", Part10File.Even(instance, '\0')).Set(0x00080018, "UI", Part10File.Even(instance, '\0'))
            .Set(0x00090010, "LO", "TESTS").Set(0x00091001, "OB", Pixels.Create($"{instance}/file", 5000)).ToArray(),
    ];

    /// <summary>One part, framed as Orthanc frames it.</summary>
    public static PacsAnswer Multipart(string partType, byte[] part, string boundary = "a-boundary-of-the-pacs")
    {
        var head = $"--{boundary}\r\nContent-Type: {partType}\r\nContent-Length: {part.Length}\r\nMIME-Version: 1.0\r\n\r\n";
        return new(
            200, $"multipart/related; type=\"{partType.Split(';')[0]}\"; boundary={boundary}",
            [.. Encoding.ASCII.GetBytes(head), .. part, .. Encoding.ASCII.GetBytes($"\r\n--{boundary}--\r\n")]);
    }

    private HeldStudy? Find(string study) => _studies.Find(s => s.Uid == study);

    private (HeldStudy Study, HeldSeries Series)? Find(string study, string series) =>
        Find(study) is { } held && held.Series.FirstOrDefault(s => s.Uid == series) is { } found ? (held, found) : null;

    private static bool Matches(HeldStudy study, Dictionary<string, StringValues> query)
    {
        foreach (var (name, values) in query)
        {
            var value = values.ToString();
            if (name is "StudyInstanceUID" or "0020000D" && !value.Split(',', '\\').Contains(study.Uid)) return false;
            if (name is "PatientID" or "00100020" && study.PatientId != value.Trim('*')) return false;
            if (name is "PatientName" or "00100010" && !study.PatientName.Contains(value.Trim('*'), StringComparison.OrdinalIgnoreCase))
                return false;
            if (name is "ModalitiesInStudy" && !study.Series.Any(s => value.Split(',').Contains(s.Modality))) return false;
        }
        return true;
    }

    private PacsAnswer Rows(IEnumerable<JsonObject> rows, Dictionary<string, StringValues> query)
    {
        var all = rows.ToList();
        var (limit, offset) = (Number("limit", int.MaxValue), IgnoresOffset ? 0 : Number("offset", 0));
        if (limit != int.MaxValue && limit > MaxLimit) return PacsAnswer.Text(400, "text/plain", "too many");
        if (RefusesOffsetPastEnd && offset >= all.Count && offset > 0) return PacsAnswer.Text(400, "text/plain", "past the end");
        var page = all.Skip(offset).Take(Math.Min(limit, PageCap ?? int.MaxValue)).ToList();
        var remaining = all.Count - offset - page.Count;
        var answer = PacsAnswer.Json(new JsonArray([.. page]).ToJsonString());
        return ReportsRemaining && remaining > 0
            ? answer with { Headers = [("Warning", $"299 {root()}: There are {remaining} additional results that can be requested")] }
            : answer;

        int Number(string name, int byDefault) => query.TryGetValue(name, out var value)
            ? int.Parse(value.ToString(), CultureInfo.InvariantCulture)
            : byDefault;
    }

    private JsonObject StudyRow(HeldStudy study) => DicomJson.Dataset(
        ("00080020", "DA", study.Date), ("00080030", "TM", study.Time), ("00081030", "LO", study.Description),
        ("00100021", "LO", study.Issuer), ("00080061", "CS", study.Series.Select(s => s.Modality).Distinct().ToArray()),
        ("00081190", "UR", $"{root()}/studies/{study.Uid}"), ("00100010", "PN", study.PatientName), ("00100020", "LO", study.PatientId),
        ("0020000D", "UI", study.Uid),
        ("00201206", "IS", study.Series.Length), ("00201208", "IS", study.Series.Sum(s => s.Instances)));

    private JsonObject SelectRequested(JsonObject row, Dictionary<string, StringValues> query)
    {
        if (!ReturnsOnlyRequestedAttributes) return row;
        var wanted = query["includefield"].ToString().Split(',');
        foreach (var tag in row.Select(a => a.Key).Where(tag => tag != "0020000D" && !wanted.Contains(tag)).ToList()) row.Remove(tag);
        return row;
    }

    private JsonObject SeriesRow(HeldStudy study, HeldSeries series) => DicomJson.Dataset(
        ("00080060", "CS", series.Modality), ("00100010", "PN", study.PatientName), ("00100020", "LO", study.PatientId),
        ("00081190", "UR", $"{root()}/studies/{study.Uid}/series/{series.Uid}"), ("0020000D", "UI", study.Uid),
        ("0020000E", "UI", series.Uid),
        ("00200011", "IS", study.Series.IndexOf(series) + 1), ("00201209", "IS", series.Instances));

    private IEnumerable<JsonObject> InstanceRows(HeldStudy study, HeldSeries series) =>
        series.InstanceUids.Select((uid, i) => DicomJson.Dataset(
            [.. Identity(study, series, i + 1), ("00081190", "UR", $"{GetAddress(study, series)}/instances/{uid}")]));

    private JsonObject Metadata(HeldStudy study, HeldSeries series, int number)
    {
        var metadata = FullMetadata(study, series, number);
        if (series.AvailableTransferSyntax is { } available)
            metadata["00083002"] = new JsonObject { ["vr"] = "UI", ["Value"] = new JsonArray(available) };
        if (!series.HasPixels)
        {
            foreach (var tag in metadata.Select(a => a.Key).Where(tag => tag is ['0', '0', '2', '8', ..] or ['7', 'F', ..]).ToList())
                metadata.Remove(tag);
        }
        if (series.Image is not var (rows, columns, samples, bits)) return metadata;
        foreach (
            var (tag, value) in ((string, int)[])[("00280002", samples), ("00280010", rows), ("00280011", columns), ("00280100", bits)])
            metadata[tag] = new JsonObject { ["vr"] = "US", ["Value"] = new JsonArray(value) };
        return metadata;
    }

    private JsonObject FullMetadata(HeldStudy study, HeldSeries series, int number) => DicomJson.Dataset([
        .. Identity(study, series, number), ("00100010", "PN", study.PatientName), ("00100020", "LO", study.PatientId),
        ("00080060", "CS", series.Modality), ("00200060", "CS", Laterality),
        ("7FE00010", "OW", new Uri($"{GetAddress(study, series)}/instances/{series.Uid}.{number}/bulk/7fe00010"))]);

    private static (string Tag, string Vr, object? Value)[] Identity(HeldStudy study, HeldSeries series, int number) => [
        ("00080016", "UI", "1.2.840.10008.5.1.4.1.1.2"), ("00080018", "UI", $"{series.Uid}.{number}"), ("0020000D", "UI", study.Uid),
        ("0020000E", "UI", series.Uid),
        ("00200013", "IS", number), ("00280008", "IS", series.Frames), ("00280010", "US", 512), ("00280011", "US", 512)];

    private string GetAddress(HeldStudy study, HeldSeries series) => $"{root()}/studies/{study.Uid}/series/{series.Uid}";

    /// <summary>The frame as stored or in the requested transfer syntax; past the last frame 400, like Orthanc.</summary>
    private static PacsAnswer Frame(HeldSeries series, string instance, string frame, string accept)
    {
        if (!int.TryParse(frame, CultureInfo.InvariantCulture, out var number) || number > series.Frames)
            return PacsAnswer.Text(400, "application/json", "{}");
        var requested = accept.Split("transfer-syntax=").ElementAtOrDefault(1)?.Split(',', ';')[0].Trim('"', ' ') ?? "1.2.840.10008.1.2.1";
        var transferSyntax = requested == "*" ? HeldSeries.StoredTransferSyntax : requested;
        var type = accept.Split("type=\"").ElementAtOrDefault(1)?.Split('"')[0] ?? "application/octet-stream";
        return Multipart($"{type}; transfer-syntax={transferSyntax}", series.GetFrame(instance, number, transferSyntax));
    }
}
