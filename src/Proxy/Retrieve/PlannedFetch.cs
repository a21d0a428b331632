using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Retrieve.Checks;

namespace Proxy.Retrieve;

/// <summary>Fetches a frame or an instance from one backend, with the requests of a <see cref="RequestPlan"/>.</summary>
public sealed class PlannedFetch(
    BodyFetch fetch, BackendScheduler scheduler, CachedBodies cached, ObservedForms given, PixelDescriptions pixels,
    DecodedFrames decoded)
{
    /// <summary>The result of a look-up: at once for a cached body; the client of a body that arrives is marked as waiting.</summary>
    /// <param name="found">A cached body, or the reader of a body in flight.</param>
    /// <param name="backend">The backend of the body.</param>
    /// <param name="body">The frame or instance.</param>
    /// <param name="cancellation">Cancelled when the client disconnects.</param>
    public ValueTask<BodyResult> WaitAsync(IBody found, BackendOptions backend, BodyPath body, CancellationToken cancellation) =>
        found is ICachedBody complete
            ? new(BodyResult.Hit(complete, backend.Name))
            : new(WaitAsync(
                new EntryCache.Lookup(null, (InFlightBody.Reader)found, IsCollapsed: true), backend, body, cancellation));

    /// <summary>
    /// Asks one backend: for all forms at once, then form by form while the failure depends on the form. A frame that it cannot give
    /// uncompressed is decoded here.
    /// </summary>
    /// <param name="backend">The backend.</param>
    /// <param name="body">The frame or instance.</param>
    /// <param name="negotiation">The acceptable forms; at least one.</param>
    /// <param name="placement">The tiers to store the body in.</param>
    /// <param name="cancellation">Ends the wait; the fetch continues while another caller waits.</param>
    /// <returns>Without a body and without failures, the backend does not have it.</returns>
    public async Task<BodyResult> AskAsync(
        BackendOptions backend, BodyPath body, Negotiation negotiation, Placement placement, CancellationToken cancellation)
    {
        var path = body.Path.SeriesPath;
        // The metadata names the stored transfer syntax of this instance, other answers that of its series.
        var available = pixels.Find(backend.Name, body.Path)?.AvailableTransferSyntax;
        if ((available ?? given.FindStored(backend.Name, path)) is { } known && DecodedFrames.CanServe(body, negotiation, known)
            && await decoded.FindAsync(backend, body, placement, cancellation) is { } kept)
            return kept;
        var result = await AskFormsAsync(backend, body, negotiation, placement, available, cancellation);
        if (result.Failures is not [var failure, ..] || !failure.IsAboutTheForm || failure.Error == BackendError.BadAnswer
            || !DecodedFrames.CanServe(body, negotiation, available ?? given.FindStored(backend.Name, path)))
            return result;
        var made = await decoded.MakeAsync(backend, body, placement, cancellation);
        // The reason of the decoder says more than the status of a backend that does not decode.
        return made.Body is not null || made.Failures is [{ Error: BackendError.NotInThisForm or BackendError.Busy }] ? made : result;
    }

    private async Task<BodyResult> AskFormsAsync(
        BackendOptions backend, BodyPath body, Negotiation negotiation, Placement placement, string? available,
        CancellationToken cancellation)
    {
        var path = body.Path.SeriesPath;
        var plan = new RequestPlan(
            negotiation, given.Find(backend.Name, path, negotiation), available ?? given.FindStored(backend.Name, path))
        { CanBeStored = available is null || negotiation.AcceptsFrame(available) };
        var result = BodyResult.None([]);
        BodyResult? notGiven = null, broken = null;
        for (BackendFailure? failure = null; plan.Next(failure) is { } asked; failure = result.Failures[0])
        {
            var lookup = cached.Get(
                backend.Name, body, asked, (inFlight, stopped) => fetch.AskAsync(backend, body, asked, inFlight, stopped), placement);
            result = await WaitAsync(lookup, backend, body, cancellation);
            if (result.Body is { } found)
            {
                if (negotiation.Choose(found.Head) is not null)
                {
                    given.Remember(backend.Name, path, negotiation, asked.Only, found.Head);
                    return result;
                }
                if (asked.Only == BodyFormat.AsStored) plan.Known = given.RememberStored(backend.Name, path, found.Head) ?? plan.Known;
                result.Dispose();
                result = BodyResult.None(
                    [new(backend.Name, BackendError.BadStatus, "it does not give an acceptable form", ErrorStatus.NotAcceptable)]);
            }
            if (result.Failures.Count == 0) return result;
            // "Not given in any form" is a stronger statement than "not given in this form".
            if (asked.Only is not null && result.Failures[0].Error == BackendError.NotGiven) notGiven = result;
            if (result.Failures[0].Error == BackendError.BadAnswer) broken ??= result;
        }
        // A backend that ignores Accept sends the same unsound body in answer to every form.
        return notGiven ?? (result.Failures[0].Error == BackendError.NotInThisForm ? broken : null) ?? result;
    }

    /// <summary>Fetches the instance of a frame to its end, so that the frame can be cut out of it.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="path">The instance.</param>
    /// <param name="placement">The tiers to store the instance in.</param>
    /// <param name="cancellation">Ends the wait; the fetch continues while another caller waits.</param>
    /// <returns>The number of bytes received, 0 when it was cached; missing when the backend does not have it.</returns>
    public async Task<BackendAnswer<long>> FetchInstanceAsync(
        BackendOptions backend, InstancePath path, Placement placement, CancellationToken cancellation)
    {
        var (body, asked) = (new BodyPath(path, null), RequestedForms.One(new(BodyFormat.Dicom, BodyFormat.Any)));
        var lookup = cached.Get(
            backend.Name, body, asked, (inFlight, stopped) => fetch.AskAsync(backend, body, asked, inFlight, stopped), placement);
        using var result = await WaitAsync(lookup, backend, body, cancellation);
        if (result.Body is null) return result.Failures.Count > 0 ? new(result.Failures[0]) : new() { IsMissing = true };
        var bytes = 0L;
        if (result.Body is not InFlightBody.Reader reader) return new(bytes);
        try
        {
            for (ReadOnlyMemory<byte> piece; !(piece = await reader.ReadAsync(cancellation)).IsEmpty;) bytes += piece.Length;
        }
        catch (TruncatedBodyException)
        {
            return new(new BackendFailure(backend.Name, BackendError.BadAnswer, "the body was truncated"));
        }
        await reader.Ended.WaitAsync(cancellation);
        return new(bytes);
    }

    private Task<BodyResult> WaitAsync(EntryCache.Lookup lookup, BackendOptions backend, BodyPath body, CancellationToken cancellation) =>
        BodyResult.WaitAsync(lookup, backend.Name, new(body.Path.Study, body.Path.Series), scheduler, cancellation);
}
