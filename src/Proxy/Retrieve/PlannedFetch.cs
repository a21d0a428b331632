using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Retrieve.Checks;

namespace Proxy.Retrieve;

/// <summary>Fetches a frame or an instance from one backend, with the requests of a <see cref="RequestPlan"/>.</summary>
public sealed class PlannedFetch(
    BodyFetch fetch, BackendScheduler scheduler, CachedBodies cached, ObservedForms given, PixelDescriptions pixels)
{
    /// <summary>Asks one backend: for all forms at once, then form by form while the failure depends on the form.</summary>
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
        var plan = new RequestPlan(
            negotiation, given.Find(backend.Name, path, negotiation), available ?? given.FindStored(backend.Name, path))
        { CanBeStored = available is null || negotiation.AcceptsFrame(available) };
        var result = BodyResult.None([]);
        BodyResult? notGiven = null, broken = null;
        for (BackendFailure? failure = null; plan.Next(failure) is { } asked; failure = result.Failures[0])
        {
            var lookup = cached.Get(
                backend.Name, body, asked, (inFlight, stopped) => fetch.AskAsync(backend, body, asked, inFlight, stopped), placement);
            result = await BodyResult.WaitAsync(lookup, backend.Name, new(path.Study, path.Series), scheduler, cancellation);
            if (result.Body is { } found)
            {
                if (negotiation.Choose(found.Head) is not null)
                {
                    given.Remember(backend.Name, path, negotiation, asked.Only, found.Head);
                    return result;
                }
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
}
