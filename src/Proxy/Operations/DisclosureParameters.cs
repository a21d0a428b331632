namespace Proxy.Operations;

/// <summary>Query parameters that ask for a reduced or rendered form of the stored object.</summary>
/// <remarks>
/// Where a parameter has no effect the proxy refuses the request: ignoring it would disclose data that the client asked to omit.
/// </remarks>
internal static class DisclosureParameters
{
    private static readonly string[] Off = ["", "no", "false", "0"];

    /// <summary>WADO-URI parameters for rendered images or parts of them (PS3.18 §9.5), meaningless for whole DICOM files.</summary>
    public static readonly string[] OfRendering =
    [
        "annotation", "imageAnnotation", "rows", "columns", "region", "windowCenter", "windowWidth", "frameNumber", "imageQuality",
        "presentationUID", "presentationSeriesUID",
    ];

    /// <summary>An endpoint filter that refuses requests for anonymized answers.</summary>
    public static ValueTask<object?> FilterAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next) =>
        RefuseAnonymization(context.HttpContext.Request) is { } refusal ? new(refusal) : next(context);

    /// <summary>A problem when the request asks for anonymization (PS3.18 §9.1.2.2.1); null otherwise.</summary>
    private static IResult? RefuseAnonymization(HttpRequest request) =>
        request.FindParameter("anonymize") is { } values && values.Any(v => !Off.Contains(v, StringComparer.OrdinalIgnoreCase))
            ? Problems.BadParameter("anonymize", "not implemented; the answer would contain the patient's identity")
            : null;

    /// <summary>A problem when a WADO-URI request asks for a part or a rendering; null otherwise.</summary>
    public static IResult? RefuseRendering(HttpRequest request) =>
        Array.Find(OfRendering, name => request.Query[name] is [{ Length: > 0 }, ..]) is { } found
            ? Problems.BadParameter(
                found, "it applies to rendered images (PS3.18 §9.5), such as contentType=image/jpeg, and not to a whole DICOM file")
            : null;
}
