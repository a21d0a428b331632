using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Proxy.Tests.Pacs;

/// <summary>Pseudo-random bytes; the same name gives the same bytes.</summary>
public static class Pixels
{
    public static byte[] Create(string name, int length)
    {
        var seed = BinaryPrimitives.ReadInt32LittleEndian(SHA256.HashData(Encoding.UTF8.GetBytes(name)));
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    /// <summary>The same bytes, with the first bytes that a frame of this transfer syntax must have.</summary>
    public static byte[] In(string transferSyntax, string name, int length)
    {
        var bytes = Create(name, length);
        GetStart(transferSyntax).CopyTo(bytes, 0);
        return bytes;
    }

    /// <summary>JPEG and JPEG-LS: SOI and a marker. JPEG 2000: SOC and SIZ. RLE: a header of one segment (PS3.5 §G.5).</summary>
    private static byte[] GetStart(string transferSyntax)
    {
        if (transferSyntax == "1.2.840.10008.1.2.5") return [1, 0, 0, 0, 64, .. new byte[59]];
        var last = transferSyntax.Split("1.2.840.10008.1.2.4.").ElementAtOrDefault(1);
        if (last is null) return [];
        return int.Parse(last, System.Globalization.CultureInfo.InvariantCulture) is < 90
            ? [0xFF, 0xD8, 0xFF, 0xF7]
            : [0xFF, 0x4F, 0xFF, 0x51];
    }
}
