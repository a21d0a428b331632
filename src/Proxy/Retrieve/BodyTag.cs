using System.Globalization;
using System.IO.Hashing;
using System.Text;
using Proxy.Cache;
using Proxy.Operations;

namespace Proxy.Retrieve;

/// <summary>The entity tag of an answer with bodies: strong for a single body, weak for a multipart answer (RFC 9110 §8.8.1).</summary>
/// <remarks>
/// Pixels never change under their UID, so backend, resource, form and length identify them; a miss has a tag when its length is
/// declared. Bodies of different lengths never share a tag, because one of them is damaged. The tag is weak for multipart because each
/// answer has a boundary of its own: the bytes differ although the parts are the same.
/// </remarks>
internal readonly record struct BodyTag(string Plain)
{
    /// <summary>Creates the tag of an answer.</summary>
    /// <param name="name">Contains everything that the parts depend on.</param>
    /// <param name="isMultipart">True when the answer is multipart.</param>
    public static BodyTag Create(string name, bool isMultipart)
    {
        var hash = XxHash64.HashToUInt64(Encoding.UTF8.GetBytes(name));
        return new(isMultipart ? $"W/\"{hash:x16}\"" : $"\"{hash:x16}\"");
    }

    /// <summary>The tag of an answer with one body; null when its length is not known before its first byte.</summary>
    /// <param name="name">Everything else that the body depends on.</param>
    /// <param name="body">The body.</param>
    /// <param name="isMultipart">Whether the answer is multipart.</param>
    public static BodyTag? Create(string name, IBody body, bool isMultipart) =>
        ((body as ICachedBody)?.Length ?? body.Head.Length) is { } length
            ? Create(string.Create(CultureInfo.InvariantCulture, $"{name} {length}"), isMultipart)
            : null;

    /// <summary>The tag of the same answer with a content coding.</summary>
    public string Coded(Coding coding) => $"{Plain[..^1]}-{Codings.GetName(coding)}\"";
}
