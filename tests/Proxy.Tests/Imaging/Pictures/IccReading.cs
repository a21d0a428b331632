using System.Buffers.Binary;
using System.IO.Compression;

namespace Proxy.Tests.Imaging.Pictures;

/// <summary>Reads the ICC profile of a JPEG or PNG.</summary>
internal static class IccReading
{
    /// <summary>The profile; null when the file has none.</summary>
    public static byte[]? Find(ReadOnlySpan<byte> file) => file[0] == 0xFF ? FindInJpeg(file) : FindInPng(file);

    private static byte[]? FindInJpeg(ReadOnlySpan<byte> jpeg)
    {
        var profile = new List<byte>();
        for (var at = 2; jpeg[at + 1] != 0xDA; at += 2 + BinaryPrimitives.ReadUInt16BigEndian(jpeg[(at + 2)..]))
        {
            var segment = jpeg.Slice(at + 4, BinaryPrimitives.ReadUInt16BigEndian(jpeg[(at + 2)..]) - 2);
            if (jpeg[at + 1] == 0xE2 && segment.StartsWith("ICC_PROFILE\0"u8)) profile.AddRange(segment[14..]);
        }
        return profile.Count == 0 ? null : [.. profile];
    }

    private static byte[]? FindInPng(ReadOnlySpan<byte> png)
    {
        for (var at = 8; at < png.Length; at += 12 + BinaryPrimitives.ReadInt32BigEndian(png[at..]))
        {
            if (!png.Slice(at + 4, 4).SequenceEqual("iCCP"u8)) continue;
            using var content = new ZLibStream(new MemoryStream(png[(at + 13)..].ToArray()), CompressionMode.Decompress);
            using var profile = new MemoryStream();
            content.CopyTo(profile);
            return profile.ToArray();
        }
        return null;
    }
}
