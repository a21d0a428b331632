using System.Collections.Immutable;
using System.Net;
using Proxy.Backends;
using Proxy.Dicom;

namespace Proxy.Retrieve;

/// <summary>The requests by which a body is asked of one backend, one after the other until one succeeds.</summary>
/// <remarks>
/// <code>
/// 1 given     the form that it gave to the same negotiation for this series
/// 2 together  all forms in one Accept
/// 3 alone     each form, for backends that do not read lists or fail on the first that they cannot make
/// </code>
/// A failure that is not about the form ends the plan: another form would fail, too.
/// </remarks>
/// <param name="negotiation">What the client accepts.</param>
/// <param name="given">What the backend gave to it before, the newest first.</param>
/// <param name="stored">The transfer syntax that the series is stored in; null when it is not known.</param>
public sealed class AskPlan(Negotiation negotiation, ImmutableArray<BodyFormat> given, string? stored)
{
    private readonly List<BodyFormat> _asked = [];
    private Queue<BodyFormat>? _alone;
    private bool _askedTogether;

    /// <summary>The next request; null when there is none.</summary>
    /// <param name="failure">Of the request before; null for the first.</param>
    public AskedForms? Next(BackendFailure? failure)
    {
        if (failure is not null && !IsAboutTheForm(failure)) return null;
        if (_asked.Count == 0 && !_askedTogether && given is [var known, ..]
            && negotiation.Formats.FirstOrDefault(f => f.IsMetBy(known.MediaType, known.TransferSyntax)) is { } likely)
            return Alone(likely);
        if (!_askedTogether && (negotiation.Together.Length > 1 || !_asked.Contains(negotiation.Together[0])))
        {
            _askedTogether = true;
            if (negotiation.Together.Length == 1) return Alone(negotiation.Together[0]);
            return new(negotiation.Together, negotiation.ToAccept(stored));
        }
        _alone ??= InTurn(failure);
        while (_alone.TryDequeue(out var format))
        {
            if (!_asked.Contains(format)) return Alone(format);
        }
        return null;
    }

    /// <summary>Whether another form of the same object may succeed.</summary>
    private static bool IsAboutTheForm(BackendFailure failure) => failure.Error is BackendError.BadAnswer or BackendError.NotInThisForm
        || failure.Status is HttpStatusCode.BadRequest or HttpStatusCode.NotAcceptable or HttpStatusCode.UnsupportedMediaType
            or HttpStatusCode.InternalServerError or HttpStatusCode.NotImplemented;

    private AskedForms Alone(BodyFormat format)
    {
        _asked.Add(format);
        return AskedForms.One(format);
    }

    private Queue<BodyFormat> InTurn(BackendFailure? failure)
    {
        // A backend that breaks on a list has read it and could not make the best form: that one is tried last.
        var broke = _askedTogether && negotiation.Together.Length > 1
            && failure?.Status is (HttpStatusCode.InternalServerError or HttpStatusCode.NotImplemented);
        var ordered = negotiation.Formats.OrderBy(f => negotiation.Forms.First(form => form.Format == f).Rank)
            .ThenBy(f => f.TransferSyntax == stored ? 0 : 1).ToList();
        return new(broke ? [.. ordered.Skip(1), ordered[0]] : ordered);
    }
}
