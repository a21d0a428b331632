using Proxy.Backends;
using Proxy.Backends.Queries;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Dimse.Storing;
using Proxy.Metadata;
using Proxy.Wire;
using Proxy.Wire.Part10;

namespace Proxy.Dimse;

/// <summary>Asks a PACS by DIMSE: C-ECHO, C-FIND, C-GET, C-MOVE and C-STORE (PS3.4 §A to §C). It renders nothing.</summary>
/// <remarks>
/// Metadata, frames and bulk data come from whole instances, because DIMSE has nothing smaller: a series is retrieved once, and everything
/// is cut out of its files (<see cref="SeriesRetrievals"/>).
/// </remarks>
internal sealed class DimseArchive(DimseClient client, DimseSearch search, SeriesRetrievals retrievals, InstanceStore store) : IArchive
{
    /// <inheritdoc/>
    public Task<SearchAnswer> SearchAsync(
        BackendOptions backend, SearchQuery query, int? maxRows, CancellationToken deadline, CancellationToken cancellation) =>
        search.AskAsync(backend, query, maxRows, deadline, cancellation);

    /// <inheritdoc/>
    public Task<SearchAnswer?> SearchSeriesAsync(
        BackendOptions backend, IReadOnlyCollection<Uid> studies, CancellationToken deadline, CancellationToken cancellation) =>
        Task.FromResult<SearchAnswer?>(null);

    /// <inheritdoc/>
    public Task<BackendAnswer<SeriesMetadata>> ReadSeriesMetadataAsync(
        BackendOptions backend, SeriesPath path, Validators? validators, CancellationToken cancellation) =>
        retrievals.ReadMetadataAsync(backend, path, cancellation);

    /// <inheritdoc/>
    public async Task<BackendAnswer<T>> OpenBodyAsync<T>(
        BackendOptions backend, BodyPath path, RequestedForms asked, Func<ArchiveBody, CancellationToken, Task<T>> read,
        CancellationToken cancellation)
    {
        if (path.Frame is { } frame) return await OpenFrameAsync(backend, new(path.Path, frame), asked, read, cancellation);
        var isUncompressed = asked.Formats.All(format => format.TransferSyntax == BodyFormat.ExplicitLittleEndian);
        var answer = await retrievals.OpenAsync(
            backend, path.Path.SeriesPath, path.Path.Instance, isUncompressed, ReadAsync, cancellation);
        return answer.IsFound ? answer.Value : answer.Failure is { } failure ? new(failure) : new() { IsMissing = true };

        async Task<BackendAnswer<T>> ReadAsync(ArrivingSeries series, CancellationToken stopped)
        {
            if (await series.FindNextAsync(stopped) is { } instance)
            {
                return asked.AreSatisfiedBy(BodyFormat.Dicom, instance.TransferSyntax)
                    ? new(await read(new ArrivingBody(series, instance.TransferSyntax), stopped))
                    : NotInThisForm<T>(backend);
            }
            return NotInThisForm<T>(backend);
        }
    }

    /// <inheritdoc/>
    public Task<BackendAnswer<T>> OpenBulkDataAsync<T>(
        BackendOptions backend, BulkDataPath item, BodyFormat? asked, Func<ArchiveBody, CancellationToken, Task<T>> read,
        CancellationToken cancellation) => Task.FromResult(new BackendAnswer<T> { IsMissing = true });

    /// <inheritdoc/>
    public Task<BackendAnswer<T>> OpenRenderedAsync<T>(
        BackendOptions backend, RenderedRequest request, Func<ArchiveBody, CancellationToken, Task<T>> read,
        CancellationToken cancellation) => Task.FromResult(new BackendAnswer<T> { IsMissing = true });

    /// <inheritdoc/>
    public Task<BackendAnswer<T>> OpenSeriesAsync<T>(
        BackendOptions backend, SeriesPath path, RequestedForms asked, Func<ArchiveSeries, CancellationToken, Task<T>> read,
        CancellationToken cancellation) =>
        retrievals.OpenAsync(
            backend, path, instance: null, asked.Formats.All(format => format.TransferSyntax == BodyFormat.ExplicitLittleEndian),
            (series, stopped) => read(series, stopped), cancellation);

    /// <inheritdoc/>
    /// <remarks>Each series is retrieved by a C-GET of its own.</remarks>
    public Task<BackendAnswer<T>> OpenStudyAsync<T>(
        BackendOptions backend, Uid study, RequestedForms asked, Func<ArchiveSeries, CancellationToken, Task<T>> read,
        CancellationToken cancellation) => Task.FromResult(new BackendAnswer<T> { IsMissing = true });

    /// <inheritdoc/>
    public Task<StoreOutcome> StoreAsync(BackendOptions backend, StoreRequest request, CancellationToken cancellation) =>
        store.StoreAsync(backend, request, cancellation);

    /// <inheritdoc/>
    public Task ProbeAsync(BackendOptions backend, CancellationToken stopping) => client.ProbeAsync(backend, stopping);

    /// <inheritdoc/>
    public bool HasDeleted(string backend, string path) => false;

    /// <inheritdoc/>
    public void Forget(string backend)
    {
        client.Forget(backend);
        retrievals.Forget(backend, study: null);
    }

    /// <inheritdoc/>
    public void ForgetStudy(string backend, Uid? study) => retrievals.Forget(backend, study);

    /// <inheritdoc/>
    public void Purge(Uid? study) => retrievals.Forget(backend: null, study);

    private async Task<BackendAnswer<T>> OpenFrameAsync<T>(
        BackendOptions backend, FramePath path, RequestedForms asked, Func<ArchiveBody, CancellationToken, Task<T>> read,
        CancellationToken cancellation)
    {
        var file = await retrievals.FindFileAsync(backend, path.Instance, cancellation);
        if (!file.IsFound) return file.Failure is { } failure ? new(failure) : new() { IsMissing = true };
        // A cut body owns the file.
        var body = file.Value;
        try
        {
            var frames = await body.InspectAsync(readAt => Part10Reader.FindFrames(body.Length, readAt, out _), cancellation);
            if (frames is null)
                return new(new BackendFailure(backend.Name, BackendError.NotGiven, "no frame can be cut out of the instance"));
            if (frames.FindFrame(path.Frame) is not { } frame) return new() { IsMissing = true };
            // Implicit VR concerns only the encoding of a dataset, so it is no form of a frame (PS3.18 §8.7.3.3).
            var syntax = frames.TransferSyntaxUid.ToString() is var stored && stored == TransferSyntax.ImplicitLittleEndian
                ? BodyFormat.ExplicitLittleEndian
                : stored;
            if (!asked.AreSatisfiedBy(frames.MediaType, syntax)) return NotInThisForm<T>(backend);
            body = body.Cut(
                new(frames.MediaType, syntax, frame.Length), [.. frame.Ranges.ToArray().Select(range => (range.Offset, range.Length))]);
            return new(await read(new CutFrame(body), cancellation));
        }
        catch (MalformedAnswerException e)
        {
            return new(new BackendFailure(
                backend.Name, e.IsOtherRepresentation ? BackendError.NotInThisForm : BackendError.BadAnswer, e.Message));
        }
        finally
        {
            body.Dispose();
        }
    }

    private static BackendAnswer<T> NotInThisForm<T>(BackendOptions backend) =>
        new(new BackendFailure(backend.Name, BackendError.NotInThisForm, "it does not send the instance in this form"));

    /// <summary>A frame that was cut out of a file.</summary>
    private sealed class CutFrame(ICachedBody body) : ArchiveBody(body.Head.MediaType, body.Head.TransferSyntax, body.Head.Length)
    {
        private ReadOnlyMemory<byte> _piece;

        public override bool IsTruncationDetectable => true;

        public override async ValueTask<int> ReadAsync(Memory<byte> destination, CancellationToken cancellation)
        {
            if (_piece.IsEmpty) _piece = await body.ReadAsync(cancellation);
            var count = Math.Min(_piece.Length, destination.Length);
            _piece[..count].CopyTo(destination);
            _piece = _piece[count..];
            return count;
        }

        public override ValueTask CheckEndAsync(CancellationToken cancellation) => default;
    }
}
