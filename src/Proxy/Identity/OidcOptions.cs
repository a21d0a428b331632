using Proxy.Operations;

namespace Proxy.Identity;

/// <summary>How browsers sign in at the identity provider (<c>Security:Oidc</c>, OpenID Connect Core 1.0 §3.1); read at start.</summary>
/// <param name="Authority">The identity provider; null if browsers do not sign in. See <see cref="JwtOptions.Authority"/>.</param>
/// <param name="ClientId">The identifier of the proxy at the identity provider.</param>
/// <param name="ClientSecret">Its secret; null for a public client, which PKCE protects.</param>
/// <param name="Scopes">The scopes to request, separated by spaces. Default <c>openid profile</c>.</param>
/// <param name="RolesClaim">See <see cref="JwtOptions.RolesClaim"/>, whose value is the default.</param>
public sealed record OidcOptions(Uri? Authority, string ClientId, Secret? ClientSecret, string Scopes, string RolesClaim)
{
    /// <summary>Reads the section <c>Security:Oidc</c>.</summary>
    /// <param name="settings">The settings.</param>
    /// <param name="jwt">The settings of bearer tokens.</param>
    /// <param name="isUsed">Whether browsers sign in, so that the required settings have to be there.</param>
    public static OidcOptions Read(SettingsReader settings, JwtOptions jwt, bool isUsed)
    {
        settings.ReportUnknown("Security:Oidc", "Authority", "ClientId", "ClientSecret", "ClientSecretFile", "Scopes", "RolesClaim");
        var authority = JwtOptions.ReadAuthority(settings, "Security:Oidc:Authority");
        var client = settings.FindText("Security:Oidc:ClientId");
        if (isUsed && authority is null) settings.AddError("Security:Oidc:Authority", null, "the address of the identity provider");
        if (isUsed && client is null)
            settings.AddError("Security:Oidc:ClientId", null, "the identifier of the proxy at the identity provider");
        var scopes = settings.FindText("Security:Oidc:Scopes") ?? "openid profile";
        if (!scopes.Split(' ').Contains("openid"))
            settings.AddError("Security:Oidc:Scopes", scopes, "scopes separated by spaces, openid among them");
        return new(
            authority, client ?? "", Secret.Read(settings, "Security:Oidc:ClientSecret"), scopes,
            settings.FindText("Security:Oidc:RolesClaim") ?? jwt.RolesClaim);
    }
}
