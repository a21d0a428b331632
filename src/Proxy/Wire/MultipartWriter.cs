using System.Globalization;
using System.Text;

namespace Proxy.Wire;

/// <summary>Writes a multipart/related body (PS3.18 §8.6.1.2).</summary>
/// <remarks>
/// Viewers look for <c>Content-Type:</c> in exactly this spelling and take the boundary from the first line. The length
/// of the whole is known beforehand when that of each part is, so the answer has a Content-Length.
/// </remarks>
public sealed class MultipartWriter(string boundary)
{
    public string Boundary { get; } = boundary;

    /// <summary>What stands before a part's body.</summary>
    /// <param name="isFirst">No part precedes it.</param>
    /// <param name="contentType">Of the part.</param>
    /// <param name="location">The address of the part alone (PS3.18 §8.6.1.2).</param>
    /// <param name="length">In bytes; null when it is not known yet.</param>
    public byte[] PartHead(bool isFirst, string contentType, string location, long? length) =>
        Encoding.Latin1.GetBytes(string.Create(CultureInfo.InvariantCulture,
        $"{(isFirst ? "" : "\r\n")}--{Boundary}\r\nContent-Type: {contentType}\r\nContent-Location: {location}\r\n{(length is null ? "" : $"Content-Length: {length}\r\n")}\r\n"));

    /// <summary>What stands behind the last part's body.</summary>
    public byte[] End() => Encoding.Latin1.GetBytes($"\r\n--{Boundary}--\r\n");
}
