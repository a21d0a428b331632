using System.Security.Cryptography;
using System.Text;

namespace Proxy.Cluster.Changes;

/// <summary>Names a patient by a salted hash, so that the log of changes contains no Patient ID (0010,0020).</summary>
/// <remarks>Each node hashes the IDs that it knows. A reader of the log can test a guess, but cannot read the ID.</remarks>
/// <param name="Salt">A random number, 32 hexadecimal digits; the key of the hash.</param>
/// <param name="Hash">The HMAC-SHA256 of the ID, in hexadecimal digits.</param>
internal sealed record PatientMark(string Salt, string Hash)
{
    private const int SaltBytes = 16;

    /// <summary>Marks a patient.</summary>
    public static PatientMark Create(string patientId)
    {
        var salt = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(SaltBytes));
        return new(salt, GetHash(salt, patientId));
    }

    /// <summary>True when this is the ID of the patient.</summary>
    public bool Matches(string patientId) => Hash == GetHash(Salt, patientId);

    private static string GetHash(string salt, string patientId) =>
        Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.ASCII.GetBytes(salt), Encoding.UTF8.GetBytes(patientId)));
}
