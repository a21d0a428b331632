using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Proxy.Operations;

namespace Proxy.Identity;

/// <summary>A user who authenticates with a certificate.</summary>
/// <param name="Name">The user's identity.</param>
/// <param name="Subject">The subject of the certificate, as RFC 4514 writes it; null if the thumbprint identifies it.</param>
/// <param name="Thumbprint">The SHA-256 of the certificate in hexadecimal; null if the subject identifies it.</param>
/// <param name="Roles">The values from which the user's roles follow.</param>
public sealed record CertificateUser(string Name, string? Subject, string? Thumbprint, IReadOnlyList<string> Roles);

/// <summary>The client certificates that are accepted (<c>Security:Certificate</c>); read at start.</summary>
/// <param name="Authorities">The certificates of the authorities that issue them.</param>
/// <param name="Users">The users; empty if every certificate of the authorities is a user.</param>
public sealed record CertificateOptions(X509Certificate2Collection Authorities, IReadOnlyList<CertificateUser> Users)
{
    /// <summary>Reads the section <c>Security:Certificate</c>.</summary>
    /// <param name="settings">The settings.</param>
    /// <param name="isUsed">Whether users authenticate in this way, so that the required settings have to be there.</param>
    public static CertificateOptions Read(SettingsReader settings, bool isUsed)
    {
        settings.ReportUnknown("Security:Certificate", "CaFile", "Users");
        var authorities = new X509Certificate2Collection();
        const string file = "Security:Certificate:CaFile";
        var path = settings.FindText(file);
        if (isUsed && path is null) settings.AddError(file, null, "a PEM file with the certificates of the authorities");
        if (isUsed && path is not null)
        {
            try
            {
                authorities.ImportFromPemFile(path);
            }
            catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException)
            {
                // The list stays empty.
            }
            if (authorities.Count == 0) settings.AddError(file, path, "a PEM file that can be read, with at least one certificate");
        }
        return new(authorities, [.. settings.ReadNames("Security:Certificate:Users").Select(name => ReadUser(settings, name))]);
    }

    private static CertificateUser ReadUser(SettingsReader settings, string name)
    {
        var key = $"Security:Certificate:Users:{name}";
        settings.ReportUnknown(key, "Subject", "Thumbprint", "Roles");
        var subject = settings.FindText($"{key}:Subject");
        var thumbprint = settings.FindText($"{key}:Thumbprint")?.Replace(":", "", StringComparison.Ordinal);
        if (subject is null == thumbprint is null)
            settings.AddError(key, null, "either the Subject or the Thumbprint of the user's certificate");
        if (thumbprint is not null && (thumbprint.Length != 64 || !thumbprint.All(char.IsAsciiHexDigit)))
            settings.AddError($"{key}:Thumbprint", thumbprint, "the SHA-256 of the certificate: 64 hexadecimal digits");
        return new(name, subject, thumbprint, settings.ReadList($"{key}:Roles"));
    }
}
