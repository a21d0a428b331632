namespace Proxy.Integration;

/// <summary>Asks a DICOMweb root as OHIF does: the same requests for an Orthanc's root and for the proxy's.</summary>
public sealed class DicomwebClient(HttpClient http, string root)
{
    public const string Json = "application/dicom+json";
    public const string Frames = "multipart/related; type=application/octet-stream; transfer-syntax=*";
    public const string Bulk = "multipart/related; type=\"application/octet-stream\"";

    public string Root => root;

    /// <summary>QIDO-RS and metadata: requests with an answer in DICOM JSON.</summary>
    public Task<Answer> GetJsonAsync(string path, CancellationToken cancellationToken) =>
        Answer.GetAsync(http, $"{root}/{path}", Json, cancellationToken);

    public Task<Answer> GetMetadataAsync(Series series, CancellationToken cancellationToken) =>
        GetJsonAsync($"{series.Path}/metadata", cancellationToken);

    /// <param name="list">One frame number, or several with commas.</param>
    public Task<Answer> GetFramesAsync(Instance instance, string list, CancellationToken cancellationToken) =>
        Answer.GetAsync(http, $"{root}/{instance.Path}/frames/{list}", Frames, cancellationToken);

    /// <summary>Follows a <c>BulkDataURI</c> of a dataset unchanged.</summary>
    public Task<Answer> GetBulkAsync(string url, string accept, CancellationToken cancellationToken) =>
        Answer.GetAsync(http, url, accept, cancellationToken);

    /// <summary>Any path, any answer.</summary>
    public Task<Answer> AskAsync(string path, string accept, CancellationToken cancellationToken) =>
        Answer.AskAsync(http, $"{root}/{path}", accept, cancellationToken);

    /// <summary>
    /// Opens a study as OHIF does: the study, its series, their metadata in parallel, then every frame, six at a time like a
    /// browser with six connections. The order is fixed, so that two runs can be compared.
    /// </summary>
    public async Task<IReadOnlyList<Answer>> OpenAsync(Study study, CancellationToken cancellationToken)
    {
        var series = Archives.Find(study).ToArray();
        var answers = new List<Answer>
        {
            await GetJsonAsync(
                $"studies?limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060&StudyInstanceUID={study.Uid}",
                cancellationToken),
            await GetJsonAsync($"studies/{study.Uid}/series?includefield=00080021%2C00080031%2C0008103E%2C00200011", cancellationToken),
        };
        answers.AddRange(await Task.WhenAll(series.Select(s => GetMetadataAsync(s, cancellationToken))));

        var frames =
            from instance in series.SelectMany(s => s.Instances)
            from frame in Enumerable.Range(1, instance.Series.Content.Frames)
            select (instance, frame);
        foreach (var six in frames.Chunk(6))
            answers.AddRange(await Task.WhenAll(six.Select(f => GetFramesAsync(f.instance, $"{f.frame}", cancellationToken))));
        return answers;
    }
}
