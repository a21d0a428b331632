using Proxy.Backends.Queries;
using Proxy.Dicom;
using Proxy.Metadata;
using Proxy.Wire;

namespace Proxy.Backends.DicomWeb;

/// <summary>Asks a PACS by DICOMweb: QIDO-RS and WADO-RS (PS3.18 §10.4, §10.6).</summary>
public sealed class DicomWebArchive(BackendClient client, BackendSearch search) : IArchive
{
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
    public Task ProbeAsync(BackendOptions backend, CancellationToken stopping) => client.ProbeAsync(backend, stopping);

    /// <inheritdoc/>
    public void Forget(string backend)
    {
        client.Forget(backend);
        search.Forget(backend);
    }

    /// <inheritdoc/>
    public void Purge(Uid? study) => client.Purge(study);

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
