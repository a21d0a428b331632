using System.Collections.Concurrent;
using System.Collections.Immutable;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Operations;

namespace Proxy.Retrieve;

/// <summary>One form that a client accepts.</summary>
/// <param name="Format">The form of the body.</param>
/// <param name="Rank">0 for the best; forms of equal rank are equally acceptable.</param>
/// <param name="IsMultipart">True when the body is a part of a multipart answer; false when it is the whole answer.</param>
public sealed record AcceptedForm(BodyFormat Format, int Rank, bool IsMultipart)
{
    /// <summary>
    /// True for a form that is requested only after a better form proves to be forbidden: it is not offered together with the others.
    /// </summary>
    public bool IsLastResort { get; init; }
}

/// <summary>
/// The forms of a frame or an instance that a client accepts, best first. They determine the look-up, the request and the answer.
/// </summary>
/// <remarks>
/// <code>
/// accept= and Accept ──► forms by rank ──► 1 look up    the best rank; a lower rank only when the backend gave it before
///                                          2 ask        all forms in one Accept, then one by one
///                                          3 choose     the form that the body satisfies determines multipart or not
/// </code>
/// A wildcard means Explicit VR Little Endian or, when that is not available, the stored form (PS3.18 §8.7.3.5.2). A wildcard of images
/// means the stored form or, when that is no image, a JPEG that the archive makes.
/// </remarks>
public sealed class Negotiation
{
    /// <summary>The limit of alternatives per client; further alternatives are ignored.</summary>
    public const int MaxAlternatives = 16;

    private const int MaxKnown = 256, MaxKnownLength = 512;

    /// <summary>Parsed headers by their text, because viewers repeat a few headers for every frame.</summary>
    private static readonly ConcurrentDictionary<(string Header, bool AreFrames), Negotiation> Known = new();

    /// <summary>What <c>image/*</c> and <c>video/*</c> mean, the usual one first (PS3.18 Table 8.7.3-5).</summary>
    private static readonly string[] Images = ["image/jpeg", "image/jls", "image/jp2", "image/jpx", "image/jphc", "image/dicom-rle"];

    private static readonly string[] Videos = ["video/mp4", "video/mpeg"];

    private readonly ImmutableArray<MediaType> _refused;

    private Negotiation(ImmutableArray<AcceptedForm> forms, ImmutableArray<MediaType> refused)
    {
        (Forms, _refused) = (forms, refused);
        Formats = [.. forms.Select(f => f.Format).Distinct()];
        Together = [.. forms.Where(f => !f.IsLastResort).Select(f => f.Format).Distinct()];
        var lastResorts = forms.Where(f => f.IsLastResort).Select(f => ", " + RequestedForms.One(f.Format).Name);
        Name = Together.IsEmpty ? "" : OfferTogether(null).Name + string.Concat(lastResorts.Distinct());
    }

    /// <summary>The accepted forms, best first; empty when no supported form is acceptable.</summary>
    public ImmutableArray<AcceptedForm> Forms { get; }

    /// <summary>The distinct formats of <see cref="Forms"/>, best first.</summary>
    public ImmutableArray<BodyFormat> Formats { get; }

    /// <summary>The formats that a backend is offered in one request.</summary>
    public ImmutableArray<BodyFormat> Together { get; }

    /// <summary>
    /// The form that uncompressed frames are transcoded into for this client, which accepts it as gladly; null for none. It is
    /// requested from no backend.
    /// </summary>
    public BodyFormat? Transcoded { get; private set; }

    /// <summary>True when frames of a named media type are accepted in any transfer syntax, but not every stored form is.</summary>
    public bool AcceptsStoredOfAType =>
        Formats.Any(f => f.TransferSyntax == BodyFormat.Any && f.MediaType is not (MediaType.OctetStream or BodyFormat.Dicom))
        && !Formats.Contains(BodyFormat.AsStored);

    /// <summary>Identifies the negotiation: equal for requests that accept the same formats in the same order.</summary>
    public string Name { get; }

    /// <summary>The forms of frames that a request accepts.</summary>
    public static Negotiation ForFrames(HttpRequest request) => Read(request, areFrames: true);

    /// <summary>The forms of whole instances that a request accepts.</summary>
    public static Negotiation ForInstances(HttpRequest request) => Read(request, areFrames: false);

    /// <summary>The forms of frames among the accepted media types.</summary>
    public static Negotiation ForFrames(Accept accept) => Create(accept, areFrames: true);

    /// <summary>The forms of whole instances among the accepted media types.</summary>
    public static Negotiation ForInstances(Accept accept) => Create(accept, areFrames: false);

    /// <summary>A negotiation that accepts only this form.</summary>
    public static Negotiation Create(BodyFormat format) => new([new(format, 0, IsMultipart: true)], []);

    /// <summary>The same negotiation without the forms that cannot hold several bodies.</summary>
    public Negotiation MultipartOnly() =>
        Forms.All(f => f.IsMultipart) ? this : new([.. Forms.Where(f => f.IsMultipart)], _refused);

    /// <summary>The same negotiation for a client that gets transcoded frames, unless it prefers uncompressed ones.</summary>
    /// <param name="form">The form of transcoded frames; null for none.</param>
    public Negotiation WithTranscoded(BodyFormat? form)
    {
        if (form is null || Choose(form.MediaType, form.TransferSyntax) is not { } coded
            || Choose(MediaType.OctetStream, BodyFormat.ExplicitLittleEndian) is { } native && native.Rank < coded.Rank)
            return this;
        var negotiation = (Negotiation)MemberwiseClone();
        negotiation.Transcoded = form;
        return negotiation;
    }

    /// <summary>The best form that a body satisfies; null when the client does not accept the body.</summary>
    public AcceptedForm? Choose(EntryHead head) => Choose(head.MediaType, head.TransferSyntax);

    /// <summary>The best form that a body satisfies; null when the client does not accept the body.</summary>
    /// <param name="mediaType">The media type of the body.</param>
    /// <param name="transferSyntax">The transfer syntax of the body; null when it is not known.</param>
    public AcceptedForm? Choose(string mediaType, string? transferSyntax)
    {
        foreach (var type in _refused)
        {
            if (Refuses(type, mediaType, transferSyntax)) return null;
        }
        foreach (var form in Forms)
        {
            if (form.Format.IsSatisfiedBy(mediaType, transferSyntax)) return form;
        }
        return null;
    }

    /// <summary>
    /// True when the stored form of a frame is as acceptable as any other, and others are too: then it is asked for before an archive
    /// makes another form of it.
    /// </summary>
    /// <param name="transferSyntax">
    /// The transfer syntax of the stored form; null when it is not known: then it may be one of several image types.
    /// </param>
    public bool PrefersStored(string? transferSyntax)
    {
        BodyFormat[] best = [.. Forms.Where(f => f.Rank == Forms[0].Rank).Select(f => f.Format).Distinct()];
        if (best.Length < 2 || best[0].MediaType == BodyFormat.Dicom) return false;
        if (transferSyntax is null) return best.Select(f => f.MediaType).Where(t => t != MediaType.OctetStream).Distinct().Count() > 1;
        return Uid.TryParse(transferSyntax, out var uid) && TransferSyntax.FindFrameType(uid) is { } type
            && Choose(type, transferSyntax)?.Rank == Forms[0].Rank;
    }

    /// <summary>False when no frame in this transfer syntax has an accepted form.</summary>
    public bool AcceptsFrame(string transferSyntax) =>
        !Uid.TryParse(transferSyntax, out var uid) || TransferSyntax.FindFrameType(uid) is not { } type
        || Choose(type, transferSyntax) is not null;

    /// <summary>The request that offers a backend every form.</summary>
    /// <param name="stored">
    /// The transfer syntax that the series is probably stored in, listed first among equals; null when it is not known.
    /// </param>
    public RequestedForms OfferTogether(string? stored)
    {
        var offered = Together.Select(format => (Format: format, Forms.First(f => f.Format == format).Rank)).ToList();
        if (stored is not null) offered = [.. offered.OrderBy(o => o.Rank).ThenBy(o => o.Format.TransferSyntax == stored ? 0 : 1)];
        var ranks = ImmutableArray.CreateBuilder<int>(offered.Count);
        for (var i = 0; i < offered.Count; i++)
            ranks.Add(i == 0 ? 0 : Math.Min(ranks[i - 1] + (offered[i].Rank == offered[i - 1].Rank ? 0 : 1), RequestedForms.MaxRank));
        return new([.. offered.Select(o => o.Format)], ranks.MoveToImmutable());
    }

    private static bool Refuses(MediaType refused, string mediaType, string? transferSyntax) =>
        refused.Is(mediaType)
            && (refused.Find("transfer-syntax") is not { } syntax || syntax is BodyFormat.Any || syntax == transferSyntax);

    private static Negotiation Read(HttpRequest request, bool areFrames)
    {
        var header = request.Headers.Accept.ToString();
        if (header.Length > MaxKnownLength || request.Query.ContainsKey("accept")) return Create(request.ReadAccept(), areFrames);
        if (Known.TryGetValue((header, areFrames), out var known)) return known;
        var parsed = Create(Accept.Parse(header), areFrames);
        if (Known.Count < MaxKnown) Known.TryAdd((header, areFrames), parsed);
        return parsed;
    }

    private static Negotiation Create(Accept accept, bool areFrames)
    {
        var forms = new List<AcceptedForm>();
        var refused = accept.Refused.Select(Inner).ToImmutableArray();
        var takesNoOctets = refused.Any(r => Refuses(r, MediaType.OctetStream, BodyFormat.Any));
        if (accept.IsAbsent)
        {
            Add(new("*/*", []), 0);
        }
        else
        {
            var alternatives = 0;
            foreach (var (type, rank) in accept.Types)
            {
                if (Add(type, rank) && ++alternatives == MaxAlternatives) break;
            }
        }
        forms.RemoveAll(
            f => f.Format.TransferSyntax != BodyFormat.Any
                && refused.Any(r => Refuses(r, f.Format.MediaType, f.Format.TransferSyntax)));
        return new([.. forms.OrderBy(f => f.Rank).DistinctBy(f => (f.Format, f.IsMultipart))], refused);

        // Ranks are doubled, so that each rank of the client can have a fallback behind it.
        bool Add(MediaType type, int rank)
        {
            var isMultipart = type.Is(MediaType.MultipartRelated) || type.Type is "*/*" or "multipart/*";
            var isWildcard = type.Type is "*/*" or "multipart/*" or "application/*" || isMultipart && type.Find("type") is null;
            var inner = isMultipart ? type.Find("type")?.ToLowerInvariant() : type.Type;
            if (areFrames && inner is "image/*" or "video/*") return AddAll(type, rank, isMultipart, inner == "image/*" ? Images : Videos);
            // The general wildcard stands for pixels of other types when octets are refused.
            if (areFrames && takesNoOctets && inner is null or "*/*") return AddAll(type, rank, isMultipart, [.. Images, .. Videos]);
            var named = type.Find("transfer-syntax");
            var read = isWildcard && !areFrames
                ? BodyFormat.FromMediaType(new(BodyFormat.Dicom, type.Parameters))
                : BodyFormat.FromMediaType(type);
            if (read is not { } format || format.MediaType == BodyFormat.Dicom == areFrames) return false;
            forms.Add(new(format, 2 * rank, isMultipart));
            if (named is null && (isWildcard || !areFrames))
                forms.Add(new(format with { TransferSyntax = BodyFormat.Any }, 2 * rank + 1, isMultipart));
            // The stored transfer syntax may be one that is never sent (PS3.18 §8.7.3).
            if (named == BodyFormat.Any && !areFrames)
            {
                var fallback = format with { TransferSyntax = BodyFormat.ExplicitLittleEndian };
                forms.Add(new(fallback, 2 * rank + 1, isMultipart) { IsLastResort = true });
            }
            return true;
        }

        bool AddAll(MediaType type, int rank, bool isMultipart, string[] names)
        {
            var parameters = type.Parameters.RemoveAll(p => p.Key is "type" or "q");
            foreach (var name in names)
            {
                if (BodyFormat.FromMediaType(new(name, parameters)) is not { } format) continue;
                var isNamed = type.Find("transfer-syntax") is not null;
                forms.Add(new(isNamed ? format : format with { TransferSyntax = BodyFormat.Any }, 2 * rank, isMultipart));
                if (name == names[0] && !isNamed) forms.Add(new(format, 2 * rank + 1, isMultipart) { IsLastResort = true });
            }
            return true;
        }
    }

    /// <summary>The type of the parts of a multipart type; of another type the type itself.</summary>
    private static MediaType Inner(MediaType type) =>
        type.Is(MediaType.MultipartRelated) && type.Find("type") is { } inner ? type with { Type = inner.ToLowerInvariant() } : type;
}
