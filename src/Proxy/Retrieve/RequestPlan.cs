using System.Collections.Immutable;
using Proxy.Backends;
using Proxy.Dicom;

namespace Proxy.Retrieve;

/// <summary>The sequence of requests for a body to one backend; it ends when a request succeeds.</summary>
/// <remarks>
/// <code>
/// 1 stored    the stored form, when the client prefers no other: nothing is transcoded then
/// 2 given     the form that the backend gave for the same negotiation and series
/// 3 together  all forms in one Accept
/// 4 alone     each form, for backends that do not read lists or fail on the first form that they cannot produce
/// 5 stored    the stored form, when a named media type is accepted in any transfer syntax: some backends answer
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
    private bool _askedGiven;
    private bool _askedTogether;
    private bool _askedStored;

    /// <summary>False if the metadata says that the client does not accept the stored form: steps 1 and 5 are then left out.</summary>
    public bool CanBeStored { get; init; } = true;

    /// <summary>
    /// The transfer syntax of the stored form, once the backend gave it; null before. An image type in any transfer syntax is then asked
    /// for only if it is the type of this one.
    /// </summary>
    public string? Known { get; set; }

    /// <summary>The next request, or null.</summary>
    /// <param name="failure">The failure of the previous request; null for the first request.</param>
    public RequestedForms? Next(BackendFailure? failure)
    {
        if (failure is not null && !failure.IsAboutTheForm) return null;
        if (!_askedStored && !_askedGiven && !_askedTogether && _alone is null && CanBeStored && negotiation.PrefersStored(Known ?? stored))
            return Stored();
        if (!_askedGiven && !_askedTogether && _alone is null && given is [var known, ..]
            && negotiation.Formats.FirstOrDefault(f => f.IsSatisfiedBy(known.MediaType, known.TransferSyntax)) is { } likely)
        {
            _askedGiven = true;
            return Alone(likely);
        }
        if (!_askedTogether && negotiation.Together.Any(IsPossible)
            && (negotiation.Together.Length > 1 || !_asked.Contains(negotiation.Together[0])))
        {
            _askedTogether = true;
            if (negotiation.Together.Length == 1) return Alone(negotiation.Together[0]);
            return negotiation.OfferTogether(stored);
        }
        _alone ??= InTurn(failure);
        while (_alone.TryDequeue(out var format))
        {
            if (!_asked.Contains(format) && IsPossible(format)) return Alone(format);
        }
        return _askedStored || !CanBeStored || !negotiation.AcceptsStoredOfAType ? null : Stored();
    }

    private bool IsPossible(BodyFormat format) =>
        Known is null || format.TransferSyntax != BodyFormat.Any || format.MediaType is MediaType.OctetStream or BodyFormat.Dicom
        || Uid.TryParse(Known, out var syntax) && TransferSyntax.FindFrameType(syntax) is var type
            && (type is null || type == format.MediaType);

    private RequestedForms Stored()
    {
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
