using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Proxy.Tests.Pacs;

/// <summary>Bytes that nothing can guess and every call with the same name gives again.</summary>
public static class Pixels
{
    public static byte[] Of(string name, int length)
    {
        var seed = BinaryPrimitives.ReadInt32LittleEndian(SHA256.HashData(Encoding.UTF8.GetBytes(name)));
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }
}
