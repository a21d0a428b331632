using System.Collections.Immutable;

namespace Proxy.Dicom;

/// <summary>The forms that one request to a backend asks for.</summary>
/// <param name="Formats">The forms, best first; at least one.</param>
/// <param name="Ranks">
/// The rank of each form, from 0 to <see cref="MaxRank"/> without gaps: forms of one rank are equally acceptable.
/// </param>
public sealed record RequestedForms(ImmutableArray<BodyFormat> Formats, ImmutableArray<int> Ranks)
{
    /// <summary>The lowest rank that a request distinguishes.</summary>
    public const int MaxRank = 9;

    private static readonly ImmutableArray<int> First = [0];

    /// <summary>The requested form; null when the request lists several.</summary>
    public BodyFormat? Only => Formats.Length == 1 ? Formats[0] : null;

    /// <summary>Identifies the forms: equal for the same forms in the same order.</summary>
    public string Name => string.Join(
        ", ", Formats.Select((format, index) => $"{format.MediaType}; {format.TransferSyntax}; {Ranks[index]}"));

    /// <summary>A request for a single form.</summary>
    public static RequestedForms One(BodyFormat format) => new([format], First);

    /// <summary>True when a body has one of the requested forms.</summary>
    public bool AreSatisfiedBy(string mediaType, string? transferSyntax) =>
        Formats.Any(f => f.TransferSyntax == BodyFormat.Any && f.MediaType == mediaType || f.IsSatisfiedBy(mediaType, transferSyntax));

    /// <summary>The form in the cache key of an answer.</summary>
    /// <param name="mediaType">The media type of the answer.</param>
    /// <param name="transferSyntax">The transfer syntax of the answer; null when it is not known.</param>
    /// <remarks>
    /// A body requested by a named transfer syntax may be transcoded. A body that satisfies only the wildcard is the stored form.
    /// </remarks>
    public BodyFormat GetKey(string mediaType, string? transferSyntax)
    {
        var isStored = Formats.All(f => f.TransferSyntax == BodyFormat.Any || !f.IsSatisfiedBy(mediaType, transferSyntax));
        if (isStored
            && Formats.FirstOrDefault(f => f.TransferSyntax == BodyFormat.Any
                && f.MediaType is (MediaType.OctetStream or BodyFormat.Dicom)) is { } any)
            return any;
        return transferSyntax is { } syntax ? new BodyFormat(mediaType, syntax).Canonical : Formats[0].Canonical;
    }
}
