using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Proxy.Tests.Pacs;

/// <summary>A certificate authority that no machine trusts, and the certificates that it issues, as PEM.</summary>
public sealed class TestAuthority : IDisposable
{
    private static readonly TimeSpan Day = TimeSpan.FromDays(1);

    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly X509Certificate2 _root;
    private byte _serial;

    public TestAuthority(string name = "CN=hospital")
    {
        var request = new CertificateRequest(name, _key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        var now = TimeProvider.System.GetUtcNow();
        _root = request.CreateSelfSigned(now - Day, now + Day);
    }

    public string Pem => _root.ExportCertificatePem();

    /// <summary>Issues a certificate for a subject and for 127.0.0.1.</summary>
    public (string Certificate, string Key) Issue(string subject)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        names.AddDnsName("localhost");
        var request = new CertificateRequest(subject, key, HashAlgorithmName.SHA256) { CertificateExtensions = { names.Build() } };
        var now = TimeProvider.System.GetUtcNow();
        using var made = request.Create(_root, now - Day / 2, now + Day / 2, [++_serial]);
        return (made.ExportCertificatePem(), key.ExportPkcs8PrivateKeyPem());
    }

    public void Dispose()
    {
        _root.Dispose();
        _key.Dispose();
    }
}
