using Proxy.Backends.Queries;
using Proxy.Dicom;
using Proxy.Metadata;
using Proxy.Wire;

namespace Proxy.Backends;

/// <summary>Asks a PACS in the protocol that it speaks. Failures are values; a cancellation by the caller is the only exception.</summary>
/// <remarks>
/// An implementation respects the health of the backend, reports client requests to the <see cref="BackendScheduler"/>, records
/// every outcome, and learns what a backend supports.
/// </remarks>
public interface IArchive
{
    /// <summary>Searches one backend.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="query">The search; its page is ignored, rows are read from the first one on.</param>
    /// <param name="maxRows">The maximum number of rows to read; null for <see cref="SearchDepth.MaxRows"/>.</param>
    /// <param name="deadline">Stops the requests; the rows received until then are returned.</param>
    /// <param name="cancellation">Cancelled when no client waits any more.</param>
    public Task<SearchAnswer> SearchAsync(
        BackendOptions backend, SearchQuery query, int? maxRows, CancellationToken deadline, CancellationToken cancellation);

    /// <summary>Searches for all series of several studies in one request.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="studies">The studies; at least one.</param>
    /// <param name="deadline">Stops the request.</param>
    /// <param name="cancellation">Cancelled when no client waits any more.</param>
    /// <returns>The answer; null when the backend must be asked for one study at a time.</returns>
    public Task<SearchAnswer?> SearchSeriesAsync(
        BackendOptions backend, IReadOnlyCollection<Uid> studies, CancellationToken deadline, CancellationToken cancellation);

    /// <summary>Reads the metadata of all instances of a series.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="path">The series.</param>
    /// <param name="validators">The validators of the stored metadata, which the backend may confirm; null to read it anyway.</param>
    /// <param name="cancellation">Cancelled when no client waits any more.</param>
    public Task<BackendAnswer<SeriesMetadata>> ReadSeriesMetadataAsync(
        BackendOptions backend, SeriesPath path, Validators? validators, CancellationToken cancellation);

    /// <summary>Reads a frame or an instance.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="path">The frame or instance.</param>
    /// <param name="asked">The requested forms.</param>
    /// <param name="read">
    /// Reads the body; throws <see cref="MalformedAnswerException"/> when the body does not match the request.
    /// </param>
    /// <param name="cancellation">Cancels the request.</param>
    public Task<BackendAnswer<T>> OpenBodyAsync<T>(
        BackendOptions backend, BodyPath path, RequestedForms asked, Func<ArchiveBody, CancellationToken, Task<T>> read,
        CancellationToken cancellation);

    /// <summary>Reads bulk data.</summary>
    /// <param name="backend">The backend whose metadata names the item.</param>
    /// <param name="item">The item.</param>
    /// <param name="asked">The requested form; null for octets or the archive's choice.</param>
    /// <param name="read">Reads the body, as in <see cref="OpenBodyAsync"/>.</param>
    /// <param name="cancellation">Cancels the request.</param>
    public Task<BackendAnswer<T>> OpenBulkDataAsync<T>(
        BackendOptions backend, BulkDataPath item, BodyFormat? asked, Func<ArchiveBody, CancellationToken, Task<T>> read,
        CancellationToken cancellation);

    /// <summary>Reads a rendering that the archive makes (PS3.18 §10.4.1.1.3).</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="request">What to render, and how.</param>
    /// <param name="read">Reads the body, as in <see cref="OpenBodyAsync"/>.</param>
    /// <param name="cancellation">Cancels the request.</param>
    /// <returns>The answer; missing also when the archive renders nothing.</returns>
    public Task<BackendAnswer<T>> OpenRenderedAsync<T>(
        BackendOptions backend, RenderedRequest request, Func<ArchiveBody, CancellationToken, Task<T>> read,
        CancellationToken cancellation);

    /// <summary>Reads all instances of a series in one answer.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="path">The series.</param>
    /// <param name="asked">The requested forms.</param>
    /// <param name="read">Reads the instances, as in <see cref="OpenBodyAsync"/>.</param>
    /// <param name="cancellation">Cancels the request.</param>
    public Task<BackendAnswer<T>> OpenSeriesAsync<T>(
        BackendOptions backend, SeriesPath path, RequestedForms asked, Func<ArchiveSeries, CancellationToken, Task<T>> read,
        CancellationToken cancellation);

    /// <summary>
    /// Reads all instances of a study in one answer, those of its series in any order. A failure is no evidence against the backend.
    /// </summary>
    /// <param name="backend">The backend.</param>
    /// <param name="study">The study.</param>
    /// <param name="asked">The requested forms.</param>
    /// <param name="read">Reads the instances, as in <see cref="OpenBodyAsync"/>.</param>
    /// <param name="cancellation">Cancels the request.</param>
    public Task<BackendAnswer<T>> OpenStudyAsync<T>(
        BackendOptions backend, Uid study, RequestedForms asked, Func<ArchiveSeries, CancellationToken, Task<T>> read,
        CancellationToken cancellation);

    /// <summary>Stores instances, once: the request is neither retried nor hedged. The backend's own refusal is an answer.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="request">The request.</param>
    /// <param name="cancellation">Cancels the request.</param>
    public Task<StoreOutcome> StoreAsync(BackendOptions backend, StoreRequest request, CancellationToken cancellation);

    /// <summary>Checks the health of a backend, and records the outcome.</summary>
    public Task ProbeAsync(BackendOptions backend, CancellationToken stopping);

    /// <summary>
    /// True when a backend said in the last 30 s that it deleted a resource, or a resource that contains it (PS3.18 §8.5: 410).
    /// </summary>
    /// <param name="backend">The backend's name.</param>
    /// <param name="path">The path of the resource below a DICOMweb root.</param>
    public bool HasDeleted(string backend, string path);

    /// <summary>Discards what was learned about a backend that was removed from the settings or has a new address.</summary>
    public void Forget(string backend);

    /// <summary>
    /// Discards what a change of a study contradicts: objects that the backend denied, and searches whose last page is known.
    /// </summary>
    /// <param name="backend">The backend.</param>
    /// <param name="study">The study; null when it is not known.</param>
    public void ForgetStudy(string backend, Uid? study);

    /// <summary>
    /// Discards which objects of a study, or of all studies when it is null, the backends denied: the operator purged the cache.
    /// </summary>
    public void Purge(Uid? study);
}

/// <summary>The metadata of a series as a backend gives it.</summary>
/// <param name="Instances">The instances; may be empty.</param>
/// <param name="Validators">The validators for a later request; null when the backend gave none.</param>
public sealed record SeriesMetadata(PackedInstances Instances, Validators? Validators);

/// <summary>What an archive is asked to render.</summary>
/// <param name="Path">The frame or instance.</param>
/// <param name="Query">The rendering parameters in the syntax of PS3.18 §8.3.5.1, such as <c>viewport=256,256</c>; empty for none.</param>
/// <param name="MediaType">The media type of the answer.</param>
public sealed record RenderedRequest(BodyPath Path, string Query, string MediaType);
