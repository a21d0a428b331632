using System.IO.Hashing;
using System.Text;
using Proxy.Operations;

namespace Proxy.Retrieve;

/// <summary>The entity tag of an answer with bodies: strong for a single body, weak for a multipart answer (RFC 9110 §8.8.1).</summary>
/// <remarks>
/// Pixels never change under their UID, so backend, resource and form identify them, and even a miss has a tag. The tag is weak for
/// multipart because the boundary changes with a restart: the bytes then differ although the parts are the same.
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

    /// <summary>The tag of the same answer with a content coding.</summary>
    public string Coded(Coding coding) => $"{Plain[..^1]}-{Codings.GetName(coding)}\"";
}
