using Proxy.Dicom;
using Proxy.Operations;

namespace Proxy.Retrieve;

/// <summary>The forms in which a client accepts whole instances (PS3.18 §10.4.4), alone, as parts, or as entries of a ZIP file.</summary>
/// <param name="Negotiation">The forms of each instance; none when the client accepts nothing that the proxy serves.</param>
/// <param name="IsZip">True when the instances are sent as the entries of a ZIP file.</param>
internal sealed record InstanceForms(Negotiation Negotiation, bool IsZip)
{
    /// <summary>
    /// The forms that a request accepts. A ZIP file is sent when the client prefers it; of equal weights the other forms win. The
    /// parameter <c>transfer-syntax</c> of the ZIP type is that of its entries.
    /// </summary>
    /// <param name="request">The request.</param>
    /// <param name="areMany">True for a series or a study, which a single part cannot hold.</param>
    public static InstanceForms Read(HttpRequest request, bool areMany)
    {
        var others = Limit(Negotiation.ForInstances(request));
        var accept = request.ReadAccept();
        if (accept.Refused.Any(r => r.Is(MediaType.Zip)) || !accept.Types.Any(t => IsZipType(t.Type))) return new(others, IsZip: false);
        var rank = accept.Types.First(t => IsZipType(t.Type)).Rank;
        var better = accept.Types.Where(t => t.Rank <= rank && !IsZipType(t.Type)).Select(t => t.Type).ToHashSet();
        if (better.Count > 0 && !Limit(Negotiation.ForInstances(accept.Select(t => better.Contains(t) ? t : null))).Forms.IsEmpty)
            return new(others, IsZip: false);
        return new(
            Negotiation.ForInstances(accept.Select(t => IsZipType(t) ? t with { Type = BodyFormat.Dicom } : null)), IsZip: true);

        Negotiation Limit(Negotiation negotiation) => areMany ? negotiation.MultipartOnly() : negotiation;

        bool IsZipType(MediaType type) => type.Is(MediaType.Zip) || areMany && type.Is("application/*");
    }
}
