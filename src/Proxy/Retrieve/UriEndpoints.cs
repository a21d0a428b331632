using Proxy.Dicom;
using Proxy.Operations;

namespace Proxy.Retrieve;

/// <summary>
/// WADO-URI: <c>?requestType=WADO&amp;studyUID=…&amp;seriesUID=…&amp;objectUID=…</c> returns one instance as a DICOM file (PS3.18 §9.4).
/// </summary>
internal static class UriEndpoints
{
    private static readonly string[] UidNames = ["studyUID", "seriesUID", "objectUID"];

    public static RouteHandlerBuilder MapUri(this IEndpointRouteBuilder root) => root.MapRead("", AnswerAsync);

    private static async Task<IResult> AnswerAsync(HttpContext context, BodyReader reader, TimeProvider time)
    {
        var query = context.Request.Query;
        if (query["requestType"] != "WADO") return Problems.BadParameter("requestType", "WADO (PS3.18 §9.1.2.1)");
        var uids = new Uid[UidNames.Length];
        for (var i = 0; i < uids.Length; i++)
        {
            if (!Uid.TryParse(query[UidNames[i]], out uids[i]))
                return Problems.BadParameter(UidNames[i], "needed: a UID (PS3.18 §9.1.2.1)");
        }
        if (DisclosureParameters.RefuseRendering(context.Request) is { } refusal) return refusal;
        var transferSyntax = query["transferSyntax"] is [{ Length: > 0 } text] ? text : null;
        if (transferSyntax is not (BodyFormat.Any or null) && !Uid.TryParse(transferSyntax, out _))
            return Problems.BadParameter("transferSyntax", "a UID or * (PS3.18 §9.1.2.2.4)");

        var negotiation = Negotiate(context.Request, transferSyntax);
        if (negotiation.Forms.IsEmpty)
            return Problems.NotAcceptable(
                "WADO-URI serves application/dicom, in a transfer syntax other than Implicit VR Little Endian and Explicit VR Big Endian.");
        return await InstanceEndpoints.AnswerInstanceAsync(context, reader, time, new(uids[0], uids[1], uids[2]), negotiation);
    }

    /// <summary>
    /// <c>contentType</c> replaces the Accept header, and <c>transferSyntax</c> the parameter of its media type (PS3.18 §9.1.2).
    /// </summary>
    private static Negotiation Negotiate(HttpRequest request, string? transferSyntax)
    {
        var accept = request.Query["contentType"] is { Count: > 0 } types && types.ToString().Length > 0
            ? Accept.Parse(types.ToString(), null)
            : request.ReadAccept();
        var accepted = accept.Types.Select(t => t.Type).FirstOrDefault(t => t.Type is BodyFormat.Dicom or "application/*" or "*/*");
        if (accepted is null && !accept.IsAbsent) return Negotiation.ForInstances(Accept.Parse("text/plain"));
        var syntax = transferSyntax ?? accepted?.Find("transfer-syntax");
        return Negotiation.ForInstances(Accept.Parse(syntax is null ? BodyFormat.Dicom : $"{BodyFormat.Dicom}; transfer-syntax={syntax}"));
    }
}
