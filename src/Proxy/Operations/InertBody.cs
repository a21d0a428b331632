namespace Proxy.Operations;

/// <summary>Prevents content of a PACS from running as active content on the proxy's origin, under any declared type.</summary>
/// <remarks>
/// An HTML page or SVG stored as a DICOM object could read the work list with the rights of the user who opens it.
/// Three measures prevent that: the content type comes from an allow-list of types that browsers do not run; the browser
/// saves the body instead of displaying it; a body that is displayed anyway runs no script and has an opaque origin.
/// </remarks>
internal static class InertBody
{
    private const string OctetStream = "application/octet-stream";

    /// <summary>Types of bulk data, frames and instances (PS3.18 §8.7.3, §8.7.4).</summary>
    private static readonly HashSet<string> Types = new(StringComparer.OrdinalIgnoreCase)
    {
        OctetStream, "application/dicom", "application/pdf", "application/zip", "text/plain",
    };

    /// <summary>Types of answers about objects; only forwarded answers have these.</summary>
    private static readonly HashSet<string> DocumentTypes = new(StringComparer.OrdinalIgnoreCase)
    {
        "application/dicom+json", "application/dicom+xml", "application/json", "application/problem+json", "multipart/related",
    };

    private static readonly string[] Families = ["image/", "video/", "audio/", "model/"];

    /// <summary>The content type sent to the client: the declared type if allowed, otherwise <c>application/octet-stream</c>.</summary>
    /// <param name="type">Type and subtype, without parameters, as the PACS declares it.</param>
    public static string GetContentType(string type) => Types.Contains(type) || IsOfFamily(type) ? type : OctetStream;

    /// <summary>As <see cref="GetContentType"/> for a forwarded answer, which may also be DICOM JSON, DICOM XML or multipart.</summary>
    public static string GetForwardedContentType(string type) => DocumentTypes.Contains(type) ? type : GetContentType(type);

    /// <summary>Tells the browser to save the body and never to run it.</summary>
    public static void SetInert(this HttpResponse response)
    {
        response.Headers.ContentSecurityPolicy = "sandbox";
        response.Headers.ContentDisposition = "attachment";
    }

    /// <summary>Lets the browser show a verified PDF in its own viewer, which runs outside the proxy's origin.</summary>
    /// <remarks>
    /// Browsers do not start this viewer in a sandbox. The document loads nothing by the policy. An isolated page, such as OHIF's, embeds
    /// only documents that require isolation too.
    /// </remarks>
    public static void SetShown(this HttpResponse response)
    {
        response.Headers.ContentSecurityPolicy = "default-src 'none'";
        response.Headers.ContentDisposition = "inline";
        response.Headers["Cross-Origin-Embedder-Policy"] = "require-corp";
    }

    /// <summary>Images, video, audio and models, except XML formats: SVG and X3D can contain scripts.</summary>
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
