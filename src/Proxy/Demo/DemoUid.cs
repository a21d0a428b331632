using System.Globalization;
using System.Numerics;
using System.Security.Cryptography;
using System.Text;

namespace Proxy.Demo;

/// <summary>Unique identifiers made from readable keys, so that a test can name what it will meet.</summary>
/// <remarks>
/// A study is <c>Of("chest-ct")</c>, its series <c>Of("chest-ct", "axial")</c>, its instance number 17
/// <c>Of("chest-ct", "axial", "17")</c>. The form <c>2.25.</c> and 128 bits as a decimal is PS3.5 B.2.
/// </remarks>
public static class DemoUid
{
    public static string Create(params string[] key)
    {
        ArgumentNullException.ThrowIfNull(key);
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('/', key)));
        var number = new BigInteger(hash.AsSpan(0, 16), isUnsigned: true, isBigEndian: true);
        return "2.25." + number.ToString(CultureInfo.InvariantCulture);
    }
}
