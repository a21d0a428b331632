using System.Collections.Immutable;
using Proxy.Backends;
using Proxy.Dicom;

namespace Proxy.Retrieve;

/// <summary>The sequence of requests for a body to one backend; it ends when a request succeeds.</summary>
/// <remarks>
/// <code>
/// 1 given     the form that the backend gave for the same negotiation and series
/// 2 together  all forms in one Accept
/// 3 alone     each form, for backends that do not read lists or fail on the first form that they cannot produce
/// 4 stored    the stored form, when a named media type is accepted in any transfer syntax: some backends answer
///             400 to image/jls; transfer-syntax=* although they store it, and the client decides what the answer satisfies
/// </code>
/// A failure that does not depend on the form ends the plan, because another form would fail too.
/// </remarks>
/// <param name="negotiation">The forms that the client accepts.</param>
/// <param name="given">The forms that the backend gave for this negotiation before, newest first.</param>
/// <param name="stored">The transfer syntax that the instance or its series is stored in; null when it is not known.</param>
public sealed class RequestPlan(Negotiation negotiation, ImmutableArray<BodyFormat> given, string? stored)
{
    private readonly List<BodyFormat> _asked = [];
    private Queue<BodyFormat>? _alone;
    private bool _askedTogether;
    private bool _askedStored;

    /// <summary>False when the metadata says that the stored form is none of the accepted ones: step 4 is then left out.</summary>
    public bool CanBeStored { get; init; } = true;

    /// <summary>The next request, or null.</summary>
    /// <param name="failure">The failure of the previous request; null for the first request.</param>
    public RequestedForms? Next(BackendFailure? failure)
    {
        if (failure is not null && !failure.IsAboutTheForm) return null;
        if (_asked.Count == 0 && !_askedTogether && given is [var known, ..]
            && negotiation.Formats.FirstOrDefault(f => f.IsSatisfiedBy(known.MediaType, known.TransferSyntax)) is { } likely)
            return Alone(likely);
        if (!_askedTogether && (negotiation.Together.Length > 1 || !_asked.Contains(negotiation.Together[0])))
        {
            _askedTogether = true;
            if (negotiation.Together.Length == 1) return Alone(negotiation.Together[0]);
            return negotiation.OfferTogether(stored);
        }
        _alone ??= InTurn(failure);
        while (_alone.TryDequeue(out var format))
        {
            if (!_asked.Contains(format)) return Alone(format);
        }
        if (_askedStored || !CanBeStored || !negotiation.AcceptsStoredOfAType) return null;
        _askedStored = true;
        return Alone(BodyFormat.AsStored);
    }

    private RequestedForms Alone(BodyFormat format)
    {
        _asked.Add(format);
        return RequestedForms.One(format);
    }

    private Queue<BodyFormat> InTurn(BackendFailure? failure)
    {
        // A server error on a list means that the backend read the list and could not produce the best form: try that form last.
        var broke = _askedTogether && negotiation.Together.Length > 1
            && failure?.Status is (ErrorStatus.ServerError or ErrorStatus.NotImplemented);
        var ordered = negotiation.Formats.OrderBy(f => negotiation.Forms.First(form => form.Format == f).Rank)
            .ThenBy(f => f.TransferSyntax == stored ? 0 : 1).ToList();
        return new(broke ? [.. ordered.Skip(1), ordered[0]] : ordered);
    }
}
