using Proxy.Operations;

namespace Proxy.Identity;

/// <summary>The settings of how users authenticate, and of their roles. All but the roles are read at start.</summary>
/// <param name="Authentication">The way that users authenticate.</param>
/// <param name="Roles">What users may do.</param>
/// <param name="Jwt">The bearer tokens that are accepted.</param>
/// <param name="Header">The headers in which a gateway names the user.</param>
/// <param name="Certificate">The client certificates that are accepted.</param>
/// <param name="Oidc">How browsers sign in.</param>
public sealed record IdentityOptions(
    AuthenticationKind Authentication, RoleOptions Roles, JwtOptions Jwt, HeaderOptions Header, CertificateOptions Certificate,
    OidcOptions Oidc)
{
    /// <summary>The names of the settings below <c>Security</c> that belong to the identity.</summary>
    public static readonly string[] Keys = ["Authentication", "Roles", "Jwt", "Header", "Certificate", "Oidc"];

    /// <summary>Whether bearer tokens are accepted.</summary>
    public bool AcceptsTokens =>
        Authentication == AuthenticationKind.Jwt || Authentication == AuthenticationKind.Oidc && Jwt.Audience.Length > 0;

    /// <summary>Reads the settings of identity in the section <c>Security</c>.</summary>
    public static IdentityOptions Read(SettingsReader settings)
    {
        var kind = settings.ReadChoice("Security:Authentication", AuthenticationKind.None);
        var hasTokens = settings.FindText("Security:Jwt:Audience") is not null;
        var jwt = JwtOptions.Read(settings, kind == AuthenticationKind.Jwt || kind == AuthenticationKind.Oidc && hasTokens);
        return new(
            kind, RoleOptions.Read(settings), jwt,
            HeaderOptions.Read(settings, kind == AuthenticationKind.Header),
            CertificateOptions.Read(settings, kind == AuthenticationKind.Certificate),
            OidcOptions.Read(settings, jwt, kind == AuthenticationKind.Oidc));
    }
}
