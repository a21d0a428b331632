using System.IO.Hashing;
using System.Text;
using Proxy.Operations;

namespace Proxy.Retrieve;

/// <summary>The entity tag of an answer with bodies: strong for a single body, weak for a multipart answer (RFC 9110 §8.8.1).</summary>
/// <remarks>
/// Pixels never change under their UID, so backend, resource and form name them; a miss has a tag, too. The boundary of a multipart
/// answer changes with a restart, so its bytes differ although its parts are the same.
/// </remarks>
internal readonly record struct BodyTag(string Plain)
{
    /// <param name="name">Everything that the parts depend on.</param>
    /// <param name="isMultipart">Whether the answer is multipart.</param>
    public static BodyTag Create(string name, bool isMultipart)
    {
        var hash = XxHash64.HashToUInt64(Encoding.UTF8.GetBytes(name));
        return new(isMultipart ? $"W/\"{hash:x16}\"" : $"\"{hash:x16}\"");
    }

    /// <summary>The tag of the same answer with a content coding.</summary>
    public string Coded(Coding coding) => $"{Plain[..^1]}-{Codings.GetName(coding)}\"";
}
