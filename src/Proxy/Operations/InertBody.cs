namespace Proxy.Operations;

/// <summary>What a PACS made is never active content on the proxy's origin, whatever the PACS calls it.</summary>
/// <remarks>
/// A page or an SVG drawing that somebody stored as an object could read the work list with the rights of whoever opens
/// it. So the type is one that browsers do not run (an allow-list), a browser that opens the address saves the body
/// instead of showing it, and what is shown all the same runs no script and has an origin of its own.
/// </remarks>
internal static class InertBody
{
    private const string OctetStream = "application/octet-stream";

    /// <summary>Single types that bulk data, frames and instances are of (PS3.18 §8.7.3, §8.7.4).</summary>
    private static readonly HashSet<string> Types = new(StringComparer.OrdinalIgnoreCase)
    {
        OctetStream, "application/dicom", "application/pdf", "application/zip", "text/plain",
    };

    /// <summary>Types of answers about objects, which only forwarded requests have.</summary>
    private static readonly HashSet<string> DocumentTypes = new(StringComparer.OrdinalIgnoreCase)
    {
        "application/dicom+json", "application/dicom+xml", "application/json", "application/problem+json", "multipart/related",
    };

    private static readonly string[] Families = ["image/", "video/", "audio/", "model/"];

    /// <summary>The type under which a body leaves: its own, or <c>application/octet-stream</c>.</summary>
    /// <param name="type">Type and subtype, without parameters, as the PACS named it.</param>
    public static string GetContentType(string type) => Types.Contains(type) || IsOfFamily(type) ? type : OctetStream;

    /// <summary>The same for an answer that is passed on whole, which may also be DICOM JSON, DICOM XML or a multipart of them.</summary>
    public static string TypeOfForwarded(string type) => DocumentTypes.Contains(type) ? type : GetContentType(type);

    /// <summary>Says to a browser that the body is to be saved, and run in no case.</summary>
    public static void SetInert(this HttpResponse response)
    {
        response.Headers.ContentSecurityPolicy = "sandbox";
        response.Headers.ContentDisposition = "attachment";
    }

    /// <summary>Images and the like, but for those that are XML: SVG and X3D carry scripts.</summary>
    private static bool IsOfFamily(string type)
    {
        foreach (var family in Families)
        {
            if (type.StartsWith(family, StringComparison.OrdinalIgnoreCase)) return IsPlainToken(type.AsSpan(family.Length));
        }
        return false;
    }

    private static bool IsPlainToken(ReadOnlySpan<char> subtype)
    {
        var isXml = subtype.Contains("xml", StringComparison.OrdinalIgnoreCase)
            || subtype.StartsWith("svg", StringComparison.OrdinalIgnoreCase);
        if (subtype.IsEmpty || isXml) return false;
        foreach (var c in subtype)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('.' or '-' or '+' or '_')) return false;
        }
        return true;
    }
}
