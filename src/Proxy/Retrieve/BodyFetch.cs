using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Retrieve.Checks;
using Proxy.Wire;

namespace Proxy.Retrieve;

/// <summary>
/// Requests one body (a frame, an instance, bulk data) from a backend and reads it into an in-flight body, until it is proved
/// complete and the object that was requested.
/// </summary>
public sealed class BodyFetch(IArchive archive, PixelDescriptions pixels)
{
    /// <summary>Requests a frame or an instance.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="body">The frame or instance.</param>
    /// <param name="asked">The requested forms.</param>
    /// <param name="inFlight">Receives the bytes.</param>
    /// <param name="cancellation">Cancels the request.</param>
    public Task<BackendAnswer<EntryHead>> AskAsync(
        BackendOptions backend, BodyPath body, RequestedForms asked, InFlightBody inFlight, CancellationToken cancellation)
    {
        BodyCheck check = body.Frame is { } frame
            ? new FrameCheck(asked, frame, pixels.Find(backend.Name, body.Path))
            : new InstanceCheck(asked, body.Path);
        return archive.OpenBodyAsync(
            backend, body, asked, (answer, stopped) => InFlightBodyCopy.CopyAsync(answer, check, inFlight, stopped), cancellation);
    }

    /// <summary>Requests bulk data.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="item">The bulk data item.</param>
    /// <param name="asked">The requested form; null for octets or the archive's choice.</param>
    /// <param name="inFlight">Receives the bytes.</param>
    /// <param name="cancellation">Cancels the request.</param>
    public Task<BackendAnswer<EntryHead>> AskBulkDataAsync(
        BackendOptions backend, BulkDataPath item, BodyFormat? asked, InFlightBody inFlight, CancellationToken cancellation) =>
        archive.OpenBulkDataAsync(
            backend, item, asked,
            (answer, stopped) => InFlightBodyCopy.CopyAsync(answer, new BulkDataCheck(asked), inFlight, stopped), cancellation);
}
