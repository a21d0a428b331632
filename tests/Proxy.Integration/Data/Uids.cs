using System.Numerics;
using System.Security.Cryptography;
using System.Text;

namespace Proxy.Integration;

/// <summary>UIDs derived from readable words, the same on every run.</summary>
public static class Uids
{
    /// <summary>A UUID-derived UID (PS3.5 B.2): <c>2.25.</c> and 128 bits in decimal, here from a hash instead of a UUID.</summary>
    public static string Create(params IEnumerable<object> key)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes("proxy-integration/" + string.Join('/', key)));
        return "2.25." + new BigInteger(hash.AsSpan(0, 16), isUnsigned: true, isBigEndian: true);
    }
}
