using System.Net;
using Proxy.Backends.DicomWeb;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Metadata;
using Proxy.Retrieve.Checks;
using Proxy.Wire;

namespace Proxy.Admin.Testing;

/// <summary>Tests a backend with a sample: the metadata of a small series with pictures, and one frame of it.</summary>
/// <param name="requests">Sends requests to the backend.</param>
/// <param name="cancellation">The end of the test.</param>
internal sealed class SampleTest(TestRequests requests, CancellationToken cancellation)
{
    private const int MaxStudies = 3, MaxSeries = 200, MaxInstances = 2000;

    /// <summary>Modalities without pictures, or with pictures of another kind than those that are read most.</summary>
    private static readonly string[] Unsuited =
        ["SR", "PR", "KO", "AU", "ECG", "HD", "EPS", "DOC", "REG", "FID", "PLAN", "SEG", "RTSTRUCT", "RTPLAN", "RTRECORD", "RTDOSE", "M3D"];

    private static readonly RequestedForms AsStored = RequestedForms.One(BodyFormat.AsStored);

    private readonly List<Finding> _findings = [];

    /// <summary>Tests metadata, validators, frames and the transfer syntax.</summary>
    /// <param name="studies">Rows of studies.</param>
    public async Task<IReadOnlyList<Finding>> TestAsync(IReadOnlyList<Dataset> studies)
    {
        var (found, count) = await FindSeriesAsync(studies);
        if (found is not { } series) return _findings;
        var answer = await requests.AskForJsonAsync($"{series}/metadata");
        if (await answer.FindDatasetsAsync(MaxInstances, cancellation) is not { } datasets)
        {
            Add(
                Finding.Metadata, Outcome.Failed, $"metadata of a series: {answer.Kind}",
                "the PACS must offer WADO-RS metadata (PS3.18 §10.4)");
            return _findings;
        }
        var instances = datasets.Where(d => d.FindUid(Tag.SeriesInstanceUid) is not { } uid || uid == series.Series)
            .Where(d => d.FindUid(Tag.SopInstanceUid) is not null).ToList();
        if (instances.Count == 0 || instances.Count < datasets.Count)
        {
            Add(Finding.Metadata, Outcome.Failed, "the metadata names other series or no instances", "report it to the vendor of the PACS");
            return _findings;
        }
        var size = $"{answer.Body.Length / 1024.0:0} KB in {answer.Took.TotalMilliseconds:0} ms";
        if (answer.IsWhole && count > instances.Count)
        {
            Add(
                Finding.Metadata, Outcome.Warning, $"{instances.Count} of {count} instances of a series, {size}",
                "the series is still arriving, or incomplete");
        }
        else
        {
            Add(Finding.Metadata, Outcome.Ok, $"{instances.Count} instances of a series, {size}");
        }
        await TestValidatorsAsync(series, answer);
        await TestFrameAsync(series, instances);
        return _findings;
    }

    /// <summary>The smallest series with pictures of the first studies, and its number of instances if the backend tells it.</summary>
    private async Task<(SeriesPath? Series, int? Count)> FindSeriesAsync(IReadOnlyList<Dataset> studies)
    {
        foreach (var study in studies.Select(row => row.FindUid(Tag.StudyInstanceUid)).OfType<Uid>().Take(MaxStudies))
        {
            var answer = await requests.AskForJsonAsync($"{new StudyPath(study)}/series");
            if (await answer.FindDatasetsAsync(MaxSeries, cancellation) is not { } rows)
            {
                Add(
                    Finding.Metadata, Outcome.Failed, $"the series of a study: {answer.Kind}",
                    "the PACS must offer searches for series (PS3.18 §10.6)");
                return default;
            }
            var best = rows.Where(row => !Unsuited.Contains(row.FindString(Tag.Modality)))
                .Select(row => (Uid: row.FindUid(Tag.SeriesInstanceUid), Count: row.FindInt(Tag.NumberOfSeriesRelatedInstances)))
                .Where(row => row.Uid is not null && row.Count != 0).OrderBy(row => row.Count ?? int.MaxValue).FirstOrDefault();
            if (best.Uid is { } series) return (new SeriesPath(study, series), best.Count);
        }
        Add(Finding.Metadata, Outcome.Skipped, "the first studies of the list have no series with pictures");
        return default;
    }

    private async Task TestValidatorsAsync(SeriesPath series, TestAnswer metadata)
    {
        if (metadata.Validators is not { } validators)
        {
            Add(Finding.Validators, Outcome.Ok, "none; the proxy finds changes by the list of series");
            return;
        }
        var name = validators.ETag is not null ? "ETag" : "Last-Modified";
        var again = await requests.AskForJsonAsync($"{series}/metadata", validators);
        if (again.Status == HttpStatusCode.NotModified)
        {
            Add(Finding.Validators, Outcome.Ok, $"{name}, confirmed with 304");
            return;
        }
        Add(
            Finding.Validators, Outcome.Warning, $"{name}, but a conditional request gets {again.Summary}",
            "ask its vendor for 304: until then it sends metadata again at every check");
    }

    private async Task TestFrameAsync(SeriesPath series, IReadOnlyList<Dataset> instances)
    {
        var sample = instances.Select(d => (Uid: d.FindUid(Tag.SopInstanceUid)!.Value, Pixels: PixelDescription.Read(d.Json.Span)))
            .FirstOrDefault(instance => instance.Pixels is { HasPixels: true, IsVideo: false });
        if (sample.Pixels is not { } pixels)
        {
            Add(Finding.Frames, Outcome.Skipped, "the series of the test has no pixels");
            return;
        }
        var path = new FramePath(new(series.Study, series.Series, sample.Uid), 1);
        var answer = await requests.AskAsync(new(path.ToString(), AcceptHeader.Write(AsStored)));
        try
        {
            if (answer.Failure is not null || answer.Status != HttpStatusCode.OK) throw new MalformedAnswerException(answer.Kind);
            var (declared, body, isWhole) = await ReadFrameAsync(answer);
            var check = new FrameCheck(AsStored, path.Frame, pixels);
            var head = check.Read(declared, body, isWhole) ?? throw new MalformedAnswerException("The body is too short for a frame.");
            if (isWhole) check.CheckLength(head, body.Length);
            var size = $"{body.Length / 1024.0:0} KB in {answer.Took.TotalMilliseconds:0} ms";
            Add(Finding.Frames, Outcome.Ok, isWhole ? size : $"{size}, the start of a larger one");
            AddTransferSyntax(declared.TransferSyntax, head.TransferSyntax);
        }
        catch (MalformedAnswerException e)
        {
            Add(
                Finding.Frames, Outcome.Failed, $"frame 1 as stored: {e.Message.TrimEnd('.')}",
                "the PACS must offer WADO-RS frames (PS3.18 §10.4)");
        }
    }

    /// <summary>The frame in the answer, from its multipart or alone.</summary>
    private async Task<(EntryHead Head, ReadOnlyMemory<byte> Body, bool IsWhole)> ReadFrameAsync(TestAnswer answer)
    {
        var type = answer.Type ?? throw new MalformedAnswerException("The answer has no Content-Type.");
        if (!type.IsMultipart) return (new(type.Type, FindSyntax(type, null), null), answer.Body, answer.IsWhole);
        using var stream = new MemoryStream(answer.Body.ToArray(), writable: false);
        using var multipart = new MultipartReader(stream, type.Find("boundary"));
        var part = await multipart.ReadPartAsync(cancellation) ?? throw new MalformedAnswerException("The multipart answer has no part.");
        using var body = new MemoryStream();
        var isWhole = true;
        try
        {
            var piece = new byte[64 * 1024];
            for (int count; (count = await multipart.ReadBodyAsync(piece, cancellation)) > 0;) body.Write(piece, 0, count);
        }
        catch (MalformedAnswerException) when (!answer.IsWhole)
        {
            // The test has read only the start.
            isWhole = false;
        }
        var mediaType = part.ContentType?.Type ?? type.Find("type")?.ToLowerInvariant() ?? MediaType.OctetStream;
        return (new(mediaType, FindSyntax(part.ContentType, type), part.Length), body.ToArray(), isWhole);

        static string? FindSyntax(MediaType? part, MediaType? whole) =>
            (part?.Find("transfer-syntax") ?? whole?.Find("transfer-syntax")) is { } name && Uid.TryParse(name, out _) ? name : null;
    }

    private void AddTransferSyntax(string? declared, string? taken)
    {
        var name = taken is { } uid && Uid.TryParse(uid, out var syntax) ? Dicom.TransferSyntax.FindName(syntax) ?? uid : "unknown";
        if (declared is null)
        {
            Add(
                Finding.TransferSyntax, Outcome.Warning, $"not named in the answer; by its first bytes: {name}",
                "report it to the vendor of the PACS");
            return;
        }
        Add(Finding.TransferSyntax, Outcome.Ok, $"stored as {name}");
    }

    private void Add(string name, Outcome outcome, string detail, string? remedy = null) =>
        _findings.Add(new(name, outcome, detail, remedy));
}
