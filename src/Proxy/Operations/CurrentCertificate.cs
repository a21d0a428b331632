using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Proxy.Operations;

/// <summary>A certificate with its private key and the certificates of its issuers.</summary>
/// <param name="Leaf">The certificate itself.</param>
/// <param name="Issuers">The other certificates of the file.</param>
/// <param name="Version">A hash of what it was made of.</param>
public sealed record LoadedCertificate(X509Certificate2 Leaf, X509Certificate2Collection Issuers, string Version) : IDisposable
{
    internal static LoadedCertificate Create(string certificate, string key, string? password)
    {
        var leaf = password is null
            ? X509Certificate2.CreateFromPem(certificate, key)
            : X509Certificate2.CreateFromEncryptedPem(certificate, key, password);
        // Windows uses the key of a certificate for TLS only if it was stored once.
        if (OperatingSystem.IsWindows())
        {
            using var unstored = leaf;
            leaf = X509CertificateLoader.LoadPkcs12(unstored.Export(X509ContentType.Pfx), password: null);
        }
        var all = new X509Certificate2Collection();
        all.ImportFromPem(certificate);
        // The first is the leaf, without its key.
        all[0].Dispose();
        all.RemoveAt(0);
        return new(leaf, all, Hash(certificate, key));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Leaf.Dispose();
        foreach (var issuer in Issuers) issuer.Dispose();
    }

    private static string Hash(string certificate, string key) =>
        Convert.ToHexString(SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(certificate + "\n" + key)));
}

/// <summary>A certificate in use: its files are read again when they may have changed.</summary>
/// <remarks>While new files cannot be used, the certificate before them stays in use, and each such version is logged once.</remarks>
/// <param name="files">The files.</param>
/// <param name="time">The clock.</param>
/// <param name="changed">Called with the reason when new files cannot be used, and with null when they are used.</param>
internal sealed class CurrentCertificate(PemFiles files, TimeProvider time, Action<string?> changed) : IDisposable
{
    /// <summary>The files are read at most this often.</summary>
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private LoadedCertificate? _current;
    private string? _reported;
    private long _readAt;

    /// <summary>The certificate; null if it could never be loaded.</summary>
    public LoadedCertificate? Find()
    {
        lock (_lock)
        {
            if (_current is not null && time.GetElapsedTime(_readAt) < Period) return _current;
            _readAt = time.GetTimestamp();
            if (!files.TryLoad(out var loaded, out var error))
            {
                if (_reported != error.Reason) changed(error.Reason);
                _reported = error.Reason;
                return _current;
            }
            _reported = null;
            if (_current?.Version == loaded.Version)
            {
                loaded.Dispose();
                return _current;
            }
            if (_current is not null) changed(null);
            // The certificate before it is not disposed: handshakes may use it.
            return _current = loaded;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _current?.Dispose();
}
