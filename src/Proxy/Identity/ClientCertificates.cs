using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Proxy.Operations;

namespace Proxy.Identity;

/// <summary>Takes the user from the client certificate of the connection (mutual TLS, RFC 8446 §4.3.2).</summary>
/// <remarks>
/// The handshake accepts any certificate and none: a request without a valid one gets a problem that says so, and health checks need none.
/// Whether an authority has revoked a certificate is not asked, because closed networks do not reach it: remove the user instead.
/// </remarks>
internal sealed class ClientCertificates(
    CertificateOptions options, CallerCache callers, Reloadable<IdentityOptions> identity, TimeProvider time) : IAuthenticator
{
    /// <summary>The purpose of certificates of clients, if a certificate names purposes (RFC 5280 §4.2.1.12).</summary>
    private static readonly Oid ClientPurpose = new("1.3.6.1.5.5.7.3.2");

    /// <summary>Lets the server ask clients for a certificate.</summary>
    public static void Request(HttpsConnectionAdapterOptions https)
    {
        https.ClientCertificateMode = ClientCertificateMode.AllowCertificate;
        https.AllowAnyClientCertificate();
    }

    /// <inheritdoc/>
    public ValueTask<Authentication> AuthenticateAsync(HttpContext context)
    {
        if (context.Connection.ClientCertificate is not { } certificate) return new(Refuse("A client certificate is required"));
        Span<byte> bytes = stackalloc byte[SHA256.HashSizeInBytes];
        certificate.TryGetCertHash(HashAlgorithmName.SHA256, bytes, out _);
        var hash = MemoryMarshal.Read<CredentialHash>(bytes);
        return new(callers.Find(hash) is { } caller ? new Authentication(caller, null) : Verify(certificate, hash));
    }

    private Authentication Verify(X509Certificate2 certificate, CredentialHash hash)
    {
        using var chain = new X509Chain { ChainPolicy = MakePolicy() };
        var isTrusted = chain.Build(certificate);
        foreach (var element in chain.ChainElements) element.Certificate.Dispose();
        if (!isTrusted) return Refuse("The client certificate is not valid, or of an unknown authority");
        var user = options.Users.FirstOrDefault(u => Matches(u, certificate, hash));
        if (user is null && options.Users.Count > 0) return Refuse("The client certificate belongs to no user");
        var id = user?.Name ?? certificate.Subject;
        var caller = new Caller(id, identity.Value.Roles.GetRoles([.. user?.Roles ?? []]))
        {
            Issuer = certificate.Issuer,
            Name = user?.Name ?? certificate.GetNameInfo(X509NameType.SimpleName, forIssuer: false),
            Groups = [.. user?.Roles ?? []],
            Key = hash.ToKey(),
            Expires = new(certificate.NotAfter.ToUniversalTime()),
        };
        callers.Add(hash, caller, caller.Expires);
        return new(caller, null);
    }

    private X509ChainPolicy MakePolicy()
    {
        var policy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true,
            VerificationTime = time.GetUtcNow().LocalDateTime,
        };
        policy.ApplicationPolicy.Add(ClientPurpose);
        // An intermediate authority in the file is trusted like a root: the operator named it.
        policy.CustomTrustStore.AddRange(options.Authorities);
        return policy;
    }

    private static bool Matches(CertificateUser user, X509Certificate2 certificate, CredentialHash hash) =>
        user.Thumbprint is { } thumbprint
            ? thumbprint.Equals(hash.ToKey(), StringComparison.OrdinalIgnoreCase)
            : certificate.Subject.Equals(user.Subject, StringComparison.Ordinal);

    private static Authentication Refuse(string detail) => Authentication.Refuse(detail, "Certificate");
}
