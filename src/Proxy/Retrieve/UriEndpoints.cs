using Proxy.Dicom;
using Proxy.Operations;

namespace Proxy.Retrieve;

/// <summary>
/// WADO-URI: <c>?requestType=WADO&amp;studyUID=…&amp;seriesUID=…&amp;objectUID=…</c> returns one instance as a DICOM file (PS3.18 §9.4).
/// </summary>
/// <remarks>
/// <code>
/// requestType, studyUID, seriesUID, objectUID   needed
/// contentType                                   replaces Accept: a list of media types with weights, without transfer syntaxes
/// transferSyntax                                a UID, or * for the stored one
/// charset                                       accepted; the texts in a file keep their own character set (PS3.3 §C.12.1.1.2)
/// anonymize                                     yes is refused (DisclosureParameters)
/// those of DisclosureParameters.OfRendering     refused: they apply to rendered images (PS3.18 §9.5), such as contentType=image/jpeg
/// </code>
/// Each parameter occurs once at most. Other parameters are ignored, such as <c>frame</c>, which OHIF's image ids contain.
/// </remarks>
internal static class UriEndpoints
{
    private static readonly string[] UidNames = ["studyUID", "seriesUID", "objectUID"];

    private static readonly string[] Once =
        ["requestType", .. UidNames, "contentType", "charset", "anonymize", "transferSyntax", .. DisclosureParameters.OfRendering];

    public static RouteHandlerBuilder MapUri(this IEndpointRouteBuilder root) => root.MapRead("", AnswerAsync);

    private static async Task<IResult> AnswerAsync(HttpContext context, BodyReader reader, TimeProvider time)
    {
        if (!TryRead(context.Request, out var path, out var negotiation, out var problem)) return problem!;
        return await InstanceEndpoints.AnswerInstanceAsync(context, reader, time, path, negotiation);
    }

    private static bool TryRead(HttpRequest request, out InstancePath path, out Negotiation negotiation, out IResult? problem)
    {
        negotiation = Negotiation.Create(BodyFormat.AsStored);
        problem = RefuseIdentity(request, out path);
        return problem is null && TryNegotiate(request, out negotiation, out problem);
    }

    /// <summary>A problem when a parameter is repeated, or the parameters name no instance (PS3.18 §9.1.2.1); null otherwise.</summary>
    /// <param name="request">The client's request.</param>
    /// <param name="path">The instance.</param>
    public static IResult? RefuseIdentity(HttpRequest request, out InstancePath path)
    {
        var query = request.Query;
        path = default;
        if (Array.Find(Once, name => query[name].Count > 1) is { } repeated)
            return Problems.BadParameter(repeated, "at most one value (PS3.18 §9.1.2)");
        if (query["requestType"] != "WADO") return Problems.BadParameter("requestType", "WADO (PS3.18 §9.1.2.1)");
        var uids = new Uid[UidNames.Length];
        for (var i = 0; i < uids.Length; i++)
        {
            if (!Uid.TryParse(query[UidNames[i]], out uids[i]))
                return Problems.BadParameter(UidNames[i], "needed: a UID (PS3.18 §9.1.2.1)");
        }
        path = new(uids[0], uids[1], uids[2]);
        return null;
    }

    /// <summary>
    /// <c>contentType</c> replaces the Accept header, and <c>transferSyntax</c> the parameter of its media type (PS3.18 §9.1.2).
    /// </summary>
    private static bool TryNegotiate(HttpRequest request, out Negotiation negotiation, out IResult? problem)
    {
        negotiation = Negotiation.Create(BodyFormat.AsStored);
        var contentType = request.Query["contentType"].ToString();
        var accept = contentType.Length > 0 ? Accept.Parse(contentType, null) : request.ReadAccept();
        var accepted = accept.Types.Select(t => t.Type).FirstOrDefault(t => t.Type is BodyFormat.Dicom or "application/*" or "*/*");
        var syntax = request.Query["transferSyntax"] is [{ Length: > 0 } text] ? text : null;
        problem = null;
        if (contentType.Length > 0 && accept.IsAbsent)
        {
            problem = Problems.BadParameter("contentType", "a media type, or a list of media types (PS3.18 §9.1.2.2)");
        }
        else if (contentType.Length > 0 && accept.Types.Any(t => t.Type.Find("transfer-syntax") is not null))
        {
            problem = Problems.BadParameter(
                "contentType", "no transfer syntax: the parameter transferSyntax names it (PS3.18 §9.1.2)");
        }
        else if (accepted is null && !accept.IsAbsent)
        {
            problem = Problems.NotAcceptable(
                "WADO-URI serves DICOM files (contentType=application/dicom) and rendered images, such as contentType=image/jpeg.");
        }
        else if (DisclosureParameters.RefuseRendering(request) is { } refusal)
        {
            problem = refusal;
        }
        else if (syntax is not (BodyFormat.Any or null) && !Uid.TryParse(syntax, out _))
        {
            problem = Problems.BadParameter("transferSyntax", "a UID or * (PS3.18 §9.1.2.2.4)");
        }
        if (problem is not null) return false;

        syntax ??= accepted?.Find("transfer-syntax");
        negotiation = Negotiation.ForInstances(
            Accept.Parse(syntax is null ? BodyFormat.Dicom : $"{BodyFormat.Dicom}; transfer-syntax={syntax}"));
        if (!negotiation.Forms.IsEmpty) return true;
        problem = Problems.NotAcceptable(
            "WADO-URI serves application/dicom, in a transfer syntax other than Implicit VR Little Endian and Explicit VR Big Endian.");
        return false;
    }
}
