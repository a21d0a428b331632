using System.Collections.Concurrent;
using System.Net;
using Proxy.Backends.Queries;
using Proxy.Dicom;
using Proxy.Metadata;
using Proxy.Wire;
using Yarp.ReverseProxy;

namespace Proxy.Backends.DicomWeb;

/// <summary>Asks a PACS by DICOMweb: WADO-RS, STOW-RS and QIDO-RS (PS3.18 §10.4 to §10.6).</summary>
public sealed class DicomWebArchive(BackendClient client, BackendSearch search, IProxyStateLookup yarp, TimeProvider time) : IArchive
{
    /// <summary>The media type of bulk data that an archive sends without a Content-Type.</summary>
    private static readonly MediaType BulkDataType = new(MediaType.OctetStream, []);

    /// <summary>
    /// Lets clients store in half of a backend's concurrent requests: a body comes as slowly as its client sends it, and the other half
    /// stays for searches and retrievals.
    /// </summary>
    private readonly ConcurrentDictionary<(string Backend, int Limit), SemaphoreSlim> _storing = new();

    /// <summary>
    /// The backends that let a body wait for 100 Continue in vain. A long connecting looks the same; then a refusal costs a part of a body.
    /// </summary>
    private readonly ConcurrentDictionary<string, bool> _withoutContinue = new();

    /// <inheritdoc/>
    public Task<SearchAnswer> SearchAsync(
        BackendOptions backend, SearchQuery query, int? maxRows, CancellationToken deadline, CancellationToken cancellation) =>
        search.AskAsync(backend, query, maxRows, deadline, cancellation);

    /// <inheritdoc/>
    public Task<SearchAnswer?> SearchSeriesAsync(
        BackendOptions backend, IReadOnlyCollection<Uid> studies, CancellationToken deadline, CancellationToken cancellation) =>
        search.AskForSeriesAsync(backend, studies, deadline, cancellation);

    /// <inheritdoc/>
    public Task<BackendAnswer<SeriesMetadata>> ReadSeriesMetadataAsync(
        BackendOptions backend, SeriesPath path, Validators? validators, CancellationToken cancellation)
    {
        var request = new BackendRequest($"{path}/metadata", MediaType.DicomJson)
        {
            Target = new(path.Study),
            Validators = validators,
        };
        return client.AskAsync(backend, request, (response, stopped) => ReadMetadataAsync(response, path, stopped), cancellation);
    }

    /// <inheritdoc/>
    public Task<BackendAnswer<T>> OpenBodyAsync<T>(
        BackendOptions backend, BodyPath path, RequestedForms asked, Func<ArchiveBody, CancellationToken, Task<T>> read,
        CancellationToken cancellation)
    {
        var request = new BackendRequest(path.RelativePath, AcceptHeader.Write(asked))
        {
            Target = new(path.Path.Study, path.Path.Series),
            // Archives answer 400 to a frame number past the last frame; the request itself is well formed.
            IsMissing = status => status is HttpStatusCode.NotFound or HttpStatusCode.Gone
                || status == HttpStatusCode.BadRequest && asked.Only == BodyFormat.AsStored,
        };
        return client.AskAsync(
            backend, request, (response, stopped) => ReadBodyAsync(response, byDefault: null, read, stopped), cancellation);
    }

    /// <inheritdoc/>
    public async Task<BackendAnswer<T>> OpenBulkDataAsync<T>(
        BackendOptions backend, BulkDataPath item, BodyFormat? asked, Func<ArchiveBody, CancellationToken, Task<T>> read,
        CancellationToken cancellation)
    {
        var answer = await AskAsync(item.Path);
        // OHIF and other viewers resolve some relative URIs against the study; archives write them relative to either.
        return answer.IsMissing && item.StudyPath is { } other ? await AskAsync(other) : answer;

        Task<BackendAnswer<T>> AskAsync(string path) => client.AskAsync(
            backend,
            new(path, AcceptHeader.WriteBulkData(asked)) { Scope = FailureScope.Study, Target = FetchTarget.ForBulkData(item) },
            (response, stopped) => ReadBodyAsync(response, BulkDataType, read, stopped), cancellation);
    }

    /// <inheritdoc/>
    public Task<BackendAnswer<T>> OpenRenderedAsync<T>(
        BackendOptions backend, RenderedRequest request, Func<ArchiveBody, CancellationToken, Task<T>> read,
        CancellationToken cancellation)
    {
        var query = request.Query.Length == 0 ? "" : "?" + request.Query;
        return client.AskAsync(
            backend,
            new($"{request.Path.RelativePath}/rendered{query}", request.MediaType)
            {
                Target = new(request.Path.Path.Study, request.Path.Path.Series),
            },
            (response, stopped) => ReadBodyAsync(response, byDefault: null, read, stopped), cancellation);
    }

    /// <inheritdoc/>
    public Task<BackendAnswer<T>> OpenSeriesAsync<T>(
        BackendOptions backend, SeriesPath path, RequestedForms asked, Func<ArchiveSeries, CancellationToken, Task<T>> read,
        CancellationToken cancellation) =>
        OpenInstancesAsync(
            backend, new(path.ToString(), AcceptHeader.Write(asked)) { Target = new(path.Study, path.Series) }, read, cancellation);

    /// <inheritdoc/>
    public Task<BackendAnswer<T>> OpenStudyAsync<T>(
        BackendOptions backend, Uid study, RequestedForms asked, Func<ArchiveSeries, CancellationToken, Task<T>> read,
        CancellationToken cancellation) =>
        OpenInstancesAsync(
            backend,
            new(new StudyPath(study).ToString(), AcceptHeader.Write(asked))
            {
                Target = new(study),
                // It may be sent before the backend has listed the study, and its series can be requested instead.
                Scope = FailureScope.Prefetch,
                IsMissing = static status => status is HttpStatusCode.NotFound or HttpStatusCode.Gone or HttpStatusCode.BadRequest
                    or HttpStatusCode.MethodNotAllowed or HttpStatusCode.NotAcceptable or HttpStatusCode.NotImplemented,
            },
            read, cancellation);

    /// <inheritdoc/>
    public async Task<StoreOutcome> StoreAsync(BackendOptions backend, StoreRequest request, CancellationToken cancellation)
    {
        var storing = _storing.GetOrAdd((backend.Name, Math.Max(1, backend.MaxConcurrentRequests / 2)), static key => new(key.Limit));
        if (!await storing.WaitAsync(backend.Timeout, cancellation))
            return new(null, new(backend.Name, BackendError.Busy, "too many clients store instances"), null, IsUnknown: false);
        using var body = new StoreContent(request, backend.Timeout, time)
        {
            MayExpectContinue = !_withoutContinue.ContainsKey(backend.Name),
        };
        try
        {
            var path = request.Study is { } study ? new StudyPath(study).ToString() : "studies";
            var answer = await client.AskAsync(
                backend,
                new(path, request.IsXml ? MediaType.DicomXml : MediaType.DicomJson)
                {
                    Body = body,
                    Target = request.Study is { } of ? new(of) : null,
                    Scope = request.Study is null ? FailureScope.Forwarded : FailureScope.Study,
                    IsMissing = static _ => false,
                    IsAnswer = static status => Enum.IsDefined((StoreStatus)(int)status),
                },
                (response, stopped) => StoreResponse.ReadAsync(response, request.Root, GetDestinations(backend), stopped), cancellation);
            if (answer.IsFound) return new(answer.Value, null, null, IsUnknown: false);
            var failure = answer.Failure ?? new(backend.Name, BackendError.BadAnswer, "the answer is empty");
            // A refusal says that nothing was stored; no answer, or an error inside the backend, says nothing.
            var isRefusal = failure.Status is not (ErrorStatus.None or ErrorStatus.ServerError or ErrorStatus.Unavailable);
            return new(null, failure, body.ClientError, body.IsSent && !isRefusal);
        }
        finally
        {
            await body.EndAsync();
            if (body.HasMissedContinue) _withoutContinue[backend.Name] = true;
            storing.Release();
        }
    }

    /// <inheritdoc/>
    public Task ProbeAsync(BackendOptions backend, CancellationToken stopping) => client.ProbeAsync(backend, stopping);

    /// <inheritdoc/>
    public bool HasDeleted(string backend, string path) => client.HasDeleted(backend, path);

    /// <inheritdoc/>
    public void Forget(string backend)
    {
        client.Forget(backend);
        search.Forget(backend);
    }

    /// <inheritdoc/>
    public void ForgetStudy(string backend, Uid? study)
    {
        if (study is null) client.Forget(backend);
        else client.Purge(study);
        search.ForgetLengths(backend);
    }

    /// <inheritdoc/>
    public void Purge(Uid? study) => client.Purge(study);

    private Task<BackendAnswer<T>> OpenInstancesAsync<T>(
        BackendOptions backend, BackendRequest request, Func<ArchiveSeries, CancellationToken, Task<T>> read,
        CancellationToken cancellation)
    {
        return client.AskAsync(backend, request, ReadAsync, cancellation);

        async Task<T> ReadAsync(BackendResponse response, CancellationToken stopped)
        {
            using var multipart = response.OpenMultipart();
            return await read(new ResponseSeries(multipart), stopped);
        }
    }

    private IEnumerable<Uri> GetDestinations(BackendOptions backend) =>
        yarp.TryGetCluster(backend.Name, out var cluster) && cluster.Model.Config.Destinations is { } destinations
            ? destinations.Values.Select(d => new Uri(d.Address))
            : [backend.Address];

    private static async Task<T> ReadBodyAsync<T>(
        BackendResponse response, MediaType? byDefault, Func<ArchiveBody, CancellationToken, Task<T>> read, CancellationToken cancellation)
    {
        using var body = await ResponseBody.OpenAsync(response, byDefault, cancellation);
        return await read(body, cancellation);
    }

    private static async Task<SeriesMetadata> ReadMetadataAsync(
        BackendResponse response, SeriesPath path, CancellationToken cancellation)
    {
        var builder = new PackedInstances.Builder();
        await foreach (var dataset in response.ReadDatasetsAsync(cancellation))
        {
            var (study, series) = (dataset.FindUid(Tag.StudyInstanceUid), dataset.FindUid(Tag.SeriesInstanceUid));
            var instance = dataset.FindUid(Tag.SopInstanceUid);
            if (study is not null && study != path.Study || series is not null && series != path.Series)
                throw new MalformedAnswerException("A dataset belongs to another study or series than requested.");
            var isNamed = study is not null && series is not null && instance is not null;
            if (isNamed) builder.Add(instance!.Value, dataset.Json.Span);
            builder.LeftOut = (builder.LeftOut.Datasets + (isNamed ? 0 : 1), builder.LeftOut.Attributes + dataset.LeftOut);
        }
        if (builder is { Count: 0, LeftOut.Datasets: > 0 }) throw new MalformedAnswerException("No dataset names a valid instance.");
        return new(builder.Build(), response.Validators);
    }
}
