using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Proxy.Wire;

/// <summary>Writes a multipart body (RFC 2046 §5.1, PS3.18 §8.6.1.2).</summary>
/// <remarks>
/// Viewers search for <c>Content-Type:</c> in exactly this spelling and take the boundary from the first line. When the length of
/// each part is known, so is the total length, and the answer has a Content-Length.
/// </remarks>
/// <param name="boundary">The delimiter of the parts; it must not occur in them.</param>
public sealed class MultipartWriter(string boundary)
{
    /// <summary>
    /// A writer for one answer. Its boundary is a random number of 128 bits, which the senders of the parts cannot have known.
    /// </summary>
    public static MultipartWriter CreateRandom() => new($"part-{RandomNumberGenerator.GetHexString(32, lowercase: true)}");

    /// <summary>The delimiter of the parts, for the Content-Type.</summary>
    public string Boundary { get; } = boundary;

    /// <summary>The delimiter and headers in front of a part's body.</summary>
    /// <param name="isFirst">True for the first part.</param>
    /// <param name="contentType">The media type of the part.</param>
    /// <param name="location">The address of the part alone (PS3.18 §8.6.1.2); null when it has none.</param>
    /// <param name="length">The length of the part in bytes; null when it is not known yet.</param>
    public byte[] CreatePartHead(bool isFirst, string contentType, string? location, long? length) =>
        Encoding.Latin1.GetBytes(
            $"{(isFirst ? "" : "\r\n")}--{Boundary}\r\nContent-Type: {contentType}\r\n"
            + (location is null ? "" : $"Content-Location: {location}\r\n")
            + (length is null ? "\r\n" : string.Create(CultureInfo.InvariantCulture, $"Content-Length: {length}\r\n\r\n")));

    /// <summary>The closing delimiter, behind the last part's body.</summary>
    public byte[] End() => Encoding.Latin1.GetBytes($"\r\n--{Boundary}--\r\n");
}
