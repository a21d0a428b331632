using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Proxy.Operations;

namespace Proxy.Backends.Credentials;

/// <summary>The client certificate of each backend, and the authorities that its own certificate may come from.</summary>
/// <remarks>
/// The client certificate is looked up for each new connection, so that changed files take effect without a new HTTP client. A connection
/// lasts two minutes at most.
/// </remarks>
internal sealed class BackendTls(BackendSet backends, TimeProvider time, ILogger<BackendTls> log) : IDisposable
{
    private readonly ConcurrentDictionary<PemFiles, CurrentCertificate> _certificates = new();

    /// <summary>Configures the connections to a backend.</summary>
    /// <param name="handler">The handler of that backend alone.</param>
    /// <param name="backend">The backend's name.</param>
    public void ConfigureBackend(SocketsHttpHandler handler, string backend)
    {
        ConfigureTrust(handler, backends.Find(backend)?.CaFile);
        handler.SslOptions.LocalCertificateSelectionCallback = (_, _, _, _, _) => FindCertificate(backend)!;
    }

    /// <summary>Trusts only the authorities of a file, without a check of revocation, like the authorities of the machine.</summary>
    /// <param name="handler">The handler.</param>
    /// <param name="caFile">The path of the file; null for the authorities of the machine.</param>
    public static void ConfigureTrust(SocketsHttpHandler handler, string? caFile)
    {
        if (caFile is null) return;
        var policy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
        };
        policy.CustomTrustStore.AddRange(FindRoots(caFile));
        handler.SslOptions.CertificateChainPolicy = policy;
    }

    /// <summary>The certificates in a PEM file; empty if there are none, or if it cannot be read.</summary>
    public static X509Certificate2Collection FindRoots(string file)
    {
        var roots = new X509Certificate2Collection();
        try
        {
            roots.ImportFromPemFile(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            roots.Clear();
        }
        return roots;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var certificate in _certificates.Values) certificate.Dispose();
    }

    private X509Certificate2? FindCertificate(string backend)
    {
        if (backends.Find(backend)?.Credential?.Certificate is not { } files) return null;
        return _certificates.GetOrAdd(files, Create).Find()?.Leaf;

        CurrentCertificate Create(PemFiles made) => new(made, time, reason =>
        {
            if (reason is null) log.ClientCertificateRenewed(backend);
            else log.ClientCertificateKept(backend, reason);
        });
    }
}
