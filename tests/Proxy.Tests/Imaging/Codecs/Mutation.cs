namespace Proxy.Tests.Imaging.Codecs;

/// <summary>Damages a codestream: cuts it, changes bytes, or exchanges a range.</summary>
internal static class Mutation
{
    public static byte[] Of(byte[] original, Random random)
    {
        var bytes = original.ToArray();
        switch (random.Next(4))
        {
            case 0:
                return bytes[..random.Next(bytes.Length)];
            case 1:
                for (var i = random.Next(1, 8); i > 0; i--) bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
                return bytes;
            case 2:
                // The header decides more than the rest.
                for (var i = random.Next(1, 4); i > 0; i--) bytes[random.Next(Math.Min(120, bytes.Length))] ^= (byte)(1 << random.Next(8));
                return bytes;
            default:
                var start = random.Next(bytes.Length);
                random.NextBytes(bytes.AsSpan(start, Math.Min(bytes.Length - start, random.Next(1, 64))));
                return bytes;
        }
    }
}
