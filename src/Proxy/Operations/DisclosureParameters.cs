namespace Proxy.Operations;

/// <summary>Query parameters that ask for less, or for something else, than the stored object shows. None of them is implemented.</summary>
/// <remarks>Ignoring one would disclose what its client asked to leave out, so the request is refused.</remarks>
internal static class DisclosureParameters
{
    private static readonly string[] Off = ["", "no", "false", "0"];

    /// <summary>
    /// Of WADO-URI, for a rendered picture or a part of one (PS3.18 §9.1.2.2); they have no meaning for a whole DICOM file.
    /// </summary>
    private static readonly string[] OfRendering = ["annotation", "region", "frameNumber", "presentationUID", "presentationSeriesUID"];

    /// <summary>A problem when the request asks for anonymization (PS3.18 §9.1.2.2.1); null otherwise.</summary>
    public static IResult? RefuseAnonymization(HttpRequest request) =>
        request.QueryString.HasValue && request.Query.TryGetValue("anonymize", out var values)
            && values.Any(v => !Off.Contains(v, StringComparer.OrdinalIgnoreCase))
            ? Problems.BadParameter("anonymize", "not implemented; the object would be given with the patient's identity")
            : null;

    /// <summary>A problem when a WADO-URI request asks for a part or a rendering; null otherwise.</summary>
    public static IResult? RefuseRendering(HttpRequest request) =>
        Array.Find(OfRendering, name => request.Query[name] is [{ Length: > 0 }, ..]) is { } found
            ? Problems.BadParameter(found, "not implemented; only whole DICOM files are given here (PS3.18 §9.4)")
            : null;
}
