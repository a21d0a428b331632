using Proxy.Backends.Queries;
using Proxy.Dicom;
using Proxy.Metadata;

namespace Proxy.Backends;

/// <summary>Asks each backend through the archive of its <see cref="BackendKind"/>.</summary>
/// <param name="services">Resolves the archives at their first use, because they use what is registered later.</param>
internal sealed class ArchiveByKind(IServiceProvider services) : IArchive
{
    private readonly Lazy<IArchive> _web = new(() => services.GetRequiredKeyedService<IArchive>(BackendKind.DicomWeb));
    private readonly Lazy<IArchive> _dimse = new(() => services.GetRequiredKeyedService<IArchive>(BackendKind.Dimse));

    private IEnumerable<IArchive> All => [_web.Value, _dimse.Value];

    /// <inheritdoc/>
    public Task<SearchAnswer> SearchAsync(
        BackendOptions backend, SearchQuery query, int? maxRows, CancellationToken deadline, CancellationToken cancellation) =>
        Get(backend).SearchAsync(backend, query, maxRows, deadline, cancellation);

    /// <inheritdoc/>
    public Task<SearchAnswer?> SearchSeriesAsync(
        BackendOptions backend, IReadOnlyCollection<Uid> studies, CancellationToken deadline, CancellationToken cancellation) =>
        Get(backend).SearchSeriesAsync(backend, studies, deadline, cancellation);

    /// <inheritdoc/>
    public Task<BackendAnswer<SeriesMetadata>> ReadSeriesMetadataAsync(
        BackendOptions backend, SeriesPath path, Validators? validators, CancellationToken cancellation) =>
        Get(backend).ReadSeriesMetadataAsync(backend, path, validators, cancellation);

    /// <inheritdoc/>
    public Task<BackendAnswer<T>> OpenBodyAsync<T>(
        BackendOptions backend, BodyPath path, RequestedForms asked, Func<ArchiveBody, CancellationToken, Task<T>> read,
        CancellationToken cancellation) => Get(backend).OpenBodyAsync(backend, path, asked, read, cancellation);

    /// <inheritdoc/>
    public Task<BackendAnswer<T>> OpenBulkDataAsync<T>(
        BackendOptions backend, Wire.BulkDataPath item, BodyFormat? asked, Func<ArchiveBody, CancellationToken, Task<T>> read,
        CancellationToken cancellation) => Get(backend).OpenBulkDataAsync(backend, item, asked, read, cancellation);

    /// <inheritdoc/>
    public Task<BackendAnswer<T>> OpenRenderedAsync<T>(
        BackendOptions backend, RenderedRequest request, Func<ArchiveBody, CancellationToken, Task<T>> read,
        CancellationToken cancellation) => Get(backend).OpenRenderedAsync(backend, request, read, cancellation);

    /// <inheritdoc/>
    public Task<BackendAnswer<T>> OpenSeriesAsync<T>(
        BackendOptions backend, SeriesPath path, RequestedForms asked, Func<ArchiveSeries, CancellationToken, Task<T>> read,
        CancellationToken cancellation) => Get(backend).OpenSeriesAsync(backend, path, asked, read, cancellation);

    /// <inheritdoc/>
    public Task<BackendAnswer<T>> OpenStudyAsync<T>(
        BackendOptions backend, Uid study, RequestedForms asked, Func<ArchiveSeries, CancellationToken, Task<T>> read,
        CancellationToken cancellation) => Get(backend).OpenStudyAsync(backend, study, asked, read, cancellation);

    /// <inheritdoc/>
    public Task<StoreOutcome> StoreAsync(BackendOptions backend, StoreRequest request, CancellationToken cancellation) =>
        Get(backend).StoreAsync(backend, request, cancellation);

    /// <inheritdoc/>
    public Task ProbeAsync(BackendOptions backend, CancellationToken stopping) => Get(backend).ProbeAsync(backend, stopping);

    /// <inheritdoc/>
    public bool HasDeleted(string backend, string path) => _web.Value.HasDeleted(backend, path);

    /// <inheritdoc/>
    public void Forget(string backend)
    {
        foreach (var archive in All) archive.Forget(backend);
    }

    /// <inheritdoc/>
    public void ForgetStudy(string backend, Uid? study)
    {
        foreach (var archive in All) archive.ForgetStudy(backend, study);
    }

    /// <inheritdoc/>
    public void Purge(Uid? study)
    {
        foreach (var archive in All) archive.Purge(study);
    }

    private IArchive Get(BackendOptions backend) => backend.Kind == BackendKind.Dimse ? _dimse.Value : _web.Value;
}
