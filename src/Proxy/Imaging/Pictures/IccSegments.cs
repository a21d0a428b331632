using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Hashing;

namespace Proxy.Imaging.Pictures;

/// <summary>Inserts an ICC profile into a JPEG or PNG that was encoded here.</summary>
/// <remarks>
/// <code>
/// JPEG  SOI │ APP0 JFIF │ APP2 "ICC_PROFILE" 0 number count part │ …    ICC.1 Annex B.4
/// PNG   signature │ IHDR │ iCCP "ICC" 0 0 zlib(profile) │ …               ISO/IEC 15948 §11.3.3.3
/// </code>
/// </remarks>
internal static class IccSegments
{
    /// <summary>The largest profile that is inserted. Real ones have 0.5 to 60 kB, rarely more.</summary>
    public const int MaxBytes = 1024 * 1024;

    private const int HeaderBytes = 128;
    private const int MaxPartBytes = ushort.MaxValue - 2 - 14;

    private static readonly Lazy<byte[]> SrgbProfile = new(SrgbIcc.Create);

    /// <summary>The profile of sRGB (IEC 61966-2-1).</summary>
    public static ReadOnlySpan<byte> Srgb => SrgbProfile.Value;

    /// <summary>
    /// True when bytes look like an RGB profile: its length, its signature and its colour space are right (PS3.3 §C.11.15.1.1).
    /// </summary>
    public static bool IsRgbProfile(ReadOnlySpan<byte> profile) =>
        profile.Length is > HeaderBytes and <= MaxBytes && BinaryPrimitives.ReadUInt32BigEndian(profile) is var length
        && (length == profile.Length || length + 1 == profile.Length) && profile.Slice(36, 4).SequenceEqual("acsp"u8)
        && profile.Slice(16, 4).SequenceEqual("RGB "u8);

    /// <summary>A JPEG with the profile; without a profile, the same bytes.</summary>
    public static byte[] InsertIntoJpeg(byte[] jpeg, ReadOnlySpan<byte> profile)
    {
        if (profile.IsEmpty) return jpeg;
        var at = jpeg is [_, _, 0xFF, 0xE0, var high, var low, ..] ? 4 + (high << 8 | low) : 2;
        var parts = (profile.Length + MaxPartBytes - 1) / MaxPartBytes;
        var result = new byte[jpeg.Length + profile.Length + parts * 18];
        jpeg.AsSpan(0, at).CopyTo(result);
        var to = result.AsSpan(at);
        for (var part = 1; part <= parts; part++)
        {
            var bytes = profile[..Math.Min(MaxPartBytes, profile.Length)];
            profile = profile[bytes.Length..];
            to[0] = 0xFF;
            to[1] = 0xE2;
            BinaryPrimitives.WriteUInt16BigEndian(to[2..], (ushort)(bytes.Length + 16));
            "ICC_PROFILE\0"u8.CopyTo(to[4..]);
            (to[16], to[17]) = ((byte)part, (byte)parts);
            bytes.CopyTo(to[18..]);
            to = to[(18 + bytes.Length)..];
        }
        jpeg.AsSpan(at).CopyTo(to);
        return result;
    }

    /// <summary>A PNG with the profile; without a profile, the same bytes.</summary>
    public static byte[] InsertIntoPng(byte[] png, ReadOnlySpan<byte> profile)
    {
        const int headerEnd = 8 + 25;
        if (profile.IsEmpty) return png;
        using var content = new MemoryStream();
        content.Write("iCCPICC\0\0"u8);
        using (var zlib = new ZLibStream(content, CompressionLevel.Fastest, leaveOpen: true)) zlib.Write(profile);
        var chunk = content.GetBuffer().AsSpan(0, (int)content.Length);
        var result = new byte[png.Length + chunk.Length + 8];
        png.AsSpan(0, headerEnd).CopyTo(result);
        BinaryPrimitives.WriteInt32BigEndian(result.AsSpan(headerEnd), chunk.Length - 4);
        chunk.CopyTo(result.AsSpan(headerEnd + 4));
        BinaryPrimitives.WriteUInt32BigEndian(result.AsSpan(headerEnd + 4 + chunk.Length), Crc32.HashToUInt32(chunk));
        png.AsSpan(headerEnd).CopyTo(result.AsSpan(headerEnd + 8 + chunk.Length));
        return result;
    }
}
