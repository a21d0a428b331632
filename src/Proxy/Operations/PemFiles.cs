using System.Security.Cryptography;

namespace Proxy.Operations;

/// <summary>The PEM files of a certificate with its private key (RFC 7468).</summary>
/// <param name="Certificate">The path of the certificate, followed by those of its issuers if they are not known to the peer.</param>
/// <param name="Key">The path of the private key; the same as <paramref name="Certificate"/> if one file contains both.</param>
public sealed record PemFiles(string Certificate, string Key)
{
    /// <summary>The password of an encrypted key; null for a key without encryption.</summary>
    public Secret? Password { get; init; }

    /// <summary>Reads <c>Certificate</c>, <c>Key</c> and <c>KeyPassword</c> below a key, and reports files that cannot be used.</summary>
    /// <param name="settings">The settings.</param>
    /// <param name="key">The key of the section.</param>
    /// <param name="isRequired">Whether a missing certificate is an error.</param>
    public static PemFiles? Read(SettingsReader settings, string key, bool isRequired = true)
    {
        var (certificate, privateKey) = (settings.FindText($"{key}:Certificate"), settings.FindText($"{key}:Key"));
        var password = Secret.Read(settings, $"{key}:KeyPassword");
        if (certificate is null)
        {
            if (isRequired) settings.AddError($"{key}:Certificate", null, "the path of a PEM file with a certificate");
            return null;
        }
        var files = new PemFiles(Path.GetFullPath(certificate), Path.GetFullPath(privateKey ?? certificate)) { Password = password };
        if (files.TryLoad(out var loaded, out var error)) loaded.Dispose();
        else if (error.IsOfKey && privateKey is not null) settings.AddError($"{key}:Key", privateKey, error.Reason);
        else settings.AddError($"{key}:Certificate", certificate, error.Reason);
        return files;
    }

    /// <summary>Loads the certificate.</summary>
    /// <param name="loaded">The certificate; undefined if it cannot be loaded.</param>
    /// <param name="error">Why it cannot be loaded, without the content of a file.</param>
    public bool TryLoad(out LoadedCertificate loaded, out (string Reason, bool IsOfKey) error)
    {
        (loaded, error) = (null!, default);
        string text, keyText;
        try
        {
            text = File.ReadAllText(Certificate);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            error = ("the file of the certificate cannot be read", false);
            return false;
        }
        try
        {
            keyText = Key == Certificate ? text : File.ReadAllText(Key);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            error = ("the file of the private key cannot be read", true);
            return false;
        }
        if (!text.Contains("-----BEGIN CERTIFICATE-----", StringComparison.Ordinal))
        {
            error = ("the file contains no certificate in PEM", false);
            return false;
        }
        var password = "";
        if (Password?.TryRead(out password, out _) == false)
        {
            error = ("the password of the private key cannot be read", true);
            return false;
        }
        try
        {
            loaded = LoadedCertificate.Create(text, keyText, Password is null ? null : password);
            return true;
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            error = ("the certificate and the private key are no pair, are damaged, or the password is wrong", true);
            return false;
        }
    }
}
