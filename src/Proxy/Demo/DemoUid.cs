using System.Globalization;
using System.Numerics;
using System.Security.Cryptography;
using System.Text;

namespace Proxy.Demo;

/// <summary>UIDs derived from readable keys, so that tests can predict the UIDs of the demo studies.</summary>
/// <remarks>
/// A study is <c>Create("chest-ct")</c>, its series <c>Create("chest-ct", "axial")</c>, instance 17 of that series
/// <c>Create("chest-ct", "axial", "17")</c>. The form <c>2.25.</c> with a 128-bit decimal number is defined in PS3.5 B.2.
/// </remarks>
public static class DemoUid
{
    /// <summary>The UID of a key; always the same for the same key.</summary>
    public static string Create(params string[] key)
    {
        ArgumentNullException.ThrowIfNull(key);
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('/', key)));
        var number = new BigInteger(hash.AsSpan(0, 16), isUnsigned: true, isBigEndian: true);
        return "2.25." + number.ToString(CultureInfo.InvariantCulture);
    }
}
